"""The availability fence: ``minReadySeconds`` as the brake that ``paused`` is not (mechanics of the design).

A pod counts as available only when it has been Ready for ``minReadySeconds``. A value just below the age of
the youngest pod that has passed the gate leaves all of those available and none that comes after.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from saferollout.decide.ledger import Settings
from saferollout.decide.workload import Pod

WALL = 10 * 365 * 24 * 3600
"""A fence (seconds) that no pod ever passes: ten years."""

MARGIN = 2.0
"""Seconds between a fence and the age of the youngest pod behind it: one for the whole seconds in which
Kubernetes writes times, one for clocks that differ."""

_MOST = 2**31 - 1


def youngest_age(pods: Iterable[Pod], now: float) -> float:
    """Return for how many seconds the youngest of these pods has been Ready; 0 if one is not Ready."""
    return min(
        (now - pod.ready_since if pod.ready_since is not None else 0.0 for pod in pods), default=math.inf
    )


def behind(pods: Iterable[Pod], now: float) -> int:
    """Return the highest fence (seconds) that leaves all these pods available; ``WALL`` if there are none."""
    age = youngest_age(pods, now)
    return WALL if age == math.inf else max(0, math.floor(age - MARGIN))


def wait_for(pods: Iterable[Pod], now: float, fence: float) -> float:
    """Return how many seconds are missing until a fence of ``fence`` seconds leaves these pods available."""
    return max(0.0, math.ceil(fence) + MARGIN - youngest_age(pods, now))


def without_wall(users: Settings) -> Settings:
    """Return what the user wants, where a wall has been taken for their wish.

    Both records of what they had can be lost, the annotation and its copy in the status. A wall is known by
    its size all the same, and then so are the pause beside it and the deadline above it. Without a record of
    it ``minReadySeconds`` is what it is by default.
    """
    if users.min_ready_seconds < WALL:
        return users
    above = users.progress_deadline_seconds
    return replace(
        users,
        paused=False,
        min_ready_seconds=0,
        progress_deadline_seconds=above - WALL if above is not None and above > WALL else above,
    )


def deadline(users: Settings, fence: int) -> int | None:
    """Return a ``progressDeadlineSeconds`` as far above ``fence`` as the user's is above nothing."""
    if users.progress_deadline_seconds is None or fence == users.min_ready_seconds:
        return users.progress_deadline_seconds
    return min(_MOST, users.progress_deadline_seconds + fence)
