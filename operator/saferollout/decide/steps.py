"""How large a step is, and how many there are. All numbers are pods."""

from __future__ import annotations

from saferollout.api.quantities import rounded_up
from saferollout.decide.observation import IntOrPercent


def size(max_surge: IntOrPercent, replicas: int) -> int:
    """Return the pods of a full step: a percent rounds up (kubernetes ``ResolveFenceposts``), at least 1."""
    return max(1, rounded_up(max_surge, replicas))


def in_place(max_unavailable: IntOrPercent, replicas: int) -> int:
    """Return the pods of a step that takes old ones away first: a percent rounds down, at least 1.

    As kubernetes ``ResolveFenceposts`` has it.
    """
    if isinstance(max_unavailable, str):
        return max(1, int(max_unavailable.rstrip("%")) * replicas // 100)
    return max(1, max_unavailable)


def next_batch(step: int, new: int, replicas: int) -> int:
    """Return how many new pods the next release adds: a full step, or what is missing to ``replicas``."""
    return max(0, min(step, replicas - new))


def total(step: int, replicas: int) -> int:
    """Return the number of steps of a whole rollout."""
    return -(-replicas // step)


def index(step: int, new: int, replicas: int) -> int:
    """Return the number of the step that ``new`` pods belong to, counting from 1; 0 before the first."""
    return min(total(step, new), total(step, replicas))
