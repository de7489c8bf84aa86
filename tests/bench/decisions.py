"""What one decision costs, alone and with the snapshot that it is made from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from kubernetes.aio.client import ApiClient

from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from saferollout.observe.cluster import Cluster
from saferollout.observe.snapshot import snapshot
from unit.decide.given import releasable, with_states

SIZES = (10, 100, 1000)
"""Pods of the Deployment."""

_SECONDS = 0.4
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of processor time: of a decision to wait and to release, and of a snapshot beside them."""

    pods: int
    waiting: float
    releasing: float
    releasing_tenth: float
    observing: float


async def measured() -> list[Cost]:
    """Measure a Deployment of each size, half-way through its rollout."""
    return [await _cost(size) for size in SIZES]


async def _cost(size: int) -> Cost:
    ready = releasable(size - 1, new=size // 2)
    waiting = with_states(ready, v2_1="initial")
    tenth = max(1, size // 10)
    large = releasable(size - tenth, new=size // 2, old=size - size // 2, policy=Policy(max_surge="10%"))
    assert decide(waiting).change is None
    assert decide(ready).change is not None
    assert decide(large).change is not None
    async with ApiClient() as api:
        cluster = _filled(api, ready)
        begun = replace(ready, deployment=None, replica_sets=(), pods=())
        assert len(snapshot(cluster, "shop", "web", begun).pods) == size
        return Cost(
            size,
            waiting=_milliseconds(lambda: decide(waiting)),
            releasing=_milliseconds(lambda: decide(ready)),
            releasing_tenth=_milliseconds(lambda: decide(large)),
            observing=_milliseconds(lambda: snapshot(cluster, "shop", "web", begun)),
        )


def _filled(api: ApiClient, seen: Observation) -> Cluster:
    """The caches as they are when they have followed the cluster."""
    cluster = Cluster(api)
    cluster._deployments[0]._swap({"web": seen.deployment} if seen.deployment else {})
    cluster._replica_sets[0]._swap({each.uid: each for each in seen.replica_sets})
    cluster._pods[0]._swap({each.uid: each for each in seen.pods})
    return cluster


def _milliseconds(work: Callable[[], object]) -> float:
    """Return the best of a few rounds: what else runs here only makes it longer."""
    best = float("inf")
    for _ in range(_ROUNDS):
        count, began = 0, time.process_time()
        while (spent := time.process_time() - began) < _SECONDS / _ROUNDS:
            work()
            count += 1
        best = min(best, spent / count)
    return best * 1000
