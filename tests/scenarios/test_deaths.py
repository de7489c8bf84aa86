"""The operator may die at any instant: the contract holds, and another one completes the rollout."""

from __future__ import annotations

import asyncio
import random

import pytest

from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world


@pytest.mark.parametrize("seed", [1, 2])
async def test_given_a_rollout_when_the_operator_is_killed_again_and_again_then_it_completes_unharmed(
    opened: Opening, seed: int
) -> None:
    app = App(replicas=4)
    chance = random.Random(seed)  # noqa: S311 - chance, no secret
    async with opened(world(target_group("web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            for _ in range(5):
                await asyncio.sleep(chance.uniform(0.5, 4.0))
                await stage.kill_operator()
                await stage.start_operator()
            await stage.at_rest(app, "web:2", within=90)
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_given_a_rollout_in_mid_step_when_nobody_runs_the_operator_then_nothing_moves(
    opened: Opening,
) -> None:
    app = App(replicas=3)
    async with opened(world(target_group("web"))) as stage:
        await stage.run(app)
        async with stage.observed(app):
            await stage.set_image(app, "web:2")
            await stage.step_is(app, 2)
            await stage.reason_is(app, "WaitingForHealth")
            await stage.kill_operator()
            before = await stage.kubectl("get", "rs", "-o", "jsonpath={.items[*].spec.replicas}")
            await asyncio.sleep(8)
            assert await stage.kubectl("get", "rs", "-o", "jsonpath={.items[*].spec.replicas}") == before
            await stage.start_operator()
            await stage.at_rest(app, "web:2")


async def test_given_the_last_batch_when_nobody_runs_the_operator_then_the_last_old_pod_stays(
    opened: Opening,
) -> None:
    app = App(replicas=1, min_healthy=0, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            await stage.kill_operator()
            await asyncio.sleep(8)
            images = await stage.kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}")
            assert sorted(images.split()) == ["web:1", "web:2"]
            await stage.start_operator()
            await stage.at_rest(app, "web:2")
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_given_no_operator_when_a_new_image_comes_then_it_is_a_native_update_that_gives_nothing_up(
    opened: Opening,
) -> None:
    app = App(replicas=3)
    async with opened(world(target_group("web"))) as stage:
        await stage.run(app)
        await stage.kill_operator()
        await stage.set_image(app, "web:2")
        await stage.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=30s")
        strategy = (await stage.deployment(app))["strategy"]["rollingUpdate"]
        assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
        await stage.start_operator()
        await stage.at_rest(app, "web:2")
