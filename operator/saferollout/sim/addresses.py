"""Pod addresses: unique while in use, and used again as late as possible."""

from __future__ import annotations

from collections import deque

_HOSTS = range(4, 255)


class Addresses:
    """A /24 for every node; a released address waits behind all free ones, as if cooling down."""

    def __init__(self) -> None:
        self._free: dict[str, deque[str]] = {}

    def take(self, node: str) -> str:
        """The address of the node that has been free for longest.

        Raises:
            IndexError: The node has none left.
        """
        if node not in self._free:
            subnet = len(self._free)
            self._free[node] = deque(f"10.{subnet // 256}.{subnet % 256}.{host}" for host in _HOSTS)
        return self._free[node].popleft()

    def release(self, node: str, address: str) -> None:
        """Give an address back."""
        self._free[node].append(address)
