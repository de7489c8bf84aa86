"""Quantities as a manifest writes them: numbers or percents of pods, and durations."""

from __future__ import annotations

import re

import durationpy

from saferollout.decide.policy import IntOrPercent

PERCENT_PATTERN = "^(100|[1-9]?[0-9])%$"
"""A whole percent from 0% to 100%."""

DURATION_PATTERN = "^([0-9]+([.][0-9]+)?(ms|s|m|h))+$"
"""A duration as Go writes it, without sign and without the units that no rollout needs."""

_ANY_PERCENT = re.compile(r"[0-9]{1,9}%")
_DURATION = re.compile(DURATION_PATTERN)


def rounded_up(value: IntOrPercent, of: int) -> int:
    """Resolve a number or percent of pods, a fraction counting as a whole pod: ``maxSurge`` and floors.

    Args:
        value: A number of pods, or a percent such as ``25%``. A Deployment's may exceed ``100%``.
        of: The pods that 100 % are.

    Raises:
        ValueError: If ``value`` is text but not a percent.
    """
    return value if isinstance(value, int) else -(-_percent(value) * of // 100)


def seconds(duration: str) -> float:
    """Read a duration such as ``90s`` or ``1h30m`` as seconds.

    Raises:
        ValueError: If it is not written like that, or is longer than can be counted.
    """
    if not _DURATION.fullmatch(duration):
        raise ValueError(f"{duration!r} is not a duration such as 90s, 10m or 1h30m")
    return float(durationpy.from_str(duration).total_seconds())


def _percent(text: str) -> int:
    if not _ANY_PERCENT.fullmatch(text):
        raise ValueError(f"{text!r} is neither a number of pods nor a percent such as 25%")
    return int(text[:-1])
