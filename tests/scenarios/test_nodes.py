"""Nodes that go in mid-rollout: drained under a budget, lost, replaced, interrupted."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Iterable

import pytest

from saferollout.sim.nodes import new_node
from scenarios.conftest import Opening
from scenarios.manifests import SPEED, App, Manifest, target_group, world
from scenarios.stage import Observation, Stage

pytestmark = pytest.mark.long

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
ZONE_B = ZONES[1]

NOTICE = 120 / SPEED
"""Seconds from the notice of an interruption to the end of the instance (EC2 gives two minutes)."""


def budget(app: App, **spec: object) -> Manifest:
    """A PodDisruptionBudget of the app's pods."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"namespace": "default", "name": app.name},
        "spec": {"selector": {"matchLabels": {"app": app.name}}, **spec},
    }


async def _pods(stage: Stage) -> list[Manifest]:
    """Return all pods, with those on their way out."""
    found: list[Manifest] = json.loads(await stage.kubectl("get", "pods", "-o", "json"))["items"]
    return found


async def pods_on(stage: Stage, nodes: Iterable[str]) -> frozenset[str]:
    """Return the names of the pods that are bound to these nodes."""
    return _on(await _pods(stage), nodes)


async def to_lose_on(stage: Stage, nodes: Iterable[str]) -> frozenset[str]:
    """Return the names of those that are not on their way out already."""
    return _on((each for each in await _pods(stage) if not _going(each)), nodes)


async def busiest(stage: Stage, zone: str, but: Collection[str] = ()) -> str:
    """Return the node of a zone that most pods would be lost with, but for some; those of web:2 first.

    Old pods of a silent node do not serve, and are the next to be retired: nobody else takes them.
    """
    staying = [each for each in await _pods(stage) if not _going(each)]
    on = Counter(str(each["spec"].get("nodeName")) for each in staying)
    new = Counter(str(each["spec"].get("nodeName")) for each in staying if _image(each) == "web:2")
    possible = [name for name in on if name.startswith(zone) and name not in but]
    return max(possible, key=lambda name: (new[name], on[name], name))


def _on(pods: Iterable[Manifest], nodes: Iterable[str]) -> frozenset[str]:
    wanted = set(nodes)
    return frozenset(each["metadata"]["name"] for each in pods if each["spec"].get("nodeName") in wanted)


def _going(pod: Manifest) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _image(pod: Manifest) -> str:
    return str(pod["spec"]["containers"][0]["image"])


async def join(stage: Stage, name: str, zone: str) -> None:
    """Have one more node."""
    node = {"apiVersion": "v1", "kind": "Node", **new_node(name, zone)}
    await stage.apply(node)
    await stage.patch("node", name, {"status": node["status"]}, "--subresource=status")


async def drain(stage: Stage, node: str) -> str:
    """Do ``kubectl drain`` as everybody does it, and return what it says."""
    how = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")
    return await stage.kubectl("drain", node, *how, check=False)


def excuse(seen: Observation, pods: Iterable[str]) -> None:
    """Have the observer hold the rollout responsible for all pods but these."""
    before = seen.contract.get("excused", frozenset())
    seen.contract = {**seen.contract, "excused": before | frozenset(pods)}


async def lost(stage: Stage, app: App) -> dict[str, int]:
    """Return how many pods the status says were lost, by who took them."""
    return {each["by"]: each["pods"] for each in (await stage.status(app)).get("lost") or ()}


async def told(stage: Stage, app: App) -> str:
    """Return what the Events about lost pods say."""
    return "\n".join(each.message for each in await stage.events(app) if each.reason == "PodsLost")


async def test_given_a_budget_when_a_node_is_drained_in_mid_rollout_then_no_promise_is_broken_and_both_end(
    opened: Opening,
) -> None:
    app = App(replicas=6, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        await stage.apply(budget(app, minAvailable=app.replicas))
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.step_is(app, 2)
            node = await busiest(stage, ZONE_B)
            evicted = await to_lose_on(stage, [node])
            excuse(seen, await pods_on(stage, [node]))
            said = await drain(stage, node)
            assert "Cannot evict pod as it would violate the pod's disruption budget" in said
            assert f"node/{node} drained" in said
            await stage.at_rest(app, "web:2", within=120)
        assert await pods_on(stage, [node]) == frozenset()
        assert await stage.failed_requests(app, seen.begun) == {}
        assert await lost(stage, app) == {"EvictionByEvictionAPI": len(evicted)}
        message = await told(stage, app)
        assert all(name in message for name in evicted)


@pytest.mark.parametrize(
    ("end", "by"), [("is deleted", "DeletionByPodGC"), ("falls silent", "DeletionByTaintManager")]
)
async def test_given_a_node_that_is_lost_in_mid_rollout_then_it_waits_goes_on_and_tells_when_the_node(
    opened: Opening, end: str, by: str
) -> None:
    app = App(replicas=6, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.step_is(app, 3)
            node = await busiest(stage, ZONE_B)
            there = await to_lose_on(stage, [node])
            excuse(seen, await pods_on(stage, [node]))
            if end == "is deleted":
                await stage.kubectl("delete", "node", node)
            else:
                await stage.control("DELETE", f"nodes/{node}")
            await stage.at_rest(app, "web:2", within=240)
        assert (await lost(stage, app)).get(by, 0) >= 1
        message = await told(stage, app)
        assert any(name in message for name in there), (there, message)


async def test_given_nodes_that_are_replaced_one_after_the_other_then_the_rollout_goes_on_meanwhile(
    opened: Opening,
) -> None:
    app = App(replicas=6, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        await stage.apply(budget(app, maxUnavailable=1))
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.step_is(app, 1)
            replaced = [await busiest(stage, zone) for zone in ZONES[:2]]
            for node in replaced:
                await join(stage, f"{node}-new", node[: len(ZONE_B)])
                await stage.kubectl("taint", "node", node, "karpenter.sh/disrupted:NoSchedule")
                excuse(seen, await pods_on(stage, [node]))
                await drain(stage, node)
                await stage.kubectl("delete", "node", node)
            await stage.at_rest(app, "web:2", within=180)
        assert await pods_on(stage, replaced) == frozenset()
        assert (await lost(stage, app)).keys() == {"EvictionByEvictionAPI"}
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_given_spot_nodes_with_a_fifth_of_the_pods_when_they_are_interrupted_then_it_waits_and_goes_on(
    opened: Opening,
) -> None:
    app = App(replicas=15, groups=("alb-web",), step=2)
    async with opened(world(target_group("alb-web"), nodes_per_zone=5)) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.step_is(app, 4)
            nodes: list[str] = []
            while len(await to_lose_on(stage, nodes)) < app.replicas / 5:
                nodes.append(await busiest(stage, ZONES[len(nodes) % len(ZONES)], but=nodes))
            interrupted = await to_lose_on(stage, nodes)
            excuse(seen, await pods_on(stage, nodes))
            notices = [asyncio.create_task(drain(stage, node)) for node in nodes]
            await asyncio.sleep(NOTICE)
            for node in nodes:
                await stage.control("DELETE", f"nodes/{node}")
            await stage.kubectl("delete", "node", *nodes)
            await asyncio.gather(*notices)
            await stage.at_rest(app, "web:2", within=240)
        fewest = min(len(each.serving) for each in seen.observer.samples)
        assert fewest < app.replicas, "capacity was lost"
        found = await lost(stage, app)
        assert sum(found.values()) >= len(interrupted)
        assert "EvictionByEvictionAPI" in found
