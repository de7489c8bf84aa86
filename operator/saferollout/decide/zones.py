"""The zone floor: a zone that had serving pods never goes below it by anything the rollout does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from saferollout.api.quantities import rounded_up
from saferollout.decide.policy import IntOrPercent
from saferollout.decide.workload import Pod


def by_zone(pods: Iterable[Pod]) -> Counter[str]:
    """Count pods by zone. Those of an unknown zone count nowhere."""
    return Counter(pod.zone for pod in pods if pod.zone is not None)


def scaled(had: Mapping[str, int], replicas: int) -> dict[str, int]:
    """Return what zones would have had of so many replicas: less in proportion, yet one if they had any.

    Whoever scales down in mid-rollout wants fewer pods in every zone. Rounded down: rounded up, it could be
    more than there are pods.
    """
    total = max(replicas, sum(had.values()))
    return {zone: max(min(count, 1), count * replicas // total) for zone, count in had.items() if total}


def floors(min_healthy: IntOrPercent, had: Mapping[str, int]) -> dict[str, int]:
    """Return each zone's floor: ``zones.minHealthy``, a percent rounded up, capped by what the zone had."""
    return {zone: min(rounded_up(min_healthy, count), count) for zone, count in sorted(had.items())}


def below(after: Mapping[str, int], leaving: Mapping[str, int], floor: Mapping[str, int]) -> list[str]:
    """Return the zones that these departures would bring below their floors.

    ``after``: serving pods by zone when they are gone; ``leaving``: how many of the departing ones serve, or
    may by now.
    """
    return sorted(
        zone for zone, count in leaving.items() if count and after.get(zone, 0) < floor.get(zone, 0)
    )


def even(counts: Mapping[str, int], floor: Mapping[str, int]) -> bool:
    """Return whether the zones that have a floor differ by one pod at the most."""
    kept = [counts.get(zone, 0) for zone, least in floor.items() if least]
    return not kept or max(kept) - min(kept) <= 1


def to_spare(old: Mapping[str, int], serving: Mapping[str, int], floor: Mapping[str, int]) -> int:
    """Return how many of these old pods could go before their zones are at their floors.

    ``serving``: all serving pods by zone, old and new.
    """
    return sum(min(count, max(0, serving.get(zone, 0) - floor.get(zone, 0))) for zone, count in old.items())


def first_in_order(pods: Iterable[Pod]) -> str | None:
    """Return the zone that comes first by name among those that have one of these pods."""
    return min((pod.zone for pod in pods if pod.zone is not None), default=None)
