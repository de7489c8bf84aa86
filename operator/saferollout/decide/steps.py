"""How large a step is, and how many there are. All numbers are pods."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from saferollout.api.quantities import rounded_up
from saferollout.decide.policy import IntOrPercent

Steps = tuple[int, ...]
"""How many pods are new after each step of a rollout, in order; the last is all of them."""


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


def steps(full: int, growth: int, replicas: int, stops: Sequence[int] = ()) -> Steps:
    """Return the steps to ``replicas``: full ones, or growing: 1, ``growth``, ``growth``² … up to full.

    No step goes past one of ``stops`` (pods): there the rollout waits for somebody.
    """
    ends: list[int] = []
    step, new = full if growth == 1 else 1, 0
    while new < replicas:
        new = min(new + min(step, full), *(stop for stop in stops if stop > new), replicas)
        ends.append(new)
        step *= growth
    return tuple(ends)


def next_batch(planned: Steps, new: int) -> int:
    """Return how many new pods the next release adds to ``new``."""
    following = bisect_right(planned, new)
    return planned[following] - new if following < len(planned) else 0


def index(planned: Steps, new: int) -> int:
    """Return the number of the step that ``new`` pods belong to, counting from 1; 0 before the first."""
    return min(bisect_left(planned, new) + 1, len(planned)) if new else 0
