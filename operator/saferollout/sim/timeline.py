"""Time as the embedded cluster knows it: one ordered list of things to come, in one thread.

The same simulation runs in virtual time (tests: ``run_until``) and on the wall clock (``drive``).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Event:
    """Something that will happen at ``when`` (seconds since the epoch) unless it is cancelled."""

    when: float
    order: int
    run: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        """Make it not happen. Harmless when it already has."""
        self.run = None


class Timeline:
    """A clock and what it will bring, in order of time and then of scheduling.

    ``speed`` divides the simulation's own durations (start-up, health checks, draining, grace), never the
    seconds of the Kubernetes API (``minReadySeconds``): those mean the same at every speed.
    """

    def __init__(self, start: float, *, speed: float = 1.0) -> None:
        self.now = start
        self.speed = speed
        self._coming: list[Event] = []
        self._order = itertools.count()
        self._changed: asyncio.Event | None = None

    def at(self, when: float, run: Callable[[], None]) -> Event:
        """Schedule ``run`` at ``when``, or as soon as possible if that has passed."""
        event = Event(max(when, self.now), next(self._order), run)
        heapq.heappush(self._coming, event)
        if self._changed is not None:
            self._changed.set()
        return event

    def after(self, seconds: float, run: Callable[[], None]) -> Event:
        """Schedule ``run`` in ``seconds`` of API time."""
        return self.at(self.now + seconds, run)

    def after_scaled(self, seconds: float, run: Callable[[], None]) -> Event:
        """Schedule ``run`` in ``seconds`` of the simulation's own time, shortened by ``speed``."""
        return self.at(self.now + seconds / self.speed, run)

    def next_at(self) -> float | None:
        """When the next event is, ``None`` if nothing is coming."""
        while self._coming and self._coming[0].run is None:
            heapq.heappop(self._coming)
        return self._coming[0].when if self._coming else None

    def run_until(self, when: float) -> None:
        """Let everything up to and including ``when`` happen, each at its own moment."""
        while (following := self.next_at()) is not None and following <= when:
            event = heapq.heappop(self._coming)
            self.now = max(self.now, event.when)
            if event.run is not None:
                event.run()
        self.now = max(self.now, when)

    async def drive(self) -> None:
        """Follow the wall clock until cancelled."""
        self._changed = asyncio.Event()
        while True:
            self.run_until(time.time())
            following = self.next_at()
            self._changed.clear()
            wait = None if following is None else max(0.0, following - time.time())
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue
