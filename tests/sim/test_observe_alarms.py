"""Asking CloudWatch: an unmodified boto3 over a real socket, against the endpoint of the site."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import botocore.session
import pytest
from aiohttp import web
from boto3.session import Session
from botocore.credentials import CredentialResolver

from saferollout.decide.answers import AlarmState, AlarmValue
from saferollout.observe import cloudwatch
from saferollout.observe.alarms import Alarms
from saferollout.sim.cloudwatch.alarms import AlarmSetting, SimulatedAlarms
from saferollout.sim.cloudwatch.endpoint import CloudWatch
from saferollout.sim.elbv2.faults import FaultRule, Faults
from saferollout.sim.loopback import serving
from saferollout.sim.timeline import Timeline

SESSION = Session(
    aws_access_key_id="nobody",
    aws_secret_access_key="nothing",  # noqa: S106 - the endpoint takes any
    region_name="us-east-1",
)
PATIENCE = 2.0


@dataclass
class Scene:
    """An endpoint with a few alarms, and somebody who asks it."""

    there: SimulatedAlarms
    faults: Faults
    counted: Mapping[str, Counter[str]]
    asker: Alarms

    async def ask(self, *names: str, max_age: float = 0.0) -> tuple[AlarmState, ...]:
        return await self.asker.ask(names, not_before=time.time() - max_age)

    @property
    def calls(self) -> int:
        return self.counted[cloudwatch.OPERATION].total()


@asynccontextmanager
async def asking(connect: Callable[[], Any], rate: float = 100.0) -> AsyncIterator[Alarms]:
    asker = Alarms(connect, patience=PATIENCE, rate=rate)
    try:
        yield asker
    finally:
        asker.close()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    there, faults = SimulatedAlarms(Timeline(0.0)), Faults()
    there.put("errors", AlarmSetting(state="ALARM", reason="too many"))
    there.put("latency", AlarmSetting())
    there.put("site", AlarmSetting(state="INSUFFICIENT_DATA", composite=True))
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    app = web.Application()
    app.add_routes(CloudWatch(there, faults, counted).routes())
    async with (
        serving(app) as url,
        asking(partial(cloudwatch.connect, SESSION, f"{url}/cloudwatch")) as asker,
    ):
        yield Scene(there, faults, counted, asker)


async def test_metric_and_composite_alarms_are_told_in_the_order_asked(scene: Scene) -> None:
    before = time.time()
    told = await scene.ask("site", "errors", "latency")
    assert [(each.name, each.value, each.problem) for each in told] == [
        ("site", AlarmValue.INSUFFICIENT_DATA, ""),
        ("errors", AlarmValue.ALARM, ""),
        ("latency", AlarmValue.OK, ""),
    ]
    assert told[1].reason == "too many"
    assert all(before <= each.asked_at <= time.time() for each in told)
    assert scene.calls == 1


async def test_an_alarm_that_does_not_exist_is_not_known_and_the_others_are(scene: Scene) -> None:
    there, missing = await scene.ask("latency", "nobody's")
    assert there.value is AlarmValue.OK
    assert missing.value is None
    assert missing.problem.startswith("there is no alarm nobody's in us-east-1. What to do: create it, or")


async def test_all_who_ask_at_the_same_time_share_one_call(scene: Scene) -> None:
    now = time.time()
    asked = (("errors", "latency"), ("latency", "errors"))
    await asyncio.gather(*(scene.asker.ask(asked[n % 2], not_before=now) for n in range(50)))
    assert scene.calls == 1


async def test_an_answer_that_is_young_enough_is_given_again(scene: Scene) -> None:
    await scene.ask("errors")
    scene.there.put("errors", AlarmSetting())
    assert (await scene.ask("errors", max_age=60))[0].value is AlarmValue.ALARM
    assert (await scene.ask("errors"))[0].value is AlarmValue.OK
    assert scene.calls == 2


async def test_who_names_no_alarm_asks_nothing(scene: Scene) -> None:
    assert await scene.ask() == ()
    assert scene.calls == 0


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("Throttling", "see what else in the account calls CloudWatch"),
        ("AccessDenied", "allow the operator's IAM role cloudwatch:DescribeAlarms"),
        ("ExpiredToken", "set AWS credentials"),
        ("ServiceUnavailable", "see the AWS Health Dashboard"),
    ],
)
async def test_a_refusal_keeps_the_old_state_with_its_age_and_says_what_to_do(
    error: str, advice: str, scene: Scene
) -> None:
    (good,) = await scene.ask("errors")
    scene.faults.rules = (FaultRule(error=error),)
    (bad,) = await scene.ask("errors")
    assert (bad.value, bad.reason, bad.asked_at) == (good.value, good.reason, good.asked_at)
    assert advice in bad.problem


async def test_what_has_never_been_told_is_not_known(scene: Scene) -> None:
    scene.faults.rules = (FaultRule(error="AccessDenied"),)
    (denied,) = await scene.ask("errors")
    assert (denied.value, denied.asked_at) == (None, 0.0)
    assert "cloudwatch:DescribeAlarms" in denied.problem


async def test_after_a_failure_it_is_left_alone_for_a_while_and_then_recovers(scene: Scene) -> None:
    scene.faults.rules = (FaultRule(error="AccessDenied"),)
    await scene.ask("errors")
    after_one = scene.calls
    for _ in range(20):
        await scene.ask("errors")
    assert scene.calls == after_one
    scene.faults.rules = ()
    await asyncio.sleep(1.0)
    assert (await scene.ask("errors"))[0].value is AlarmValue.ALARM


async def test_silence_keeps_nobody_longer_than_the_patience(scene: Scene) -> None:
    await scene.ask("errors")
    scene.faults.rules = (FaultRule(silent=True),)
    began = time.monotonic()
    (silent,) = await scene.ask("errors")
    assert time.monotonic() - began < PATIENCE + 1
    assert silent.value is AlarmValue.ALARM
    assert silent.problem.startswith("CloudWatch does not answer. What to do: check the operator's network")


async def test_trouble_with_some_names_is_none_of_others(scene: Scene) -> None:
    scene.faults.rules = (FaultRule(error="Throttling"),)
    await scene.ask("errors")
    scene.faults.rules = ()
    assert (await scene.ask("latency"))[0].value is AlarmValue.OK


async def test_without_credentials_there_is_a_problem_and_no_crash() -> None:
    bare = botocore.session.Session()
    bare.register_component("credential_provider", CredentialResolver(providers=[]))
    session = Session(botocore_session=bare, region_name="us-east-1")
    async with asking(partial(cloudwatch.connect, session, "http://127.0.0.1:1")) as asker:
        (told,) = await asker.ask(["errors"], not_before=time.time())
    assert "give the operator's service account an IAM role" in told.problem


async def test_an_endpoint_that_makes_no_sense_is_a_problem_and_no_crash() -> None:
    async with asking(partial(cloudwatch.connect, SESSION, "nowhere")) as asker:
        (told,) = await asker.ask(["errors"], not_before=time.time())
    assert told.problem.startswith("connecting to CloudWatch: ")


async def test_calls_are_counted_by_outcome(scene: Scene) -> None:
    def count(outcome: str) -> float:
        return float(cloudwatch.REQUESTS.labels(cloudwatch.OPERATION, outcome)._value.get())

    before = count("ok"), count("Throttled")
    await scene.ask("errors")
    scene.faults.rules = (FaultRule(error="Throttling"),)
    await scene.ask("errors")
    assert (count("ok"), count("Throttled")) == (before[0] + 1, before[1] + 1)
