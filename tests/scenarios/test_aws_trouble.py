"""AWS in trouble in mid-rollout: nothing is retired meanwhile, the reason is named, and then it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from scenarios.conftest import Opening
from scenarios.door import Door, door
from scenarios.manifests import App, target_group, world
from scenarios.stage import LONG_ENOUGH, POLL, Stage
from scenarios.told import all_serve

OPERATORS = {"client": "saferollout"}
"""Faults that meet the operator alone: the observer is to see what it does in the dark."""

STALE_AFTER = 3 * POLL
NOTICED = STALE_AFTER + POLL + 2.0
"""Seconds until trouble is named: the last answer is too old, one poll later, and a busy host."""

GONE: Mapping[str, object] = {}

# What else ELBv2 may answer is in tests/sim/test_target_health.py and test_bad_input.py.
TROUBLES: Mapping[str, tuple[Mapping[str, object], str, str]] = {
    "throttled": ({"error": "Throttling"}, "Throttled", "nothing, it is asked again less often"),
    "refused": ({"error": "AccessDenied"}, "AccessDenied", "elasticloadbalancing:DescribeTargetHealth"),
    "silent": ({"silent": True}, "EndpointUnreachable", "check the operator's network"),
    "gone": (GONE, "EndpointUnreachable", "check the operator's network"),
}


@asynccontextmanager
async def trouble(stage: Stage, way: Door, fault: Mapping[str, object]) -> AsyncIterator[None]:
    """Have it for as long as the context lasts."""
    await (way.shut() if fault is GONE else stage.faults(OPERATORS | dict(fault)))
    yield
    await (way.open() if fault is GONE else stage.faults())


@pytest.mark.parametrize("name", TROUBLES)
async def test_when_aws_is_in_trouble_in_mid_rollout_then_nothing_is_retired_and_the_reason_is_named(
    opened: Opening, name: str
) -> None:
    fault, reason, advice = TROUBLES[name]
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage, door(stage.host.elb) as way:
        await stage.install(app)
        await stage.start_operator(AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2=way.url)
        await stage.wrap(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            async with trouble(stage, way, fault):
                await stage.reason_is(app, reason, within=NOTICED)
                assert advice in (await stage.status(app))["message"]
                await all_serve(stage, seen)
                await stage.stands_still(seen)
                assert await stage.reason(app) == reason
            await stage.at_rest(app, "web:2")
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_when_half_of_all_calls_are_throttled_then_the_rollout_completes(opened: Opening) -> None:
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        await stage.faults(OPERATORS | {"error": "Throttling", "share": 0.5})
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.at_rest(app, "web:2", within=90)
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_when_aws_goes_silent_and_somebody_resumes_the_deployment_then_it_is_paused_again_at_once(
    opened: Opening,
) -> None:
    app = App(replicas=3)
    async with opened(world(target_group("web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            # The pods that are Ready when it is resumed make one step before it can be paused again.
            seen.expects_breaches = True
            await stage.set_image(app, "web:2")
            await stage.step_is(app, 1)
            await stage.faults(OPERATORS | {"silent": True})
            await stage.reason_is(app, "EndpointUnreachable", within=NOTICED)
            before = seen.observer.samples[-1].live.keys()
            await stage.kubectl("rollout", "resume", f"deployment/{app.name}")
            await stage.until(lambda: is_paused(stage, app), "it is paused again", within=2)
            await asyncio.sleep(LONG_ENOUGH)
            assert len(before - seen.observer.samples[-1].live.keys()) <= 1
            await stage.faults()
            await stage.at_rest(app, "web:2")


async def is_paused(stage: Stage, app: App) -> bool:
    """Whether the Deployment is paused."""
    return bool((await stage.deployment(app)).get("paused"))


async def test_when_aws_refuses_during_the_last_drain_then_that_is_the_reason(opened: Opening) -> None:
    app = App(replicas=1, min_healthy=0)
    slow = target_group("web", deregistration_delay_seconds=600)
    async with opened(world(slow)) as stage:
        await stage.run(app)
        async with stage.observed(app):
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForDrain", within=40)
            await stage.faults(OPERATORS | {"error": "AccessDenied"})
            await stage.reason_is(app, "AccessDenied", within=NOTICED)
            await stage.faults()
            await stage.at_rest(app, "web:2")
