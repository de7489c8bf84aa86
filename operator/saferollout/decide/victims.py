"""Which old pods the next release takes, and how they are made to be the ones.

The Deployment controller decides which ReplicaSets shrink, the ReplicaSet controller which pods go. Both are
followed here: a plan that they would not carry out is no plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from saferollout.decide.decision import CostWrite
from saferollout.decide.observation import Pod, ReplicaSet
from saferollout.decide.rollout import Rollout
from saferollout.decide.zones import serving_by_zone

LOWEST_COST = str(-(2**31))
"""The deletion cost of a chosen pod: the lowest there is (``controller.kubernetes.io/pod-deletion-cost``)."""

_PHASES = {"Pending": 0, "Unknown": 1}


@dataclass(frozen=True, slots=True)
class Plan:
    """``victims``: the old pods that go. ``ranked``: those of them that need a cost to be the ones."""

    victims: tuple[Pod, ...]
    ranked: tuple[Pod, ...]


def shrinkage(old_sets: Iterable[ReplicaSet], count: int) -> Iterator[tuple[ReplicaSet, int]]:
    """Yield by how many pods each old ReplicaSet shrinks when ``count`` pods are to go.

    Unavailable ones of any ReplicaSet first, then from the oldest ReplicaSet on (kubernetes
    ``cleanupUnhealthyReplicas``, ``scaleDownOldReplicaSetsForRollingUpdate``).
    """
    sets = tuple(old_sets)
    taken: Counter[str] = Counter()
    for available_only in (False, True):
        for each in sets:
            within = each.replicas - taken[each.name] if available_only else each.replicas - each.available
            taken[each.name] += max(0, min(within, count - taken.total()))
    return ((each, taken[each.name]) for each in sets if taken[each.name])


def plan(rollout: Rollout, floors: Mapping[str, int]) -> Plan:
    """Choose the old pods of the next release: what does not serve, then from the zone with most to spare.

    Ties are broken by the number of old pods in the zone, then by name, so the same snapshot always gives the
    same plan. The plan may break a floor where there is no other choice: the gates refuse it then.
    """
    serving = serving_by_zone(rollout.serving.pods)
    old = Counter(pod.zone for pod in rollout.old_pods)
    victims: list[Pod] = []
    ranked: list[Pod] = []
    for replica_set, count in shrinkage(rollout.old_sets, rollout.going):
        pods = rollout.pods_of([replica_set])
        forced = sorted((pod for pod in pods if pod.ready_since is None), key=_forced_order)[:count]
        free = [pod for pod in pods if pod.ready_since is not None]
        chosen: list[Pod] = []
        for _ in range(min(count - len(forced), len(free))):
            pick = min(
                free,
                key=lambda pod: (
                    pod.name not in rollout.serving.why_not,
                    floors.get(pod.zone or "", 0) - serving[pod.zone or ""],
                    -old[pod.zone],
                    pod.zone or "",
                    pod.name,
                ),
            )
            free.remove(pick)
            chosen.append(pick)
            old[pick.zone] -= 1
            if pick.name not in rollout.serving.why_not:
                serving[pick.zone or ""] -= 1
        victims += [*forced, *chosen]
        if free:
            ranked += chosen
    return Plan(tuple(victims), tuple(ranked))


def costs_to_write(plan: Plan, pods: Iterable[Pod]) -> tuple[CostWrite, ...]:
    """Return the writes that make the plan's pods the first to go, and give back what others had."""
    chosen = {pod.name for pod in plan.ranked}
    writes = [
        CostWrite(
            pod.name, LOWEST_COST, pod.cost_before if pod.cost_before is not None else pod.deletion_cost or ""
        )
        for pod in plan.ranked
        if pod.deletion_cost != LOWEST_COST or pod.cost_before is None
    ]
    return (*writes, *costs_to_give_back(pod for pod in pods if pod.name not in chosen))


def costs_to_give_back(pods: Iterable[Pod]) -> tuple[CostWrite, ...]:
    """Return the writes after which these pods have the costs that they had before the operator came."""
    return tuple(
        CostWrite(pod.name, pod.cost_before or None, None) for pod in pods if pod.cost_before is not None
    )


def _forced_order(pod: Pod) -> tuple[bool, int, str]:
    # kubernetes ActivePodsWithRanks: unscheduled, then Pending before Unknown before Running.
    return pod.node is not None, _PHASES.get(pod.phase, 2), pod.name
