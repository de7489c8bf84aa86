"""Pods that are gone: a look that comes a moment later can still tell of them, and of their targets."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace

from saferollout.decide.workload import Pod

KEPT_SECONDS = 60.0
"""Loops look at least every few seconds. What is older has been seen, or nobody was there to tell."""


def gone(pod: Pod, now: float) -> Pod:
    """Return a pod that is no more as it was last. One that had no time to end was sent away only ``now``."""
    return pod if pod.deleted_at is not None else replace(pod, deleted_at=now)


class Vanished:
    """The last state of such pods, for `KEPT_SECONDS`."""

    def __init__(self) -> None:
        self._pods: deque[tuple[float, Pod]] = deque()

    def add(self, pod: Pod) -> None:
        """Take note of a pod that is gone."""
        self._drop_old()
        self._pods.append((time.monotonic(), gone(pod, time.time())))

    def lately(self) -> tuple[Pod, ...]:
        """Return those that have not been gone for longer."""
        self._drop_old()
        return tuple(pod for _, pod in self._pods)

    def _drop_old(self) -> None:
        while self._pods and time.monotonic() - self._pods[0][0] > KEPT_SECONDS:
            self._pods.popleft()
