"""Under a guard: an admission policy that pauses a Deployment in the write that changes its template."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from scenarios.apps import Apps
from scenarios.manifests import App, Manifest
from scenarios.stage import LONG_ENOUGH, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTERVAL = 2
"""Seconds after which the operator asks again whether a guard is in force."""

GUARD = Path(__file__).parents[2] / "deploy" / "guard"
STRICT = GUARD / "strict"
an_app = Apps(20, min_healthy=0)
SITE = an_app.site()
OPTIONS = {"SAFEROLLOUT_GUARD_INTERVAL": str(INTERVAL)}


async def guarded(stage: Stage, app: App) -> Manifest:
    """Install the app under a guard; return its Deployment's ``spec`` as it was before it was wrapped."""
    await stage.kubectl("apply", "-k", str(GUARD))
    await stage.install(app)
    before = await stage.deployment(app)
    await stage.apply(app.rollout())
    await guard_is(stage, app, "True")
    await stage.at_rest(app)
    return before


async def guard_is(stage: Stage, app: App, status: str) -> None:
    """Wait until the condition ``Guarded`` has the status."""

    async def holds() -> bool:
        return (await stage.condition(app, "Guarded")).get("status") == status

    await stage.until(holds, f"Guarded of {app.name} is {status}", within=60)


async def revisions(stage: Stage, app: App) -> int:
    """Return how many ReplicaSets there are."""
    return len(json.loads(await stage.kubectl("get", "rs", "-l", f"app={app.name}", "-o", "json"))["items"])


async def is_paused(stage: Stage, app: App) -> bool:
    """Whether the Deployment is paused."""
    return bool((await stage.deployment(app)).get("paused"))


async def test_given_a_guard_then_the_deployment_at_rest_is_exactly_the_users_before_and_after_a_rollout(
    stage: Stage,
) -> None:
    app = an_app(replicas=3)
    before = await guarded(stage, app)
    assert await stage.deployment(app) == before
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        await stage.at_rest(app, "web:2")
    assert await stage.deployment(app) == before
    annotations = (await stage.get("deployment", app.name))["metadata"]["annotations"]
    assert not [each for each in annotations if each.startswith("saferollout.dev")]


async def test_given_a_guard_and_no_operator_when_a_new_image_comes_then_it_waits_and_is_rolled_out_later(
    stage: Stage,
) -> None:
    app = an_app(replicas=3)
    await guarded(stage, app)
    await stage.kill_operator()
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        await asyncio.sleep(LONG_ENOUGH)
        assert await is_paused(stage, app)
        assert await revisions(stage, app) == 1
        await stage.start_operator(**OPTIONS)
        await stage.at_rest(app, "web:2", within=90)


async def test_when_the_guard_goes_and_comes_then_the_condition_says_so_and_the_strategy_follows(
    stage: Stage,
) -> None:
    app = an_app(replicas=1)
    before = await guarded(stage, app)
    await stage.kubectl("delete", "-k", str(GUARD))
    await guard_is(stage, app, "False")
    assert "kubectl apply -k deploy/guard" in (await stage.condition(app, "Guarded"))["message"]
    await stage.at_rest(app)
    unavailable = (await stage.deployment(app))["strategy"]["rollingUpdate"]["maxUnavailable"]
    assert unavailable == 0
    await stage.kubectl("apply", "-k", str(GUARD))
    await guard_is(stage, app, "True")
    await stage.at_rest(app)
    assert await stage.deployment(app) == before


async def test_given_a_guard_when_somebody_pauses_at_rest_then_that_is_respected_until_it_is_resumed(
    stage: Stage,
) -> None:
    app = an_app(replicas=2)
    await guarded(stage, app)
    async with stage.observed(app):
        await stage.kubectl("rollout", "pause", f"deployment/{app.name}")
        await stage.reason_is(app, "DeploymentPaused")
        await stage.set_image(app, "web:2")
        await asyncio.sleep(LONG_ENOUGH)
        assert await stage.reason(app) == "DeploymentPaused"
        assert await revisions(stage, app) == 1
        await stage.kubectl("rollout", "resume", f"deployment/{app.name}")
        await stage.at_rest(app, "web:2")


async def test_given_a_guard_when_the_manifest_is_applied_again_and_again_then_the_rollout_goes_on(
    stage: Stage,
) -> None:
    app = an_app(replicas=2)
    await guarded(stage, app)
    changed = App(name=app.name, groups=app.groups, min_healthy=0, replicas=2, image="web:2")
    async with stage.observed(app):
        await stage.apply(changed.deployment())
        for _ in range(4):
            await asyncio.sleep(1)
            await stage.apply(changed.deployment())
        await stage.at_rest(app, "web:2")


async def test_given_a_guard_when_the_saferollout_is_deleted_then_nothing_is_left(stage: Stage) -> None:
    app = an_app(replicas=2)
    before = await guarded(stage, app)
    await stage.set_image(app, "web:2")
    await stage.step_is(app, 1)
    await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")
    assert await stage.deployment(app) == before
    for what in (("deployment", app.name), ("replicasets", "-l", f"app={app.name}")):
        found = await stage.kubectl("get", *what, "-o", "yaml", "--show-managed-fields")
        assert "saferollout" not in found.replace("sim.saferollout.dev", "")


async def test_given_the_strict_policy_when_somebody_resumes_in_mid_rollout_then_it_is_refused_and_goes_on(
    stage: Stage,
) -> None:
    app = an_app(replicas=3)
    await guarded(stage, app)
    await stage.kubectl("apply", "-k", str(STRICT))
    await asyncio.sleep(1)  # the API server follows its policies by a watch
    try:
        async with stage.observed(app):
            await stage.set_image(app, "web:2")
            await stage.step_is(app, 1)
            await stage.set_paused(app, to=True)  # between two releases, for as long as kubectl takes
            await stage.reason_is(app, "PausedBySpec")
            said = await stage.kubectl("rollout", "resume", f"deployment/{app.name}", check=False)
            assert "write spec.paused of the SafeRollout" in said
            await stage.set_paused(app, to=False)
            await stage.at_rest(app, "web:2")
        await stage.set_image(app, "web:3")
        await stage.step_is(app, 1)
        await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")
        assert not await is_paused(stage, app)
    finally:
        await stage.kubectl("delete", "-k", str(STRICT))


async def test_given_the_strict_policy_when_a_user_has_paused_then_a_user_resumes(stage: Stage) -> None:
    app = an_app(replicas=1)
    await guarded(stage, app)
    await stage.kubectl("apply", "-k", str(STRICT))
    await asyncio.sleep(1)
    try:
        await stage.kubectl("rollout", "pause", f"deployment/{app.name}")
        await stage.reason_is(app, "DeploymentPaused")
        await stage.kubectl("rollout", "resume", f"deployment/{app.name}")
        await stage.at_rest(app)
    finally:
        await stage.kubectl("delete", "-k", str(STRICT))
