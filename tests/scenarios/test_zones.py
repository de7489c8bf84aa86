"""Zones: none is emptied, in a rollout, by an autoscaler, or when one of them fails."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from itertools import pairwise

from saferollout.api.names import COST_BEFORE_ANNOTATION, DELETION_COST_ANNOTATION
from saferollout.sim.samples import Sample
from scenarios.conftest import Opening
from scenarios.manifests import SPEED, App, target_group, world
from scenarios.stage import POLL, Observation, Stage

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


async def placed(stage: Stage, app: App) -> Counter[str]:
    """Count the pods that are here to stay, by zone."""
    nodes = json.loads(await stage.kubectl("get", "nodes", "-o", "json"))["items"]
    label = "topology.kubernetes.io/zone"
    zone = {each["metadata"]["name"]: each["metadata"]["labels"][label] for each in nodes}
    pods = json.loads(await stage.kubectl("get", "pods", "-l", f"app={app.name}", "-o", "json"))["items"]
    staying = [each for each in pods if "deletionTimestamp" not in each["metadata"]]
    return Counter(zone[each["spec"]["nodeName"]] for each in staying if "nodeName" in each["spec"])


async def test_given_thirty_pods_in_unequal_zones_when_scaled_down_then_zones_stay_even_at_every_size(
    opened: Opening,
) -> None:
    app = App(replicas=24, groups=("alb-web",), spread=False, pre_stop=1, startup="1s", min_healthy=0)
    async with opened(world(target_group("alb-web"), nodes_per_zone=1)) as stage:
        await stage.kubectl("cordon", "us-east-1c-1")
        await stage.run(app)
        await stage.kubectl("uncordon", "us-east-1c-1")

        async def has(size: int) -> bool:
            return (await placed(stage, app)).total() == size

        await stage.kubectl("scale", "deployment", app.name, "--replicas=30")
        await stage.until(lambda: has(30), "30 pods are there", within=30)

        async def ranked() -> bool:
            pods = json.loads(await stage.kubectl("get", "pods", "-o", "json"))["items"]
            told = sum(DELETION_COST_ANNOTATION in each["metadata"].get("annotations", {}) for each in pods)
            return told == len(pods) - len(ZONES)

        await stage.until(ranked, "all but the first of every zone are ranked", within=20)
        await stage.kill_operator()  # the order stands without it
        sizes = [await placed(stage, app)]
        assert max(sizes[0].values()) - min(sizes[0].values()) >= 2, "the zones are unequal"
        for size in range(29, 0, -1):
            await stage.kubectl("scale", "deployment", app.name, f"--replicas={size}")
            await stage.until(lambda size=size: has(size), f"{size} pods are there", within=20)  # type: ignore[misc] # mypy does not infer lambdas with defaults
            sizes.append(await placed(stage, app))
        for before, after in pairwise(sizes):
            (smaller,) = (before - after).keys()
            assert before[smaller] == max(before.values())
        assert all(len(size) == len(ZONES) for size in sizes if size.total() >= len(ZONES))

        await stage.start_operator()
        await stage.kubectl("delete", "saferollout", app.name, "--timeout=30s")
        pods = json.loads(await stage.kubectl("get", "pods", "-o", "json"))["items"]
        left = {COST_BEFORE_ANNOTATION, DELETION_COST_ANNOTATION}
        assert [each for each in pods if left & each["metadata"].get("annotations", {}).keys()] == []


async def test_given_a_rollout_when_an_autoscaler_moves_it_then_no_zone_is_without_a_pod_and_it_completes(
    opened: Opening,
) -> None:
    app = App(replicas=9, groups=("alb-web",), step=3)
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            seen.expects_breaches = True  # what an autoscaler takes is not taken by steps
            await stage.set_image(app, "web:2")
            for updated, replicas in ((3, 12), (6, 6), (6, 9)):
                await stage.step_is(app, min(updated, replicas))
                await stage.kubectl("scale", "deployment", app.name, f"--replicas={replicas}")
                await asyncio.sleep(1.0)
            await stage.at_rest(app, "web:2", within=120)
        empty = [each for each in seen.observer.samples if len({pod.zone for pod in each.live.values()}) < 3]
        assert empty == []
        assert await stage.failed_requests(app, seen.begun) == {}
        assert set((await placed(stage, app)).values()) == {3}


async def test_given_a_floor_that_cannot_be_kept_when_the_user_said_proceed_then_it_is_broken_with_a_warning(
    opened: Opening,
) -> None:
    app = App(replicas=3, spread=False, groups=("alb-web",))
    proceed = {"minHealthy": 1, "whenUnsatisfiable": "Proceed", "timeout": "3s"}
    async with opened(world(target_group("alb-web"), nodes_per_zone=1)) as stage:
        await stage.run(app, zones=proceed)
        await stage.kubectl("cordon", "us-east-1a-1")
        async with stage.observed(app, min_healthy=0) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "ZoneFloor", within=60)
            assert "the scheduler put the new pods elsewhere (" in (await stage.status(app))["message"]
            await stage.at_rest(app, "web:2", within=90)
        assert await stage.failed_requests(app, seen.begun) == {}
        assert "ZoneFloorBroken" in await stage.told(app)


async def test_given_zone_by_zone_and_growing_steps_then_one_zone_after_the_other_loses_its_old_pods(
    opened: Opening,
) -> None:
    app = App(replicas=6, groups=("alb-web",), min_healthy=0, step=3)
    async with opened(world(target_group("alb-web"))) as stage:
        order = {"minHealthy": 0, "order": "ZoneByZone", "bake": "15s"}
        await stage.run(app, zones=order, step={"maxSurge": 3, "growth": 2})
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "Baking", within=60)
            baked = await stage.status(app)
            assert "us-east-1b is next, 15s after the zone before it" in baked["message"]
            await stage.at_rest(app, "web:2", within=120)
        assert await stage.failed_requests(app, seen.begun) == {}
        old = [zones_of_old(sample) for sample in seen.observer.samples if zones_of_old(sample)]
        gone = list(dict.fromkeys(zone for each in old for zone in sorted(set(ZONES) - each)))
        assert gone == list(ZONES[: len(gone)])
        assert [each["steps"] for each in (await stage.status(app))["history"]] == [3]


def zones_of_old(sample: Sample) -> set[str]:
    """The zones that have a pod of another revision than the target."""
    old = (pod.zone for pod in sample.live.values() if pod.revision != sample.target)
    return {zone for zone in old if zone is not None}


NOTICED = 2 * 10 / SPEED + 3 * POLL + 1.0
"""Seconds until pods that fall silent keep anything from going: two checks of the load balancer, the age to
which an answer counts, and a step that was released on it."""


async def fail(stage: Stage, seen: Observation, zone: str, seconds: float) -> set[str]:
    """Let a zone's pods fall silent, and whoever comes there, for so long; return their names."""
    silent: set[str] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        there = {name for name, pod in seen.observer.samples[-1].live.items() if pod.zone == zone}
        for name in there - silent:
            await stage.control("POST", f"pods/default/{name}/silence")
        silent |= there
        await asyncio.sleep(0.05)
    return silent


async def test_given_a_zone_that_fails_then_nothing_that_serves_elsewhere_goes_until_it_is_back(
    opened: Opening,
) -> None:
    app = App(replicas=6, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            seen.expects_breaches = True  # capacity is lost, and not by the rollout
            await stage.set_image(app, "web:2")
            await stage.step_is(app, 2)
            failed = await fail(stage, seen, ZONES[1], NOTICED)
            at = len(seen.observer.samples)
            failed |= await fail(stage, seen, ZONES[1], 12.0)
            during = seen.observer.samples[at:]
            others = {ZONES[0], ZONES[2]}  # a pod that has no node yet is in none
            elsewhere = [{pod.name for pod in each.live.values() if pod.zone in others} for each in during]
            assert all(before <= after for before, after in pairwise(elsewhere))
            assert (await stage.status(app))["reason"] in {"CapacityLow", "WaitingForHealth"}
            for name in failed & seen.observer.samples[-1].live.keys():
                await stage.control("POST", f"pods/default/{name}/revive")
            await stage.at_rest(app, "web:2", within=120)
        assert set((await placed(stage, app)).values()) == {2}
