"""People in the middle of it: pausing, resuming, scaling, deleting, changing their mind."""

from __future__ import annotations

from collections.abc import Set

import pytest

from saferollout.sim.contract import Promise
from scenarios.apps import Apps, wrapped
from scenarios.leaving import delete, without_trace
from scenarios.manifests import App
from scenarios.stage import Observation, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

an_app = Apps(20, min_healthy=0)
SITE = an_app.site()


def pods_in(seen: Observation) -> Set[str]:
    """Return the pods that there are, but for those on their way out."""
    return seen.observer.samples[-1].live.keys()


async def rollout(stage: Stage, verb: str, app: App) -> None:
    """Do ``kubectl rollout VERB``."""
    await stage.kubectl("rollout", verb, f"deployment/{app.name}")


async def test_given_spec_paused_when_a_new_image_comes_then_it_waits_and_so_it_does_in_mid_rollout(
    stage: Stage,
) -> None:
    app = an_app(replicas=2)
    await wrapped(stage, app, paused=True)
    async with stage.observed(app) as seen:
        await stage.set_image(app, "web:2")
        await stage.reason_is(app, "PausedBySpec")
        await stage.stands_still(seen)
        assert (await stage.status(app))["phase"] == "Paused"
        await stage.set_paused(app, to=False)
        await stage.step_is(app, 2)
        await stage.set_paused(app, to=True)
        await stage.reason_is(app, "PausedBySpec")
        await stage.stands_still(seen)
        await stage.set_paused(app, to=False)
        await stage.at_rest(app, "web:2")


async def test_when_somebody_pauses_the_deployment_at_rest_then_that_is_respected_until_it_is_resumed(
    stage: Stage,
) -> None:
    app = an_app(replicas=2)
    await wrapped(stage, app)
    async with stage.observed(app) as seen:
        await rollout(stage, "pause", app)
        await stage.reason_is(app, "DeploymentPaused")
        assert f"kubectl rollout resume deployment/{app.name}" in (await stage.status(app))["message"]
        await stage.set_image(app, "web:2")
        await stage.stands_still(seen)
        assert await stage.reason(app) == "DeploymentPaused"
        await rollout(stage, "resume", app)
        await stage.at_rest(app, "web:2")


async def test_when_a_deployment_at_rest_is_scaled_then_that_is_no_rollout(stage: Stage) -> None:
    app = an_app(replicas=2)
    await wrapped(stage, app)
    for replicas in (4, 1, 0, 2):
        await stage.kubectl("scale", "deployment", app.name, f"--replicas={replicas}")
        await stage.at_rest(app)
    status = await stage.status(app)
    assert status["replicas"]["desired"] == 2
    assert "history" not in status or status["history"] == []
    assert await stage.told(app) == []


@pytest.mark.parametrize("replicas", [5, 2])
async def test_when_a_deployment_is_scaled_in_mid_rollout_then_that_many_serve_all_the_time(
    stage: Stage, replicas: int
) -> None:
    app = an_app(replicas=3)
    await wrapped(stage, app)
    async with stage.observed(app, replicas=min(3, replicas)) as seen:
        # Kubernetes itself grows old ReplicaSets, and shrinks them, with a Deployment that is scaled.
        seen.expects_breaches = True
        await stage.set_image(app, "web:2")
        await stage.step_is(app, 2)
        await stage.kubectl("scale", "deployment", app.name, f"--replicas={replicas}")
        await stage.at_rest(app, "web:2", within=90)
    assert [each for each in seen.breaches() if each.promise is Promise.CAPACITY] == []
    assert (await stage.status(app))["replicas"]["desired"] == replicas


async def test_when_a_deployment_is_scaled_to_nothing_in_mid_rollout_and_back_then_it_is_complete(
    stage: Stage,
) -> None:
    app = an_app(replicas=2)
    await wrapped(stage, app)
    await stage.set_image(app, "web:2")
    await stage.step_is(app, 1)
    await stage.kubectl("scale", "deployment", app.name, "--replicas=0")
    await stage.at_rest(app, "web:2")
    await stage.set_image(app, "web:3")
    await stage.at_rest(app, "web:3")
    await stage.kubectl("scale", "deployment", app.name, "--replicas=2")
    await stage.at_rest(app, "web:3")


async def test_when_the_saferollout_is_deleted_in_mid_rollout_then_all_is_given_back_and_kubernetes_goes_on(
    stage: Stage,
) -> None:
    app = an_app(replicas=3)
    before = await wrapped(stage, app)
    await stage.set_image(app, "web:2")
    await stage.step_is(app, 2)
    await delete(stage, app)
    assert await stage.deployment(app) == before
    await rollout(stage, "status", app)
    await without_trace(stage, app)


async def test_when_the_saferollout_is_deleted_and_made_again_in_mid_rollout_then_it_goes_on(
    stage: Stage,
) -> None:
    app = an_app(replicas=4)
    await wrapped(stage, app)
    await stage.set_image(app, "web:2")
    await stage.step_is(app, 1)
    await delete(stage, app)
    await stage.apply(app.rollout())
    await stage.at_rest(app, "web:2", within=90)


async def test_when_the_image_is_changed_back_in_mid_rollout_then_that_is_a_rollout_like_any_other(
    stage: Stage,
) -> None:
    app = an_app(replicas=3)
    await wrapped(stage, app)
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        await stage.step_is(app, 2)
        await stage.set_image(app, "web:1")
        await stage.at_rest(app, "web:1")


async def test_when_a_third_image_comes_in_mid_rollout_then_it_is_the_one_that_is_rolled_out(
    stage: Stage,
) -> None:
    app = an_app(replicas=3)
    await wrapped(stage, app)
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        await stage.step_is(app, 2)
        await stage.set_image(app, "web:3")
        await stage.at_rest(app, "web:3", within=90)
