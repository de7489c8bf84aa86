"""Which old pods the next release takes, and how they are made to be the ones.

The Deployment controller decides which ReplicaSets shrink, the ReplicaSet controller which pods go. Both are
followed here: a plan that they would not carry out is no plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from saferollout.decide.decision import CostWrite
from saferollout.decide.memory import Because, Chosen
from saferollout.decide.ranking import rank_writes
from saferollout.decide.rollout import Rollout
from saferollout.decide.workload import Pod, ReplicaSet
from saferollout.decide.zones import by_zone

LOWEST_COST = str(-(2**31))
"""The deletion cost of a chosen pod: the lowest there is (``controller.kubernetes.io/pod-deletion-cost``)."""

_PHASES = {"Pending": 0, "Unknown": 1}


@dataclass(frozen=True, slots=True)
class Plan:
    """``victims``: the old pods that go. ``ranked``: those of them that need a cost to be the ones.

    ``because`` says of every victim, by name, why it was chosen.
    """

    victims: tuple[Pod, ...] = ()
    ranked: tuple[Pod, ...] = ()
    because: tuple[Because, ...] = ()

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """The victims as the status tells of them."""
        each = zip(self.victims, self.because, strict=True)
        return tuple(Chosen(pod.name, pod.zone, because) for pod, because in each)


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
    """Choose the old pods of the next release: what fails, what is yet to serve, then where most is to spare.

    Where all pods of a ReplicaSet go, or those that are not Ready, nothing is chosen: they are taken into
    account first. Ties are broken by the number of old pods in the zone, then by name, so the same snapshot
    always gives the same plan. It may break a floor where there is no other choice: the gates refuse it then.
    """
    going = [
        (rollout.pods_of([replica_set]), count)
        for replica_set, count in shrinkage(rollout.old_sets, rollout.going)
    ]
    spare = _Spare(rollout, floors)
    plans = {number: _forced(pods, count) for number, (pods, count) in enumerate(going)}
    for each in plans.values():
        spare.take(each.victims)
    for number, (pods, count) in enumerate(going):
        gone = {pod.name for pod in plans[number].victims}
        left = [pod for pod in pods if pod.name not in gone]
        picked = spare.pick(left, count - len(gone))
        plans[number] = _joined(plans[number], picked)
    return _joined(*plans.values())


def costs_to_write(plan: Plan, rollout: Rollout) -> tuple[CostWrite, ...]:
    """Return the writes that make the plan's pods the first to go, and rank all others."""
    chosen = {pod.name for pod in plan.ranked}
    writes = [
        CostWrite(
            pod.name, LOWEST_COST, pod.cost_before if pod.cost_before is not None else pod.deletion_cost or ""
        )
        for pod in plan.ranked
        if pod.deletion_cost != LOWEST_COST or pod.cost_before is None
    ]
    return (*writes, *ranks_to_write(pod for pod in rollout.live if pod.name not in chosen))


def ranks_to_write(pods: Iterable[Pod]) -> tuple[CostWrite, ...]:
    """Return the writes that rank these pods, each among those of its ReplicaSet, whatever they were before.

    What somebody else had put on a pod that had been chosen, and was spared, is put back.
    """
    by_set: dict[str, list[Pod]] = {}
    restored: list[CostWrite] = []
    for pod in pods:
        if pod.cost_before:
            restored.append(CostWrite(pod.name, pod.cost_before, None))
        else:
            by_set.setdefault(pod.owner, []).append(pod)
    return (*restored, *(write for _, each in sorted(by_set.items()) for write in rank_writes(each)))


def changes_the_order(writes: Iterable[CostWrite], pods: Iterable[Pod]) -> bool:
    """Whether one of these writes makes a pod a chosen one, or takes that back."""
    lowest = {pod.name for pod in pods if pod.deletion_cost == LOWEST_COST}
    return any(write.cost == LOWEST_COST or write.pod in lowest for write in writes)


def costs_to_give_back(pods: Iterable[Pod]) -> tuple[CostWrite, ...]:
    """Return the writes after which these pods have the costs that they had before the operator came."""
    return tuple(
        CostWrite(pod.name, pod.cost_before or None, None) for pod in pods if pod.cost_before is not None
    )


def _forced(pods: Sequence[Pod], count: int) -> Plan:
    """The pods that go before others whatever their costs: all of them, or those that are not Ready.

    Of more that are not Ready than go, it is the costs again that decide.
    """
    if count >= len(pods):
        return Plan(tuple(pods), (), (Because.ALL_GO,) * len(pods))
    unready = sorted((pod for pod in pods if pod.ready_since is None), key=_unready_order)
    first = tuple(unready[:count])
    return Plan(first, first if count < len(unready) else (), (Because.NOT_READY,) * len(first))


class _Lane(NamedTuple):
    """What makes pods alike: one is as good as the other to go."""

    serves: bool
    may_serve: bool
    zone: str | None


class _Spare:
    """What every zone has beyond its floor, while pods are being chosen."""

    def __init__(self, rollout: Rollout, floors: Mapping[str, int]) -> None:
        self._who = rollout.serving
        self._floors = floors
        self._serving = by_zone(rollout.serving.pods)
        self._old = Counter(pod.zone for pod in rollout.old_pods)
        policy = rollout.observation.policy
        self._by_zone = policy.zone_by_zone

    def take(self, pods: Iterable[Pod]) -> None:
        """Count these pods as gone."""
        for pod in pods:
            self._old[pod.zone] -= 1
            if self._who.serves(pod):
                self._serving[pod.zone or ""] -= 1

    def pick(self, pods: Iterable[Pod], count: int) -> Plan:
        """Choose so many of these pods. They are alike but for their zone, and for whether they serve.

        Among equals those go first whose Node goes too: they would have to be replaced once more.
        """
        lanes: dict[_Lane, list[Pod]] = {}
        by_name = sorted(pods, key=lambda pod: pod.name, reverse=True)
        for pod in sorted(by_name, key=lambda pod: pod.node_goes):  # the last of a lane is the first to go
            lanes.setdefault(self._lane(pod), []).append(pod)
        victims: list[Pod] = []
        because: list[Because] = []
        while len(victims) < count and lanes:
            lane = min(lanes, key=self._cost)
            pod = lanes[lane].pop()
            if not lanes[lane]:
                del lanes[lane]
            victims.append(pod)
            because.append(Because.MOST_TO_SPARE if lane.serves else Because.NOT_SERVING)
            self.take([pod])
        return Plan(tuple(victims), tuple(victims) if lanes else (), tuple(because))

    def _lane(self, pod: Pod) -> _Lane:
        return _Lane(self._who.serves(pod), self._who.may_serve(pod), pod.zone)

    def _cost(self, lane: _Lane) -> tuple[bool, bool, bool, str, int, int, str]:
        name = lane.zone or ""
        short = self._floors.get(name, 0) - self._serving[name]
        needed = lane.serves and short >= 0
        in_order = name if self._by_zone else ""
        return lane.serves, lane.may_serve, needed, in_order, short, -self._old[lane.zone], name


def _joined(*plans: Plan) -> Plan:
    return Plan(
        tuple(pod for each in plans for pod in each.victims),
        tuple(pod for each in plans for pod in each.ranked),
        tuple(because for each in plans for because in each.because),
    )


def _unready_order(pod: Pod) -> tuple[bool, int, str]:
    # kubernetes ActivePodsWithRanks: unscheduled, then Pending before Unknown before Running.
    return pod.node is not None, _PHASES.get(pod.phase, 2), pod.name
