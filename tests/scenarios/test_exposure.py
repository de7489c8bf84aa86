"""Pods that end before their load balancer knows: it is measured, and the advice helps."""

from __future__ import annotations

import re
from dataclasses import replace

from saferollout.sim.elbv2.config import HealthCheck
from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world

GROUP = target_group(
    "alb-web",
    registration_seconds=1.0,
    deregistration_delay_seconds=9.0,
    stray_seconds=8.0,
    health_check=HealthCheck(interval_seconds=1, healthy_threshold=2, unhealthy_threshold=2),
)
"""An ALB that still sends to targets while they drain. The site follows the clock: so does the advice."""

HASTY = App(replicas=2, groups=("alb-web",), min_healthy=0, startup="1s", pre_stop=1)


async def test_given_pods_that_end_too_early_when_the_advice_is_followed_then_no_request_fails_any_more(
    opened: Opening,
) -> None:
    async with opened(world(GROUP, speed=1.0)) as stage:
        await stage.run(HASTY)
        async with stage.observed(HASTY) as seen:
            await stage.set_image(HASTY, "web:2")
            await stage.at_rest(HASTY, "web:2", within=90)
        failed = await stage.failed_requests(HASTY, seen.begun)
        exposed = (await stage.status(HASTY))["exposure"]
        assert exposed["pods"] == 2
        assert 6 <= exposed["worst"] <= exposed["seconds"] <= 26
        assert sum(failed.values()) > 0, "strays reached nobody"

        (advice,) = (each.message for each in await stage.events(HASTY) if each.reason == "PodsExposed")
        told = re.search(
            r"preStop from 1s to (\d+)s, and terminationGracePeriodSeconds from 21 to (\d+)", advice
        )
        assert told is not None, advice
        patient = replace(HASTY, image="web:3", pre_stop=int(told[1]))
        assert patient.deployment()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == int(
            told[2]
        )

        async with stage.observed(HASTY) as seen:
            await stage.apply(patient.deployment())
            await stage.at_rest(HASTY, "web:3", within=90)
        async with stage.observed(HASTY) as seen:
            await stage.set_image(HASTY, "web:4")
            await stage.at_rest(HASTY, "web:4", within=90)
        assert await stage.failed_requests(HASTY, seen.begun) == {}
        assert (await stage.status(HASTY))["exposure"] == {"pods": 2, "seconds": 0, "worst": 0}
