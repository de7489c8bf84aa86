"""The release that gates are asked about."""

from __future__ import annotations

from dataclasses import dataclass

from saferollout.decide.memory import Draining
from saferollout.decide.rollout import Rollout
from saferollout.decide.victims import Plan


@dataclass(frozen=True, slots=True)
class Step:
    """The release that is considered: the pods it would take, and what may stand against it."""

    rollout: Rollout
    plan: Plan
    draining: tuple[Draining, ...]
    planned_at: float
