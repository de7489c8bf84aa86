"""Closed gates: nothing is retired, and the status says what is waited for."""

from __future__ import annotations

import asyncio
import time

from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world

TWO_ZONES = ("us-east-1a", "us-east-1b")
"""As many as there are replicas: with fewer replicas than zones a hold would be right."""

LONG_ENOUGH = 6.0
"""Seconds of holding in which a step would long have happened: six minutes of the simulation."""


async def test_given_an_image_that_fails_its_checks_then_nothing_is_retired_until_a_good_one_comes(
    opened: Opening,
) -> None:
    app = App(replicas=3, groups=("alb-web",), health_timeout="3s")
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:broken")
            await stage.reason_is(app, "HealthTimeout")
            await asyncio.sleep(LONG_ENOUGH)
            status = await stage.status(app)
            assert status["phase"] == "Holding"
            assert "unhealthy in alb-web (Target.ResponseCodeMismatch: " in status["message"]
            assert status["replicas"] == {"desired": 3, "updated": 1, "serving": 3, "draining": 0}
            assert "HealthTimeout" in await stage.told(app)
            await stage.set_image(app, "web:3")
            await stage.at_rest(app, "web:3")
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_given_one_replica_whose_successor_fails_its_checks_then_the_only_one_that_serves_stays(
    opened: Opening,
) -> None:
    app = App(replicas=1, groups=("alb-web",), min_healthy=0)
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:broken")
            await stage.reason_is(app, "WaitingForHealth")
            await asyncio.sleep(LONG_ENOUGH)
            assert (await stage.status(app))["replicas"]["serving"] == 1
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_given_targets_that_drain_for_long_then_the_next_step_waits_and_says_for_which(
    opened: Opening,
) -> None:
    app = App(replicas=2, drain_timeout="4s")
    slow = target_group("web", deregistration_delay_seconds=600)
    async with opened(world(slow, zones=TWO_ZONES)) as stage:
        await stage.run(app)
        async with stage.observed(app):
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForDrain")
            status = await stage.status(app)
            (entry,) = status["draining"]
            assert entry["targetGroup"] == "web"

            async def named() -> bool:
                return f"{entry['id']}:{entry['port']} in web" in (await stage.status(app))["message"]

            await stage.until(named, "the target that drains is named, once ELBv2 has been asked", within=20)
            await stage.reason_is(app, "DrainTimeout")
            assert (await stage.status(app))["phase"] == "Holding"
            await stage.at_rest(app, "web:2")


async def test_given_new_pods_that_land_elsewhere_then_the_last_pod_of_a_zone_stays(opened: Opening) -> None:
    app = App(replicas=3, spread=False)
    async with opened(world(target_group("web"), nodes_per_zone=1)) as stage:
        await stage.run(app)
        await stage.kubectl("cordon", "us-east-1a-1")
        async with stage.observed(app):
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "ZoneFloor", within=40)
            status = await stage.status(app)
            assert "us-east-1a would keep 0 of at least 1 serving pods" in status["message"]
            assert "matchLabelKeys: [pod-template-hash]" in status["message"]
            conditions = {each["type"]: each["status"] for each in status["conditions"]}
            assert conditions["ZonesSafe"] == "False"
            await asyncio.sleep(LONG_ENOUGH)
            zones = {each["name"]: each["serving"] for each in (await stage.status(app))["zones"]}
            assert zones["us-east-1a"] >= 1
        await stage.patch("saferollout", app.name, {"spec": {"zones": {"minHealthy": 0}}})
        await stage.at_rest(app, "web:2")


async def test_every_wait_is_named_within_a_poll_and_says_since_when(opened: Opening) -> None:
    app = App(replicas=2)
    async with opened(world(target_group("web"), zones=TWO_ZONES)) as stage:
        await stage.run(app)
        await stage.set_image(app, "web:2")
        told = []
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            status = await stage.status(app)
            told.append((status["reason"], status["waitingSince"], status["message"]))
            if status["phase"] == "Idle" and len({reason for reason, _, _ in told}) > 1:
                break
            await asyncio.sleep(0.2)
    reasons = [reason for reason, _, _ in told]
    assert {"WaitingForHealth", "WaitingForReadyAge", "Complete"} <= set(reasons)
    assert all(since and message for _, since, message in told)


async def test_given_a_zonal_shift_then_nothing_is_retired_until_it_is_over(opened: Opening) -> None:
    app = App(replicas=3, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            await stage.control("PUT", "zones/us-east-1b/shift")
            await stage.reason_is(app, "ZonalShift")
            status = await stage.status(app)
            assert status["message"] == "requests to alb-web are shifted away from us-east-1b"
            await stage.stands_still(seen, LONG_ENOUGH)
            await stage.control("DELETE", "zones/us-east-1b/shift")
            await stage.at_rest(app, "web:2")
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_what_has_changed_since_the_last_poll_is_known_before_a_step_is_released(
    opened: Opening,
) -> None:
    app = App(replicas=1, groups=("alb-web",))
    async with opened(world(target_group("alb-web"), zones=("us-east-1a",))) as stage:
        await stage.install(app)
        await stage.start_operator("--poll-interval", "6")
        await stage.wrap(app, gates={"bake": "3s"})
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "Baking")  # three seconds to the release, and six to the next poll
            await stage.control("PUT", "zones/us-east-1a/shift")
            await stage.stands_still(seen, LONG_ENOUGH)
            await stage.reason_is(app, "ZonalShift")
            await stage.control("DELETE", "zones/us-east-1a/shift")
            await stage.at_rest(app, "web:2")


async def test_given_a_zone_that_the_load_balancer_lacks_then_the_message_says_so(opened: Opening) -> None:
    app = App(replicas=2, groups=("alb-web",), min_healthy=0)
    elsewhere = target_group("alb-web", zones=("us-east-1a",))
    async with opened(world(elsewhere, zones=("us-east-1c",))) as stage:
        await stage.apply(app.deployment(), app.service(), *app.bindings(), app.rollout())
        await stage.start_operator()
        await stage.at_rest(app)  # though nobody serves

        async def explained() -> bool:
            message = (await stage.status(app)).get("message", "")
            return "an Availability Zone that is not enabled for the load balancer" in message

        await stage.set_image(app, "web:2")
        await stage.until(explained, "the zone is explained", within=30)
