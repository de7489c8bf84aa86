"""The CloudWatch endpoint as an unmodified boto3 sees it, over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import boto3
import botocore.session
import pytest
from aiohttp import web
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError, ReadTimeoutError

from saferollout.sim.cloudwatch.alarms import REASONS, AlarmSetting, SimulatedAlarms
from saferollout.sim.cloudwatch.endpoint import CloudWatch
from saferollout.sim.elbv2.faults import FaultRule, Faults
from saferollout.sim.loopback import serving
from saferollout.sim.timeline import Timeline

MODEL: Any = botocore.session.get_session().get_service_model("cloudwatch")
BOTH = ["MetricAlarm", "CompositeAlarm"]


class Site:
    """The endpoint on a socket, its alarms, and a boto3 client that knows nothing of this."""

    def __init__(self, url: str, alarms: SimulatedAlarms, faults: Faults) -> None:
        self.alarms = alarms
        self.faults = faults
        session: Any = boto3.session.Session()
        self.client = session.client(
            "cloudwatch",
            endpoint_url=f"{url}/cloudwatch",
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106 - not a secret: the endpoint checks no signature
            config=BotoConfig(retries={"total_max_attempts": 1}, read_timeout=2),
        )

    async def describe(self, **parameters: Any) -> Any:
        reply = await asyncio.to_thread(partial(self.client.describe_alarms, **parameters))
        return {kind: found for kind, found in reply.items() if kind != "ResponseMetadata"}

    async def states(self, *names: str) -> dict[str, str]:
        reply = await self.describe(AlarmNames=[*names], AlarmTypes=BOTH)
        return {each["AlarmName"]: each["StateValue"] for found in reply.values() for each in found}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    alarms, faults = SimulatedAlarms(Timeline(1_800_000_000.0)), Faults()
    app = web.Application()
    app.add_routes(CloudWatch(alarms, faults, defaultdict(Counter)).routes())
    alarms.put("web 5xx/target", AlarmSetting())
    alarms.put("all of it", AlarmSetting(state="ALARM", composite=True))
    async with serving(app) as url:
        yield Site(url, alarms, faults)


async def test_alarms_are_told_by_name_with_state_reason_and_time(site: Site) -> None:
    [alarm] = (await site.describe(AlarmNames=["web 5xx/target"]))["MetricAlarms"]
    assert (alarm["AlarmName"], alarm["StateValue"]) == ("web 5xx/target", "OK")
    assert alarm["StateReason"] == REASONS["OK"]
    assert alarm["StateUpdatedTimestamp"].timestamp() == 1_800_000_000.0


async def test_what_is_set_is_what_is_told(site: Site) -> None:
    site.alarms.put("web 5xx/target", AlarmSetting(state="INSUFFICIENT_DATA", reason="nobody reports"))
    [alarm] = (await site.describe(AlarmNames=["web 5xx/target"]))["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"]) == ("INSUFFICIENT_DATA", "nobody reports")


async def test_an_alarm_that_does_not_exist_is_left_out_and_no_error(site: Site) -> None:
    assert await site.states("web 5xx/target", "nobody") == {"web 5xx/target": "OK"}
    site.alarms.remove("web 5xx/target")
    assert await site.states("web 5xx/target") == {}


async def test_composite_alarms_are_told_only_to_who_asks_for_them(site: Site) -> None:
    assert (await site.describe())["CompositeAlarms"] == []
    assert await site.states("all of it") == {"all of it": "ALARM"}


async def test_every_reply_has_only_what_botocore_knows(site: Site) -> None:
    raw: list[Any] = []
    site.client.meta.events.register(
        "after-call.cloudwatch", lambda http_response, **_: raw.append(http_response)
    )
    await site.states("web 5xx/target", "all of it")
    written = raw[0].content
    told = json.loads(written)
    shape = MODEL.operation_model("DescribeAlarms").output_shape
    for kind, found in told.items():
        member = shape.members[kind].member
        for alarm in found:
            assert alarm.keys() <= member.members.keys()
            for name, value in alarm.items():
                enum = getattr(member.members[name], "enum", None)
                assert not enum or value in enum
    assert [len(found) for found in told.values()] == [1, 1]


async def test_the_pinned_botocore_speaks_the_protocol_that_is_served() -> None:
    assert MODEL.resolved_protocol == "json"
    assert MODEL.metadata["jsonVersion"] == "1.0"


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("Throttling", 400), ("InternalFailure", 500)]
)
async def test_an_injected_error_arrives_as_that_error(site: Site, code: str, status: int) -> None:
    site.faults.rules = (FaultRule(error=code, operation="DescribeAlarms"),)
    with pytest.raises(ClientError) as refused:
        await site.states("web 5xx/target")
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


async def test_a_silent_endpoint_never_answers(site: Site) -> None:
    site.faults.rules = (FaultRule(silent=True),)
    with pytest.raises(ReadTimeoutError):
        await site.states("web 5xx/target")


async def test_another_operation_is_refused(site: Site) -> None:
    with pytest.raises(ClientError) as refused:
        await asyncio.to_thread(site.client.list_dashboards)
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


async def test_more_names_than_aws_takes_are_refused(site: Site) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        await site.states(*(f"alarm-{number}" for number in range(101)))
