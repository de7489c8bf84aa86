"""The caches on the embedded cluster: its API server and its controllers, by the wall clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from kube_endpoint import client, until
from saferollout.decide.observation import Observation
from saferollout.decide.policy import Policy
from saferollout.observe.cluster import Cluster
from saferollout.observe.snapshot import snapshot
from saferollout.sim.apiserver.defaults import with_defaults
from saferollout.sim.apiserver.server import ApiServer
from saferollout.sim.loopback import serving
from saferollout.sim.resources import DEPLOYMENTS, PODS
from saferollout.sim.store import Object
from saferollout.sim.world import World, WorldConfig

DEPLOYMENT: Object = {
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}]},
        },
    },
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World(WorldConfig(speed=50), start=time.time())
    world.store.create(DEPLOYMENTS, with_defaults(DEPLOYMENTS, DEPLOYMENT))
    driving = asyncio.create_task(world.timeline.drive())
    yield world
    driving.cancel()
    await asyncio.wait([driving])


@pytest.fixture
async def cluster(world: World) -> AsyncIterator[Cluster]:
    app = ApiServer(world.store, world.timeline).application()
    async with serving(app) as host, client(host) as api:
        cluster = Cluster(api)
        following = asyncio.create_task(cluster.run())
        await asyncio.wait_for(cluster.synced(), 15)
        yield cluster
        following.cancel()
        await asyncio.wait([following])


def looking(cluster: Cluster) -> Observation:
    return snapshot(cluster, "shop", "web", Observation(now=time.time(), name="web", policy=Policy()))


def is_complete(seen: Observation) -> bool:
    """Every pod is of the Deployment's own template, and ready."""
    wanted = {
        each.uid
        for each in seen.replica_sets
        if seen.deployment and each.template == seen.deployment.template
    }
    ready = [pod for pod in seen.pods if pod.ready_since is not None and pod.owner in wanted]
    return len(ready) == len(seen.pods) == 3


async def test_a_running_deployment_is_seen_with_its_pods_in_their_zones(cluster: Cluster) -> None:
    await until(lambda: is_complete(looking(cluster)))
    seen = looking(cluster)
    assert seen.problems == ()
    assert {pod.zone for pod in seen.pods} == {"us-east-1a", "us-east-1b", "us-east-1c"}
    assert {port.number for pod in seen.pods for port in pod.ports} == {80}
    assert all((pod.instance or "").startswith("i-") for pod in seen.pods)
    found = [cluster.pod_at(pod.ip or "") for pod in seen.pods]
    assert [each.name for each in found if each is not None] == [pod.name for pod in seen.pods]


async def test_a_rollout_is_followed_by_waking_alone(world: World, cluster: Cluster) -> None:
    def change(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"

    await until(lambda: is_complete(looking(cluster)))
    before = {pod.name for pod in looking(cluster).pods}
    with cluster.waking("shop", "web") as wake:
        world.store.patch(DEPLOYMENTS, "shop", "web", change)
        async with asyncio.timeout(20):
            while not is_complete(looking(cluster)) or before & {pod.name for pod in looking(cluster).pods}:
                await wake.wait()
                wake.clear()
    assert {pod.name for pod in looking(cluster).pods} == {
        pod["metadata"]["name"] for pod in world.store.list(PODS)
    }
