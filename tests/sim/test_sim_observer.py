"""The observer on a running world: what it sees of a native rolling update, and when it cannot see."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from saferollout.sim.apiserver.server import ApiServer
from saferollout.sim.contract import Contract, Promise, breaches
from saferollout.sim.elbv2.config import HealthCheck, TargetGroupConfig
from saferollout.sim.loopback import serving
from saferollout.sim.observer import Observer, elb_client
from saferollout.sim.resources import DEPLOYMENTS, SERVICES
from saferollout.sim.serve import elb_application
from saferollout.sim.store import Object
from saferollout.sim.target_group_bindings import TARGET_GROUP_BINDINGS
from saferollout.sim.world import World, WorldConfig

GROUP = TargetGroupConfig(
    name="web",
    kind="nlb",
    registration_seconds=60,
    deregistration_delay_seconds=60,
    health_check=HealthCheck(interval_seconds=10, healthy_threshold=3),
)
REPLICAS = 6


os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # boto3 signs with them


def deployment(image: str) -> Object:
    """Written into the store as it is, hence with the defaults an API server would add."""
    return {
        "metadata": {"namespace": "default", "name": "web"},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 8080}]}]},
            },
        },
    }


def install(world: World) -> None:
    world.store.create(DEPLOYMENTS, deployment("web:1"))
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    service = {"selector": {"app": "web"}, "ports": ports}
    world.store.create(SERVICES, {"metadata": {"namespace": "default", "name": "web"}, "spec": service})
    binding = {
        "targetGroupARN": GROUP.arn,
        "targetType": "ip",
        "serviceRef": {"name": "web", "port": "http"},
    }
    world.store.create(
        TARGET_GROUP_BINDINGS, {"metadata": {"namespace": "default", "name": "web"}, "spec": binding}
    )
    world.timeline.run_until(world.timeline.now + 30)


@asynccontextmanager
async def observed(name: str = "web") -> AsyncIterator[tuple[World, Observer, str]]:
    """A world that began half a minute ago and follows the clock from now on, and an observer at work."""
    world = World(WorldConfig(speed=40, target_groups=(GROUP,)), start=time.time() - 30)
    install(world)
    clock = asyncio.create_task(world.timeline.drive())
    async with (
        serving(ApiServer(world.store, world.timeline).application()) as kubernetes,
        serving(elb_application(world)) as elb,
        ApiClient(Configuration(host=kubernetes)) as api,
    ):
        observer = Observer(api, elb_client(elb, "us-east-1"), "default", name, [GROUP.arn])
        looking = asyncio.create_task(observer.run())
        try:
            yield world, observer, elb
        finally:
            for task in (looking, clock):
                task.cancel()
            await asyncio.gather(looking, clock, return_exceptions=True)


async def until(observer: Observer, seconds: float) -> None:
    """Let the observer look for a while, and see that it did."""
    before = len(observer.samples)
    await asyncio.sleep(seconds)
    assert len(observer.samples) > before
    assert observer.missed == []


async def test_it_sees_every_pod_serve_in_its_zone() -> None:
    async with observed() as (_, observer, _):
        await until(observer, 0.5)
    sample = observer.samples[-1]
    assert sample.settled(REPLICAS)
    assert sample.serving_by_zone == {"us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 2}


async def test_a_native_rolling_update_is_caught_breaking_capacity_zones_and_drain() -> None:
    async with observed() as (world, observer, _):
        await until(observer, 0.3)
        web = world.store.get(DEPLOYMENTS, "default", "web")
        changed = deployment("web:2")["spec"]["template"]
        world.store.update(DEPLOYMENTS, {**web, "spec": {**web["spec"], "template": changed}})
        await until(observer, 4)
    assert observer.samples[-1].settled(REPLICAS)
    broken = {breach.promise for breach in breaches(observer.samples, Contract(REPLICAS))}
    assert broken >= {Promise.CAPACITY, Promise.ZONES, Promise.DRAIN}


async def test_a_site_at_rest_breaks_nothing() -> None:
    async with observed() as (_, observer, _):
        await until(observer, 1)
    assert breaches(observer.samples, Contract(REPLICAS)) == []


async def test_a_target_group_that_does_not_answer_makes_it_blind() -> None:
    async with observed() as (_, observer, elb), aiohttp.ClientSession() as session:
        await until(observer, 0.3)
        await session.put(f"{elb}/sim/faults", json=[{"error": "Throttling"}])
        await until(observer, 0.3)
        assert observer.samples[-1].blind
        await session.delete(f"{elb}/sim/faults")
        await until(observer, 0.3)
        assert not observer.samples[-1].blind


async def test_looks_at_a_deployment_that_does_not_exist_are_missed() -> None:
    async with observed("other") as (_, observer, _):
        async with asyncio.timeout(20):
            while not observer.missed:  # noqa: ASYNC110 - the observer has nobody to tell
                await asyncio.sleep(0.05)
    assert observer.samples == []
    assert "404" in observer.missed[0][1]
