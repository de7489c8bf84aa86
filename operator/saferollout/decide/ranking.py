"""The order in which pods go when somebody scales a Deployment down: zones stay as even as they can be.

The pods of a ReplicaSet are numbered within their zone, and a higher number costs less to delete: then every
zone loses its last number before any loses the one below, and its first goes last. So the next *k* to go
leave the zones even, for any *k*. A pod keeps its number for as long as it can: most changes need one write
or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saferollout.decide.decision import CostWrite
from saferollout.decide.workload import Pod


def rank_writes(pods: Iterable[Pod]) -> tuple[CostWrite, ...]:
    """Return the writes after which these pods of one ReplicaSet have their numbers.

    Pods whose zone is not known have none. Those with a cost of somebody else's keep it, and take a number.
    """
    by_zone: dict[str, list[Pod]] = {}
    for pod in pods:
        if pod.zone is not None:
            by_zone.setdefault(pod.zone, []).append(pod)
    return tuple(write for _, members in sorted(by_zone.items()) for write in _numbered(members))


def foreign_costs(pods: Iterable[Pod]) -> tuple[str, ...]:
    """Return the names of the pods that have a deletion cost which the operator has not written."""
    return tuple(pod.name for pod in pods if pod.deletion_cost is not None and pod.cost_before is None)


def _numbered(pods: list[Pod]) -> Iterator[CostWrite]:
    theirs = set(foreign_costs(pods))
    free = set(range(len(theirs) + 1, len(pods) + 1))
    left: list[Pod] = []
    for pod in sorted(pods, key=lambda pod: (pod.ready_since is None, pod.created_at, pod.name)):
        if pod.name in theirs:
            continue
        number = _number(pod)
        if number in free:
            free.remove(number)
        else:
            left.append(pod)
    for pod, number in zip(left, sorted(free), strict=True):
        cost = str(1 - number)
        if pod.deletion_cost != cost:
            yield CostWrite(pod.name, cost, pod.cost_before or "")


def _number(pod: Pod) -> int | None:
    """The number that the pod's cost stands for: without one it is the first."""
    if pod.deletion_cost is None:
        return 1
    try:
        return 1 - int(pod.deletion_cost)
    except ValueError:
        return None
