"""PodDisruptionBudgets and evictions, which both clusters answer alike: no operator is in it."""

from __future__ import annotations

import json

import pytest

from scenarios.manifests import App, Manifest, world
from scenarios.stage import Stage
from scenarios.told import deployed

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]

SITE = world()

BUDGETS: list[tuple[Manifest, tuple[int, int, int, int]]] = [
    ({"minAvailable": 3}, (3, 3, 3, 0)),
    ({"minAvailable": 2}, (3, 3, 2, 1)),
    ({"minAvailable": "50%"}, (3, 3, 2, 1)),
    ({"minAvailable": 9}, (3, 3, 9, 0)),
    ({"maxUnavailable": 1}, (3, 3, 2, 1)),
    ({"maxUnavailable": "0%"}, (3, 3, 3, 0)),
    ({"maxUnavailable": "34%"}, (3, 3, 1, 2)),
    ({"maxUnavailable": 5}, (3, 3, 0, 3)),
]
"""What a budget asks of three pods, and the numbers in its status."""

NUMBERS = ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")


async def budgeted(stage: Stage, app: App, spec: Manifest, name: str = "") -> Manifest:
    """Apply a budget for the app, and return its status when that is about it."""
    selector = {"selector": {"matchLabels": {"app": app.name}}}
    manifest = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"namespace": "default", "name": name or app.name},
        "spec": selector | spec,
    }
    await stage.kubectl("delete", "pdb", name or app.name, "--ignore-not-found")
    await stage.apply(manifest)
    found: Manifest = {}

    async def seen() -> bool:
        nonlocal found
        found = await stage.get("pdb", name or app.name)
        return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])

    await stage.until(seen, "the budget has been seen", within=10)
    return dict(found["status"])


async def evict(stage: Stage, pod: str) -> str:
    """Ask for the eviction of a pod, and return the answer as kubectl prints it."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/default/pods/{pod}/eviction"
    return await stage.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(eviction), check=False)


async def pods_of(stage: Stage, app: App) -> list[Manifest]:
    """Return the app's pods."""
    found = json.loads(await stage.kubectl("get", "pods", "-l", f"app={app.name}", "-o", "json"))
    return [dict(each) for each in found["items"]]


async def test_given_three_pods_then_the_status_of_every_budget_has_its_numbers(stage: Stage) -> None:
    app = App(name="numbers", replicas=3, startup="1s")
    await deployed(stage, app)
    for spec, numbers in BUDGETS:
        status = await budgeted(stage, app, spec)
        assert tuple(status[each] for each in NUMBERS) == numbers, spec
        (verdict,) = status["conditions"]
        allowed = ("True", "SufficientPods") if numbers[-1] else ("False", "InsufficientPods")
        assert (verdict["type"], verdict["status"], verdict["reason"]) == ("DisruptionAllowed", *allowed)


async def test_given_a_budget_when_pods_are_evicted_then_one_goes_and_the_next_is_refused_with_the_reason(
    stage: Stage,
) -> None:
    app = App(name="evicted", replicas=3, startup="60s")
    await deployed(stage, app)
    await budgeted(stage, app, {"minAvailable": 2})
    first, second, _ = (each["metadata"]["name"] for each in await pods_of(stage, app))
    assert json.loads(await evict(stage, first))["status"] == "Success"
    assert await evict(stage, second) == (
        "Error from server (TooManyRequests): Cannot evict pod as it would violate the pod's disruption"
        " budget.\n"
    )
    going = next(each for each in await pods_of(stage, app) if each["metadata"]["name"] == first)
    (why,) = (each for each in going["status"]["conditions"] if each["type"] == "DisruptionTarget")
    assert (why["status"], why["reason"], why["message"]) == (
        "True",
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )
    assert "deletionTimestamp" in going["metadata"]
    assert "Success" in await evict(stage, first), "what is on its way out needs no budget"


async def test_given_two_budgets_of_one_pod_then_it_is_not_evicted_at_all(stage: Stage) -> None:
    app = App(name="doubled", replicas=1, startup="1s")
    await deployed(stage, app)
    await budgeted(stage, app, {"maxUnavailable": 1})
    await budgeted(stage, app, {"maxUnavailable": 1}, name="doubled-too")
    (pod,) = await pods_of(stage, app)
    assert await evict(stage, pod["metadata"]["name"]) == (
        "Error from server: This pod has more than one PodDisruptionBudget, which the"
        " eviction subresource does not support.\n"
    )


async def test_given_a_taint_then_pods_that_do_not_tolerate_it_go_elsewhere_and_the_scheduler_says_why(
    stage: Stage,
) -> None:
    app = App(name="tainted", replicas=1, startup="1s")
    nodes = (await stage.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")).split()
    for node in nodes:
        await stage.kubectl("taint", "node", node, "example.org/mine=1:NoSchedule")
    try:
        await stage.apply(app.deployment())

        async def refused() -> bool:
            pods = await pods_of(stage, app)
            said = [each.get("message", "") for pod in pods for each in pod["status"].get("conditions", ())]
            return any("node(s) had untolerated taint" in each for each in said)

        await stage.until(refused, "the scheduler says why", within=10)
        toleration = [{"key": "example.org/mine", "operator": "Exists", "effect": "NoSchedule"}]
        patch = json.dumps({"spec": {"template": {"spec": {"tolerations": toleration}}}})
        await stage.kubectl("patch", "deployment", app.name, "--type=strategic", "--patch", patch)
        await stage.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=20s")
    finally:
        for node in nodes:
            await stage.kubectl("taint", "node", node, "example.org/mine:NoSchedule-")
