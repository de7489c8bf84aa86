"""CloudWatch alarms: while one fires, or nobody knows whether it does, nothing is retired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world
from scenarios.stage import LONG_ENOUGH, POLL, Observation, Stage

pytestmark = pytest.mark.long

ALARM = "web 5xx/target"
"""A name such as people give: with a space and a slash."""

WHY = "Threshold Crossed: 3 datapoints were greater than the threshold (1.0)."
OPERATORS = {"client": "saferollout", "operation": "DescribeAlarms"}
"""Faults that meet the operator's questions to CloudWatch, and nobody else's."""

NOTICED = 3 * POLL + POLL + 2.0
"""Seconds until trouble is named: the last answer is too old, one poll later, and a busy host."""

APP = App(replicas=3)


def gates(app: App, *alarms: Mapping[str, Any]) -> Mapping[str, Any]:
    """The gates of its SafeRollout with these alarms."""
    return {**app.rollout()["spec"]["gates"], "alarms": [*alarms]}


@asynccontextmanager
async def rolling(stage: Stage, app: App, *alarms: Mapping[str, Any]) -> AsyncIterator[Observation]:
    """Be in the middle of a rollout under these alarms, observed; see it through to its end afterwards."""
    await stage.run(app, gates=gates(app, *alarms))
    async with stage.observed(app) as seen:
        await stage.set_image(app, "web:2")
        await stage.step_is(app, 1)
        yield seen
        await stage.at_rest(app, "web:2", within=90)
    assert await stage.failed_requests(app, seen.begun) == {}


async def nothing_goes(stage: Stage, app: App, seen: Observation, reason: str) -> str:
    """Hold that the rollout holds for this reason and that no pod goes; return its message."""
    await stage.reason_is(app, reason, within=NOTICED)
    await asyncio.sleep(NOTICED)  # a step that was released before has been made by now
    await stage.stands_still(seen)
    status = await stage.status(app)
    assert (status["phase"], status["reason"]) == ("Holding", reason)
    assert reason in await stage.told(app)
    return str(status["message"])


@pytest.mark.parametrize("kind", [{}, {"composite": True}], ids=["metric", "composite"])
async def test_when_an_alarm_fires_in_mid_rollout_then_nothing_is_retired_until_it_is_over(
    opened: Opening, kind: Mapping[str, bool]
) -> None:
    async with opened(world(target_group("web"))) as stage:
        await stage.alarm(ALARM, "OK", **kind)
        async with rolling(stage, APP, {"name": ALARM}) as seen:
            await stage.alarm(ALARM, "ALARM", reason=WHY, **kind)
            message = await nothing_goes(stage, APP, seen, "AlarmFiring")
            assert message == f"alarm {ALARM} is in ALARM: {WHY}"
            await stage.alarm(ALARM, "OK", **kind)


async def test_given_rollback_when_an_alarm_fires_in_the_last_bake_then_the_revision_before_comes_back(
    opened: Opening,
) -> None:
    async with opened(world(target_group("web"))) as stage:
        await stage.alarm(ALARM, "OK")
        await stage.run(APP, onFailure="Rollback", gates={**gates(APP, {"name": ALARM}), "bake": "5s"})
        async with stage.observed(APP) as seen:
            await stage.set_image(APP, "web:2")

            async def only_new() -> bool:
                found = await stage.status(APP)
                return (found["reason"], found["summary"]["step"]) == ("Baking", "3/3")

            await stage.until(only_new, "the last step bakes", within=90)
            await stage.alarm(ALARM, "ALARM", reason=WHY)
            await stage.reason_is(APP, "RolledBack", within=90)
            assert WHY in (await stage.status(APP))["failed"]["cause"]
            template = (await stage.get("deployment", APP.name))["spec"]["template"]
            assert template["spec"]["containers"][0]["image"] == "web:1"
        assert await stage.failed_requests(APP, seen.begun) == {}


async def test_when_an_alarm_has_too_few_data_then_it_counts_as_its_user_says(opened: Opening) -> None:
    async with opened(world(target_group("web"))) as stage:
        for name in ("lenient", "strict"):
            await stage.alarm(name, "INSUFFICIENT_DATA", reason=f"{name} had no data")
        strict = {"name": "strict", "insufficientData": "Alarm"}
        async with rolling(stage, APP, {"name": "lenient"}, strict) as seen:
            message = await nothing_goes(stage, APP, seen, "AlarmFiring")
            assert message == (
                "alarm strict is in INSUFFICIENT_DATA, which counts as ALARM: strict had no data"
            )
            await stage.alarm("strict", "OK")


async def test_when_an_alarms_reason_would_steer_a_terminal_then_whoever_tells_of_it_tells_it_plainly(
    opened: Opening,
) -> None:
    steering = "\x1b[2J\x1b[31mcrossed\r\nNormal  RolloutCompleted \u202egnihton"
    async with opened(world(target_group("web"))) as stage:
        await stage.alarm(ALARM, "OK")
        async with rolling(stage, APP, {"name": ALARM}) as seen:
            await stage.alarm(ALARM, "ALARM", reason=steering)
            message = await nothing_goes(stage, APP, seen, "AlarmFiring")
            assert message.endswith("is in ALARM:  [2J [31mcrossed  Normal  RolloutCompleted  gnihton")
            _, shown = await stage.saferollout("watch", APP.name, "--once")
            events = "".join(each.message for each in await stage.events(APP))
            for each in (events, shown, "".join(stage.logs)):
                assert "gnihton" in each
                assert not {"\x1b", "\r", "\u202e"} & set(each)
                assert "\nNormal" not in each
            await stage.alarm(ALARM, "OK")


async def test_when_an_alarm_does_not_exist_then_the_rollout_waits_for_it_and_says_so(
    opened: Opening,
) -> None:
    async with opened(world(target_group("web"))) as stage, rolling(stage, APP, {"name": ALARM}) as seen:
        message = await nothing_goes(stage, APP, seen, "AlarmUnknown")
        assert message.startswith(f"there is no alarm {ALARM} in us-east-1. What to do: create it")
        await stage.alarm(ALARM, "OK")


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ({"error": "AccessDenied"}, "allow the operator's IAM role cloudwatch:DescribeAlarms"),
        ({"error": "Throttling"}, "see what else in the account calls CloudWatch"),
        ({"silent": True}, "AWS_ENDPOINT_URL_CLOUDWATCH"),
    ],
    ids=["denied", "throttled", "silent"],
)
async def test_when_cloudwatch_does_not_tell_then_the_rollout_waits_and_says_what_to_do(
    opened: Opening, fault: Mapping[str, object], advice: str
) -> None:
    async with opened(world(target_group("web"))) as stage:
        await stage.alarm(ALARM, "OK")
        async with rolling(stage, APP, {"name": ALARM}) as seen:
            await stage.faults(OPERATORS | dict(fault))
            assert advice in await nothing_goes(stage, APP, seen, "AlarmUnknown")
            await stage.faults()


async def test_given_no_rollout_is_in_progress_then_cloudwatch_is_not_asked(opened: Opening) -> None:
    async with opened(world(target_group("web"))) as stage:
        await stage.alarm(ALARM, "ALARM")
        await stage.run(APP, gates=gates(APP, {"name": ALARM}), onFailure="Rollback")
        await asyncio.sleep(LONG_ENOUGH)
        assert "DescribeAlarms" not in await stage.control("GET", "calls")
        assert await stage.reason(APP) == "Complete"
        await stage.set_image(APP, "web:2")
        await stage.reason_is(APP, "AlarmFiring")
        assert (await stage.control("GET", "calls"))["DescribeAlarms"]["*"] > 0
        await asyncio.sleep(LONG_ENOUGH)
        assert await stage.reason(APP) == "AlarmFiring", "it fired before: that is no failure of web:2"
        await stage.alarm(ALARM, "OK")
        await stage.at_rest(APP, "web:2", within=90)
        asked = (await stage.control("GET", "calls"))["DescribeAlarms"]["*"]
        await asyncio.sleep(LONG_ENOUGH)
        assert (await stage.control("GET", "calls"))["DescribeAlarms"]["*"] == asked
