"""Pod addresses: unique while in use, and used again as late as possible."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

_HOSTS = range(4, 255)


class Addresses:
    """A /24 for every node; a released address waits behind all free ones, as if cooling down."""

    def __init__(self) -> None:
        self._unused: dict[str, Iterator[str]] = {}
        self._released: dict[str, deque[str]] = {}

    def take(self, node: str) -> str:
        """The address of the node that has been free for longest.

        Raises:
            IndexError: The node has none left.
        """
        if node not in self._unused:
            subnet = len(self._unused)
            self._unused[node] = (f"10.{subnet // 256}.{subnet % 256}.{host}" for host in _HOSTS)
            self._released[node] = deque()
        return next(self._unused[node], None) or self._released[node].popleft()

    def release(self, node: str, address: str) -> None:
        """Give an address back."""
        self._released[node].append(address)
