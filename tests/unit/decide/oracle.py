"""A second opinion on releases, written from the contract and from Kubernetes, not from ``decide``.

It shares nothing with what it judges but the records, and goes pod by pod where that goes by numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from saferollout.api.quantities import rounded_up
from saferollout.decide.answers import TargetState
from saferollout.decide.observation import Observation
from saferollout.decide.workload import Pod, ReplicaSet

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def live(seen: Observation) -> list[Pod]:
    """Pods that count for Kubernetes (``IsPodActive``)."""
    return [pod for pod in seen.pods if not pod.terminating and pod.phase not in {"Succeeded", "Failed"}]


def serves(pod: Pod, seen: Observation) -> bool:
    """Whether the pod is Ready and every target of it is healthy, in every group, since it became Ready."""
    if pod.ready_since is None:
        return False
    for group in seen.target_groups:
        if group.targets is None or group.asked_at < pod.ready_since:
            return False
        own = [
            each
            for each in group.targets
            if each.id == pod.ip and (not pod.ports or each.port in {port.number for port in pod.ports})
        ]
        if not own or any(each.state is not TargetState.HEALTHY for each in own):
            return False
    return bool(seen.target_groups)


def may_serve(pod: Pod, seen: Observation) -> bool:
    """Whether the pod serves, or nothing was wrong with it but that it had just come."""
    if serves(pod, seen):
        return True
    if pod.ready_since is None or not seen.target_groups:
        return False
    for group in seen.target_groups:
        if group.targets is None:
            return False
        if group.asked_at < pod.ready_since:
            continue
        ports = {port.number for port in pod.ports}
        states = {
            each.state for each in group.targets if each.id == pod.ip and (not ports or each.port in ports)
        }
        if not states and group.asked_at - pod.ready_since >= 60:
            return False
        if states - {TargetState.HEALTHY, TargetState.INITIAL}:
            return False
    return True


def old_sets(seen: Observation) -> list[ReplicaSet]:
    """ReplicaSets that are not the newest, oldest first."""
    assert seen.deployment is not None
    ages = sorted(seen.replica_sets, key=lambda each: (each.created_at, each.name))
    same = [each for each in ages if each.template == seen.deployment.template]
    return [each for each in ages if each not in same[:1]]


def new_pods(seen: Observation) -> list[Pod]:
    """Live pods of the newest ReplicaSet."""
    olds = {each.uid for each in old_sets(seen)}
    return [pod for pod in live(seen) if pod.owner not in olds]


def breaches_of_release(seen: Observation, chosen: Sequence[str], floors: Mapping[str, int]) -> Iterator[str]:
    """Yield what stands against a release that takes the pods ``chosen``. An empty answer is a clean bill."""
    found = seen.deployment
    assert found is not None
    if seen.problems or seen.deleting or seen.policy.paused:
        yield "it is not to be followed at all"
    if found.observed_generation < found.generation:
        yield "the Deployment controller is behind"
    for group in seen.target_groups:
        if group.targets is None or seen.now - group.asked_at > seen.tuning.stale_after:
            yield f"nothing is known of {group.name}"
    if not seen.target_groups:
        yield "there is no target group"
    yield from _unsettled(seen)
    for pod in new_pods(seen):
        if not serves(pod, seen):
            yield f"the new pod {pod.name} does not serve"
    yield from _still_draining(seen)
    going = [pod for pod in live(seen) if pod.name in set(chosen) and pod not in new_pods(seen)]
    yield from _what_is_left(seen, going, floors)
    yield from _not_the_ones(seen, going)


def _unsettled(seen: Observation) -> Iterator[str]:
    olds = old_sets(seen)
    news = [each for each in seen.replica_sets if each not in olds]
    fresh = new_pods(seen)
    for sets, there in ((olds, len(live(seen)) - len(fresh)), (news, len(fresh))):
        wanted = sum(each.replicas for each in sets)
        if wanted != there:
            yield f"{there} pods exist where {wanted} are wanted"


def _still_draining(seen: Observation) -> Iterator[str]:
    holders = {pod.ip: pod for pod in live(seen)}
    recorded = {(each.target_group, each.id, each.port): each.pod for each in seen.memory.draining}
    leaving = {pod.ip: pod for pod in seen.pods if pod.terminating}
    for group in seen.target_groups:
        for target in group.targets or ():
            if target.state is TargetState.UNUSED or target.id in seen.foreign:
                continue
            holder = holders.get(target.id)
            key = (group.arn, target.id, target.port)
            if holder is not None:
                if key in recorded and recorded[key] == holder.name and target.state is TargetState.DRAINING:
                    continue  # chosen once, but alive: it is no retired pod
                continue
            pod = leaving.get(target.id)
            its_own = pod is not None and (
                not pod.ports or target.port in {port.number for port in pod.ports}
            )
            if target.state is TargetState.DRAINING and pod is None:
                yield f"{target.id} drains, and nobody has that address"
            elif its_own or key in recorded:
                yield f"{target.id} is {target.state} and its pod has been retired"


def _what_is_left(seen: Observation, going: Iterable[Pod], floors: Mapping[str, int]) -> Iterator[str]:
    assert seen.deployment is not None
    serving = [pod for pod in live(seen) if serves(pod, seen)]
    lost = [pod for pod in going if may_serve(pod, seen)]
    left = [pod for pod in serving if pod not in lost]
    if lost and len(left) < seen.deployment.replicas:
        yield f"{len(left)} of {seen.deployment.replicas} would be left serving"
    for pod in lost:
        stay = sum(each.zone == pod.zone for each in left)
        if pod.zone is not None and stay < floors.get(pod.zone, 0):
            yield f"{stay} would be left in {pod.zone} of at least {floors[pod.zone]}"
    floored = rounded_up(seen.policy.min_healthy, 100) > 0
    if floored and any(pod.zone is None for pod in serving):
        yield "a pod serves in a zone that nobody knows"


def _not_the_ones(seen: Observation, going: Sequence[Pod]) -> Iterator[str]:
    """Compare with what Kubernetes takes (``cleanupUnhealthyReplicas``, ``ActivePodsWithRanks``)."""
    for each, count in _shrinking(seen):
        members = [pod for pod in live(seen) if pod.owner == each.uid]
        mine = [pod for pod in members if pod in going]
        if len(mine) != min(count, len(members)):
            yield f"{each.name} loses {count} pods, {len(mine)} are planned"
        for kept in members:
            if kept in mine:
                continue
            for gone in mine:
                tie = _rank(kept) == _rank(gone) and (serves(kept, seen) or serves(gone, seen))
                if _rank(kept) < _rank(gone) or tie:
                    yield f"{kept.name} may go instead of {gone.name}"


def _shrinking(seen: Observation) -> Iterator[tuple[ReplicaSet, int]]:
    assert seen.deployment is not None
    left = max(0, sum(each.replicas for each in seen.replica_sets) - seen.deployment.replicas)
    taken: dict[str, int] = {}
    for each in old_sets(seen):
        taken[each.uid] = min(left, max(0, each.replicas - each.available))
        left -= taken[each.uid]
    for each in old_sets(seen):
        more = min(left, each.replicas - taken[each.uid])
        left -= more
        yield each, taken[each.uid] + more


def _rank(pod: Pod) -> tuple[bool, int, bool, int]:
    cost = pod.deletion_cost or "0"
    number = int(cost) if cost.lstrip("-").isdigit() else 0
    return pod.node is not None, _PHASES.get(pod.phase, 2), pod.ready_since is not None, number
