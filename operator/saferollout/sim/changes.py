"""What happened to an object, and how all who care are told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from saferollout.sim.resources import Resource

Object = dict[str, Any]
"""A Kubernetes object as JSON. Never mutated once stored, hence shared freely: copy, then update."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write, told. On ``DELETED`` ``object`` is the last state, at the version of its end."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: Resource
    object: Object
    old: Object | None


class Announcer:
    """Tells every listener of every change, in order.

    A change that a listener makes is told when the present one has been told to all.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[[Change], None]] = []
        self._untold: deque[Change] = deque()
        self._telling = False

    def add(self, listener: Callable[[Change], None]) -> None:
        """Tell ``listener`` too, from the next change on."""
        self._listeners.append(listener)

    def tell(self, change: Change) -> None:
        """Tell of a change: now, or if one is being told, after it."""
        self._untold.append(change)
        if self._telling:
            return
        self._telling = True
        try:
            while self._untold:
                following = self._untold.popleft()
                for listener in self._listeners:
                    listener(following)
        finally:
            self._telling = False
