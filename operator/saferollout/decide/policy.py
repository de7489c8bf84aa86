"""What is asked for: by the SafeRollout of one rollout, by the operator's options of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

IntOrPercent = int | str
"""A number of pods, or a percent of them such as ``25%`` (Kubernetes' int-or-string)."""


@dataclass(frozen=True, slots=True)
class WatchedAlarm:
    """A CloudWatch alarm that is to be quiet.

    ``counts_without_data``: INSUFFICIENT_DATA is as bad as ALARM.
    """

    name: str
    counts_without_data: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What the SafeRollout asks for, validated. Timeouts and spans are seconds.

    ``floor_patience``: for how long a zone's floor is respected that cannot be kept, ``inf`` for ever.
    ``zone_bake``: between the last old pod of a zone and the first of the next, if they go ``zone_by_zone``.
    ``bake``: after every step, the last one included. ``approvals``: pods (int or percent) at which somebody
    has to approve of more. ``rolls_back``: what has failed is replaced by what was there before.
    ``keep_paused``: a Deployment that is given back in mid-rollout stays paused.
    """

    max_surge: IntOrPercent = 1
    health_timeout: float = 600.0
    drain_timeout: float = 1200.0
    min_healthy: IntOrPercent = 1
    paused: bool = False
    stable_for: float = 0.0
    max_unavailable: IntOrPercent = 0
    growth: int = 1
    floor_patience: float = math.inf
    zone_by_zone: bool = False
    zone_bake: float = 0.0
    bake: float = 0.0
    approvals: tuple[IntOrPercent, ...] = ()
    rolls_back: bool = False
    keep_paused: bool = False
    alarms: tuple[WatchedAlarm, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of the operator, the same for every rollout. All are seconds.

    ``least_fence``: a release waits until it can be fenced for at least this long; it is how long the
    operator may be dead in mid-release before the Deployment could move on by itself.
    ``settle``: how old written deletion costs must be before they are relied on (kubernetes issue 126138).
    ``stale_after``: how old an answer of ELBv2 may be and still count.
    """

    least_fence: float = 15.0
    settle: float = 2.0
    stale_after: float = 15.0
