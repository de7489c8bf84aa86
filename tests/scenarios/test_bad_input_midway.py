"""Input that goes bad in mid-rollout: nothing is retired until it is mended, and then it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from saferollout.api.crd import custom_resource_definition
from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world
from scenarios.stage import LONG_ENOUGH
from scenarios.test_bad_input import BALANCER, EUROPE, FUNCTION, STORED, WRONG_GROUPS
from scenarios.told import all_serve, named, reason_of, set_strategy, without_rules


async def test_when_the_spec_goes_wrong_in_mid_rollout_then_nothing_is_retired_until_it_is_mended(
    opened: Opening,
) -> None:
    app = App(replicas=2, min_healthy=0)
    slow = target_group("web", registration_seconds=300)
    wrongs: list[tuple[Mapping[str, Any], str]] = [
        *((wrong, "InvalidSpec") for wrong in STORED.values()),
        ({"targetGroups": [{"binding": "nothing"}]}, "TargetGroupUnresolved"),
        *(({"targetGroups": [{"arn": arn}]}, told.reason) for arn, told in WRONG_GROUPS.values()),
    ]
    async with opened(world(slow, FUNCTION, BALANCER, EUROPE)) as stage:
        await stage.apply(without_rules(custom_resource_definition()))
        await stage.install(app)
        before = await stage.deployment(app)
        await stage.start_operator()
        await stage.wrap(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            pods = seen.observer.samples[-1].live.keys()
            for wrong, reason in wrongs:
                await stage.apply(app.rollout(**wrong))
                await stage.reason_is(app, reason)
                assert (await stage.deployment(app))["paused"]
            await all_serve(stage, seen)
            await asyncio.sleep(LONG_ENOUGH)
            assert seen.observer.samples[-1].live.keys() == pods
            await stage.apply(app.rollout())
            await stage.at_rest(app, "web:2")
        await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")
        assert await stage.deployment(app) == before


async def test_when_a_second_saferollout_comes_in_mid_rollout_then_the_first_goes_on_as_if_it_were_not_there(
    opened: Opening,
) -> None:
    app = App(replicas=3)
    async with opened(world(target_group("web"))) as stage:
        await stage.run(app)
        async with stage.observed(app):
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            await stage.apply(named("second", app.rollout(step={"maxSurge": 3})))
            await reason_of(stage, "second", "DeploymentAlreadyWrapped")
            await stage.step_is(app, 2)
            await stage.kubectl("delete", "saferollout", "second", "--timeout=15s")
            await stage.at_rest(app, "web:2")


async def test_when_the_strategy_becomes_recreate_in_mid_rollout_then_it_holds_until_it_is_rolling_update(
    opened: Opening,
) -> None:
    app = App(replicas=2, min_healthy=0)
    async with opened(world(target_group("web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            await set_strategy(stage, app, "Recreate")
            await stage.reason_is(app, "StrategyUnsupported")
            await all_serve(stage, seen)
            await stage.stands_still(seen)
            await set_strategy(stage, app, "RollingUpdate")
            await stage.at_rest(app, "web:2")
