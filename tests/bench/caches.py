"""What a cached pod weighs, and what a pod event costs, in this process and in a real operator."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import orjson
from kubernetes.aio.client import ApiClient

from bench.pods import pod
from bench.process import operator
from saferollout.api.crd import custom_resource_definition
from saferollout.observe import records
from saferollout.observe.cluster import Cluster
from saferollout.sim.resources import PODS
from saferollout.sim.store import Object, Store
from served_cluster import served_cluster

COUNT = 2000
"""Pods in the cluster, ten to a ReplicaSet."""

ROUNDS = 5
"""How often every pod changes."""

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True)
class Weight:
    """Of a cached pod in bytes, of its JSON in bytes, and of parsing it in microseconds."""

    cached: float
    written: float
    parsing: float


@dataclass(frozen=True, slots=True)
class Load:
    """An operator without pods and with ``COUNT``: bytes resident; processor seconds for one pod event."""

    empty: int
    full: int
    cpu_per_event: float


async def weighed() -> Weight:
    """Weigh pods in the caches of this process."""
    lines = [orjson.dumps(_created(number)) for number in range(COUNT)]
    async with ApiClient() as api:
        cluster = Cluster(api)
        gc.collect()
        tracemalloc.start()
        found = {each.uid: each for line in lines if (each := records.pod(orjson.loads(line))) is not None}
        cluster._pods[0]._swap(found)
        gc.collect()
        cached = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    raw = [orjson.loads(line) for line in lines]
    began = time.process_time()
    for each in raw:
        records.pod(each)
    parsing = (time.process_time() - began) / COUNT * 1e6
    return Weight(cached / COUNT, sum(map(len, lines)) / COUNT, parsing)


async def loaded(directory: Path) -> Load:
    """Run an operator on an empty cluster, and another on one with pods, all of which then change."""
    async with served_cluster(directory) as cluster:
        await cluster.ask("POST", _CRDS, custom_resource_definition())
        async with operator(cluster.kubeconfig, cluster.url) as found:
            await found.idle()
            empty = found.resident
        for number in range(COUNT):
            cluster.store.create(PODS, pod(number, _owner(number)))
        async with operator(cluster.kubeconfig, cluster.url) as found:
            await found.idle()
            full, cpu = found.resident, found.cpu
            for turn in range(ROUNDS):
                await _change_all(cluster.store, turn + 1)
            await found.idle()
            return Load(empty, full, (found.cpu - cpu) / (ROUNDS * COUNT))


async def _change_all(store: Store, restarts: int) -> None:
    def restart(each: Object) -> None:
        each["status"]["containerStatuses"][0]["restartCount"] = restarts

    for number in range(COUNT):
        store.patch(PODS, "default", f"web-6f57ccbc58-{number:05d}", restart)
        if number % 50 == 0:
            await asyncio.sleep(0)


def _owner(number: int) -> str:
    return f"00000000-0000-4000-8000-{number // 10:012d}"


def _created(number: int) -> Object:
    """A pod as the API server writes it."""
    raw = pod(number, _owner(number))
    raw["metadata"] |= {
        "uid": f"00000000-0000-4000-9000-{number:012d}",
        "resourceVersion": str(number),
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return raw
