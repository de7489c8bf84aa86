"""What is deleted under a rollout: its SafeRollout, its Deployment, their namespace."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from scenarios.apps import Apps, wrapped
from scenarios.leaving import delete, given_back, midway, without_trace
from scenarios.manifests import App, Manifest
from scenarios.stage import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]

an_app = Apps(20, min_healthy=0)
SITE = an_app.site()


async def sizes(stage: Stage, app: App) -> list[int]:
    """Return the sizes of its ReplicaSets, smallest first."""
    found = json.loads(await stage.kubectl("get", "rs", "-l", f"app={app.name}", "-o", "json"))["items"]
    return sorted(each["spec"]["replicas"] for each in found)


@pytest.mark.parametrize("on_delete", ["Resume", "KeepPaused"])
async def test_when_the_saferollout_is_deleted_at_rest_then_the_deployment_is_as_it_was(
    stage: Stage, on_delete: str
) -> None:
    app = an_app(replicas=2)
    before = await wrapped(stage, app, onDelete=on_delete)
    async with stage.observed(app):
        await delete(stage, app)
        await given_back(stage, app, before)


async def test_given_keep_paused_when_it_is_deleted_in_mid_rollout_then_all_stands_until_it_is_resumed(
    stage: Stage,
) -> None:
    app = an_app(replicas=4)
    before = await wrapped(stage, app, onDelete="KeepPaused")
    async with stage.observed(app) as seen:
        await midway(stage, app)
        half = await sizes(stage, app)
        assert len(half) == 2
        assert sum(half) == 5
        await delete(stage, app)
        assert await stage.deployment(app) == before | {"paused": True}
        assert await sizes(stage, app) == half
        assert "KeptPaused" in await stage.told(app)
        await stage.stands_still(seen)
        assert (await stage.deployment(app))["paused"] is True
        await without_trace(stage, app)
    await stage.kubectl("rollout", "resume", f"deployment/{app.name}")
    await given_back(stage, app, before)


async def test_given_three_revisions_when_it_is_deleted_then_no_replica_set_keeps_a_trace(
    stage: Stage,
) -> None:
    app = an_app(replicas=4, spec={"minReadySeconds": 1})
    before = await wrapped(stage, app)
    await stage.set_image(app, "web:2")
    await stage.step_is(app, 2)
    await stage.set_image(app, "web:3")
    await stage.step_is(app, 1)
    await delete(stage, app)
    await given_back(stage, app, before)


async def test_given_keep_paused_when_it_is_deleted_in_the_last_batch_then_it_says_that_nothing_holds_it(
    stage: Stage,
) -> None:
    app = an_app(replicas=1)
    before = await wrapped(stage, app, onDelete="KeepPaused")
    await stage.set_image(app, "web:2")
    await stage.reason_is(app, "WaitingForHealth")
    await delete(stage, app)
    assert await stage.deployment(app) == before | {"paused": True}
    (told,) = (each for each in await stage.events(app) if each.reason == "KeptPaused")
    assert told.type == "Warning"
    assert "does not hold the 1 old ones" in told.message

    async def alone() -> bool:
        return await sizes(stage, app) == [0, 1]

    await stage.until(alone, "the old pod has gone", within=20)
    await without_trace(stage, app)


@pytest.mark.parametrize("fault", ["AccessDenied", "silent"])
async def test_given_an_aws_that_does_not_answer_when_it_is_deleted_in_mid_rollout_then_it_goes(
    stage: Stage, fault: str
) -> None:
    app = an_app(replicas=2)
    before = await wrapped(stage, app)
    await stage.set_image(app, "web:2")
    await stage.step_is(app, 1)
    rule = {"silent": True} if fault == "silent" else {"error": fault}
    await stage.faults(rule | {"targetGroup": app.name})
    await stage.reason_is(app, "EndpointUnreachable" if fault == "silent" else fault)
    await delete(stage, app)
    await stage.faults()
    await given_back(stage, app, before)


@pytest.mark.parametrize("cascade", ["background", "foreground"])
async def test_when_the_deployment_is_deleted_in_mid_rollout_and_made_anew_then_that_one_is_followed(
    stage: Stage, cascade: str
) -> None:
    app = an_app(replicas=3)
    await wrapped(stage, app)
    await midway(stage, app)
    await stage.kubectl("delete", "deployment", app.name, f"--cascade={cascade}", "--timeout=30s")
    await stage.reason_is(app, "DeploymentNotFound")
    other = replace(app, replicas=2, image="web:3")
    await stage.install(other)
    await stage.apply(app.rollout(paused=False))
    await stage.at_rest(other, "web:3")
    assert (await stage.status(app))["replicas"]["desired"] == 2
    async with stage.observed(other):
        await stage.set_image(other, "web:4")
        await stage.at_rest(other, "web:4")
    await delete(stage, other)
    await without_trace(stage, other)


@pytest.mark.parametrize("image", ["web:1", "web:2", "web:3"])
async def test_when_the_deployment_is_orphaned_in_mid_rollout_and_made_anew_then_its_pods_are_adopted(
    stage: Stage, image: str
) -> None:
    app = an_app(replicas=3)
    before = await wrapped(stage, app)
    async with stage.observed(app) as seen:
        seen.expects_breaches = True
        await midway(stage, app)
        await stage.kubectl("delete", "deployment", app.name, "--cascade=orphan")
        made = time.time()
        await stage.apply(replace(app, image=image).deployment(), app.rollout(paused=False))
        await stage.at_rest(app, image, within=90)
    assert not seen.breaches_but(made), await stage.standing()
    await delete(stage, app)
    await given_back(stage, app, before)


async def test_when_the_deployment_is_deleted_at_rest_then_so_can_be_its_saferollout(stage: Stage) -> None:
    app = an_app(replicas=1)
    await wrapped(stage, app)
    await stage.kubectl("delete", "deployment", app.name, "--timeout=30s")
    await delete(stage, app)


async def test_given_a_saferollout_when_its_deployment_comes_later_then_it_is_followed(stage: Stage) -> None:
    app = an_app(replicas=2)
    await stage.apply(app.rollout())
    await stage.reason_is(app, "DeploymentNotFound")
    await stage.install(app)
    await stage.at_rest(app)
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        await stage.at_rest(app, "web:2")


async def test_when_the_namespace_is_deleted_in_mid_rollout_then_it_goes_with_all_that_is_in_it(
    stage: Stage,
) -> None:
    app, home = an_app(replicas=3), "shop"
    await stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}})
    mine = (app.deployment(), app.service(), *app.bindings(), app.rollout())
    await stage.apply(*(_in(home, each) for each in mine))
    await _reason_is(stage, home, app, "Complete")
    await stage.kubectl("-n", home, "set", "image", f"deployment/{app.name}", "web=web:2")
    await _reason_is(stage, home, app, "WaitingForHealth")
    await stage.kubectl("delete", "namespace", home, "--timeout=60s")


def _in(namespace: str, manifest: Manifest) -> Manifest:
    return manifest | {"metadata": manifest["metadata"] | {"namespace": namespace}}


async def _reason_is(stage: Stage, namespace: str, app: App, reason: str) -> None:
    async def holds() -> bool:
        arguments = ("get", "saferollout", app.name, "-o", "jsonpath={.status.reason}")
        return await stage.kubectl("-n", namespace, *arguments) == reason

    await stage.until(holds, f"the reason of {namespace}/{app.name} is {reason}", within=40)
