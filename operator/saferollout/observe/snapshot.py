"""One immutable snapshot out of what the caches and ELBv2 have said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide.answers import TargetGroup, TargetState
from saferollout.decide.observation import Observation, Problem
from saferollout.decide.workload import Deployment, Pod
from saferollout.observe.cluster import Cluster

CACHE_GRACE_SECONDS = 5.0
"""An interrupted watch that is back sooner than this is everyday life, and not worth a hold."""


def snapshot(cluster: Cluster, namespace: str, deployment: str, begun: Observation) -> Observation:
    """Complete an observation with what the cluster shows.

    Args:
        cluster: The caches.
        namespace: Of the SafeRollout and the Deployment it wraps.
        deployment: The name of that Deployment.
        begun: What is known without the cluster: the time, what the SafeRollout asks for and remembers, its
            target groups, and problems found on the way.

    Returns:
        The same with the Deployment, its ReplicaSets and pods, and, where they apply, the problems
        ``CACHE_STALE`` and ``DEPLOYMENT_NOT_FOUND``.
    """
    found = cluster.deployment(namespace, deployment)
    replica_sets = cluster.replica_sets(found) if found else ()
    complete = replace(
        begun,
        deployment=found,
        replica_sets=replica_sets,
        pods=tuple(_placed(cluster.pods(replica_sets), begun.target_groups)),
        vanished=cluster.vanished(replica_sets),
    )
    problems = _problems(cluster, begun.now, f"{namespace}/{deployment}", found)
    return replace(complete, foreign=_foreign(cluster, complete), problems=(*begun.problems, *problems))


def _placed(pods: Iterable[Pod], groups: Iterable[TargetGroup]) -> Iterator[Pod]:
    """Yield the pods; those whose zone neither they nor their Nodes tell are where ELBv2 takes them to be."""
    zones = {
        target.id: target.zone
        for group in groups
        if not group.by_instance
        for target in group.targets or ()
        if target.zone is not None
    }
    for pod in pods:
        yield pod if pod.zone is not None or pod.ip is None else replace(pod, zone=zones.get(pod.ip))


def _problems(cluster: Cluster, now: float, name: str, found: Deployment | None) -> Iterator[Problem]:
    gap = cluster.gap
    if gap is not None and (not gap.listed or now - gap.since > CACHE_GRACE_SECONDS):
        because = f" ({gap.trouble})" if gap.trouble else ""
        yield Problem(
            Reason.CACHE_STALE,
            f"{gap.path} could not be followed for {max(0.0, now - gap.since):.0f} s{because}; nothing is"
            " done until it can. What to do: check the API server, and the operator's RBAC.",
        )
    elif found is None:
        yield Problem(
            Reason.DEPLOYMENT_NOT_FOUND,
            f"there is no Deployment {name}. What to do: create it, or correct spec.deploymentRef.name.",
        )


def _foreign(cluster: Cluster, seen: Observation) -> frozenset[str]:
    """Addresses of draining targets that a live pod has which is none of the Deployment's."""
    own = {pod.uid for pod in seen.pods}
    draining = {entry.id for entry in seen.memory.draining} | {
        target.id
        for group in seen.target_groups
        for target in group.targets or ()
        if target.state is TargetState.DRAINING
    }
    holders = ((address, cluster.pod_at(address)) for address in draining)
    return frozenset(address for address, pod in holders if pod is not None and pod.uid not in own)
