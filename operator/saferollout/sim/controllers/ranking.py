"""Which pods of a ReplicaSet go first when it shrinks.

The order of kubernetes ``pkg/controller/controller_utils.go`` (``ActivePodsWithRanks``), ages compared as
``LogarithmicScaleDown`` does: by powers of two, the UID deciding between pods of about the same age.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cmp_to_key

from saferollout.sim.objects import annotations_of, condition_of, is_deleting
from saferollout.sim.store import Object
from saferollout.sim.timestamps import seconds

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_NANOSECONDS = 1e9


def is_active(pod: Object) -> bool:
    """Whether the pod counts for its ReplicaSet: it has not ended and its end has not begun."""
    return not is_deleting(pod) and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


def ready_at(pod: Object) -> float | None:
    """When the pod became Ready, in seconds since the epoch, ``None`` while it is not."""
    ready = condition_of(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    return seconds(ready["lastTransitionTime"])


def first_to_go(pods: Iterable[Object], related: Iterable[Object], now: float) -> list[Object]:
    """Sort ``pods``, first to go first. ``related`` are all pods of the same Deployment, these included."""
    crowd = Counter(_node(each) for each in related if is_active(each))

    def compare(one: Object, other: Object) -> int:
        return _compare(one, other, crowd, now)

    return sorted(pods, key=cmp_to_key(compare))


def _node(pod: Object) -> str:
    name: str = pod["spec"].get("nodeName") or ""
    return name


def _cost(pod: Object) -> int:
    """The deletion cost, 0 when there is none or it is no number."""
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


_RULES: Sequence[Callable[[Object], int]] = (
    lambda pod: bool(_node(pod)),
    lambda pod: _PHASES.get((pod.get("status") or {}).get("phase", ""), 0),
    lambda pod: ready_at(pod) is not None,
    _cost,
)
"""What decides before the company a pod is in does: less goes first."""


def _compare(one: Object, other: Object, crowd: Counter[str], now: float) -> int:
    for rule in _RULES:
        if difference := rule(one) - rule(other):
            return difference
    if difference := crowd[_node(other)] - crowd[_node(one)]:
        return difference
    since, other_since = ready_at(one), ready_at(other)
    if since is not None and other_since is not None and since != other_since:
        return _by_magnitude(one, other, now - since, now - other_since)
    if difference := _restarts(other) - _restarts(one):
        return difference
    created, other_created = (seconds(each["metadata"]["creationTimestamp"]) for each in (one, other))
    if created != other_created:
        return _by_magnitude(one, other, now - created, now - other_created)
    return 0


def _by_magnitude(one: Object, other: Object, age: float, other_age: float) -> int:
    """The younger goes first if it is younger by a power of two, else whoever has the smaller UID."""
    difference = _magnitude(age) - _magnitude(other_age)
    return difference or (-1 if one["metadata"]["uid"] < other["metadata"]["uid"] else 1)


def _magnitude(age: float) -> int:
    return int(math.log2(age * _NANOSECONDS)) if age > 0 else -1


def _restarts(pod: Object) -> int:
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    restarts: int = max((each["restartCount"] for each in containers), default=0)
    return restarts
