"""The work queue between what a controller is told and what it does about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from saferollout.sim.objects import Key
from saferollout.sim.store import ApiError
from saferollout.sim.timeline import Event, Timeline

REACTION = 0.01
"""Seconds between a write and the moment a controller works on it: watch, queue, and a call or two."""

_FIRST_RETRY = 0.005
_LAST_RETRY = 1000.0
"""Seconds between tries after errors, doubled each time (client-go ``util/workqueue`` defaults)."""


class WorkQueue:
    """Keys to reconcile, each waiting at most once: later additions melt into the earliest.

    A reconcile that wants to look again later says so each time it runs. One that ends in an `ApiError` is
    tried again, each time after twice as long.
    """

    def __init__(self, timeline: Timeline, reconcile: Callable[[Key], None]) -> None:
        self._timeline = timeline
        self._reconcile = reconcile
        self._waiting: dict[Key, Event] = {}
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        """Reconcile ``key`` as soon as a controller would."""
        self.add_at(key, self._timeline.now + REACTION)

    def add_at(self, key: Key, when: float) -> None:
        """Reconcile ``key`` at ``when`` at the latest, in seconds since the epoch."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            if waiting.when <= when:
                return
            waiting.cancel()
        self._waiting[key] = self._timeline.at(when, partial(self._run, key))

    def _run(self, key: Key) -> None:
        del self._waiting[key]
        try:
            self._reconcile(key)
        except ApiError:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            pause = min(_FIRST_RETRY * 2 ** (failures - 1), _LAST_RETRY)
            self.add_at(key, self._timeline.now + pause)
        else:
            self._failures.pop(key, None)
