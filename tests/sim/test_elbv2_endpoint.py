"""The ELBv2 endpoint as an unmodified boto3 sees it, over a real socket."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import boto3
import botocore.session
import pytest
from aiohttp import web
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.model import ListShape, Shape, StructureShape

from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.elbv2.endpoint import Endpoint
from saferollout.sim.elbv2.faults import FAULTS, Faults
from saferollout.sim.elbv2.health import Address, Answer
from saferollout.sim.elbv2.target_group import TargetGroup
from saferollout.sim.timeline import Timeline

MODEL: Any = botocore.session.get_session().get_service_model("elbv2")
CONFIGS = [
    TargetGroupConfig(name="web", kind="alb", registration_seconds=0),
    TargetGroupConfig(name="tcp", kind="nlb", unhealthy_draining_seconds=30),
    TargetGroupConfig(name="hosts", kind="alb", target_type="instance"),
    TargetGroupConfig(name="loose", kind="alb", attached=False),
    TargetGroupConfig(name="function", kind="alb", target_type="lambda"),
]
ARN = {config.name: config.arn for config in CONFIGS}


class Site:
    """The endpoint on a socket, its target groups, and a boto3 client that knows nothing of this."""

    def __init__(self, url: str, timeline: Timeline, groups: dict[str, TargetGroup]) -> None:
        self.url = url
        self.timeline = timeline
        self.groups = groups
        self.raw: list[bytes] = []
        self.client = boto3.client(
            "elbv2",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106 - not a secret: the endpoint checks no signature
            config=BotoConfig(retries={"total_max_attempts": 1}, read_timeout=2),
        )
        self.client.meta.events.register("after-call.elastic-load-balancing-v2", self._keep)

    def _keep(self, http_response: Any, **_: Any) -> None:
        self.raw.append(http_response.content)

    async def call(self, operation: str, **parameters: Any) -> Any:
        return await asyncio.to_thread(partial(getattr(self.client, operation), **parameters))

    async def states(self, name: str) -> dict[tuple[str, int], str]:
        reply = await self.call("describe_target_health", TargetGroupArn=ARN[name])
        return {
            (each["Target"]["Id"], each["Target"]["Port"]): each["TargetHealth"]["State"]
            for each in reply["TargetHealthDescriptions"]
        }

    async def put_faults(self, *rules: dict[str, Any]) -> int:
        async with aiohttp.ClientSession() as session:
            reply = await session.put(f"{self.url}/sim/faults", json=list(rules))
            return reply.status

    async def read(self, path: str) -> Any:
        async with aiohttp.ClientSession() as session:
            reply = await session.get(self.url + path)
            return await reply.json()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    timeline = Timeline(0.0)
    zone = {"10.0.1.1": "us-east-1a"}
    groups = {config.arn: TargetGroup(timeline, config, lambda _: Answer.OK, zone.get) for config in CONFIGS}
    app = web.Application()
    app.add_routes(Endpoint(groups, Faults()).routes())
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Site(f"http://127.0.0.1:{runner.addresses[0][1]}", timeline, groups)
    await runner.cleanup()


def unknown_values(shape: Shape, value: Any, path: str = "") -> list[str]:
    """Values in a parsed reply that the enums of the service model lack."""
    if isinstance(shape, StructureShape):
        return [
            each
            for name, member in value.items()
            for each in unknown_values(shape.members[name], member, f"{path}.{name}")
        ]
    if isinstance(shape, ListShape):
        return [each for item in value for each in unknown_values(shape.member, item, path)]
    enum = getattr(shape, "enum", None)
    return [f"{path}={value}"] if enum and value not in enum else []


def member_names(shape: Shape) -> set[str]:
    if isinstance(shape, StructureShape):
        return set(shape.members) | {name for each in shape.members.values() for name in member_names(each)}
    return member_names(shape.member) if isinstance(shape, ListShape) else set()


CALLS: dict[str, dict[str, Any]] = {
    "DescribeTargetHealth": {"TargetGroupArn": ARN["web"], "Include": ["All"]},
    "DescribeTargetGroups": {"PageSize": 2},
    "DescribeTargetGroupAttributes": {"TargetGroupArn": ARN["tcp"]},
    "DescribeTags": {"ResourceArns": [ARN["web"]]},
    "RegisterTargets": {"TargetGroupArn": ARN["web"], "Targets": [{"Id": "10.0.1.9"}]},
    "DeregisterTargets": {"TargetGroupArn": ARN["web"], "Targets": [{"Id": "10.0.1.9"}]},
}


@pytest.mark.parametrize("operation", CALLS)
async def test_every_reply_has_only_what_botocore_knows(site: Site, operation: str) -> None:
    for group in site.groups.values():
        group.register(Address("10.0.1.1", 80))
    reply = await site.call(re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower(), **CALLS[operation])
    reply.pop("ResponseMetadata")
    shape = MODEL.operation_model(operation).output_shape
    assert unknown_values(shape, reply) == []
    envelope = {f"{operation}Response", f"{operation}Result", "ResponseMetadata", "RequestId", "member"}
    written = {name.decode() for name in re.findall(rb"<([A-Za-z]+)[ >]", site.raw[-1])}
    assert written > {f"{operation}Result"}
    assert written - envelope <= member_names(shape)


async def test_a_described_target_lacks_nothing_that_aws_gives(site: Site) -> None:
    site.groups[ARN["web"]].register(Address("10.0.1.1", 80))
    reply = await site.call("describe_target_health", TargetGroupArn=ARN["web"], Include=["AnomalyDetection"])
    [described] = reply["TargetHealthDescriptions"]
    assert set(described) == set(MODEL.shape_for("TargetHealthDescription").members)
    assert described["Target"] == {"Id": "10.0.1.1", "Port": 80, "AvailabilityZone": "us-east-1a"}
    assert described["TargetHealth"] == {
        "State": "initial",
        "Reason": "Elb.RegistrationInProgress",
        "Description": "Target registration is in progress",
    }


async def test_targets_go_from_initial_to_healthy_to_draining_to_gone(site: Site) -> None:
    targets = [{"Id": "10.0.1.1", "Port": 8080}, {"Id": "10.0.2.1"}]
    await site.call("register_targets", TargetGroupArn=ARN["web"], Targets=targets)
    assert set((await site.states("web")).values()) == {"initial"}
    site.timeline.run_until(60)
    assert await site.states("web") == {("10.0.1.1", 8080): "healthy", ("10.0.2.1", 80): "healthy"}
    await site.call("deregister_targets", TargetGroupArn=ARN["web"], Targets=targets[:1])
    assert await site.states("web") == {("10.0.1.1", 8080): "draining", ("10.0.2.1", 80): "healthy"}
    site.timeline.run_until(400)
    assert await site.states("web") == {("10.0.2.1", 80): "healthy"}


async def test_a_healthy_target_has_neither_reason_nor_description(site: Site) -> None:
    site.groups[ARN["web"]].register(Address("10.0.1.1", 80))
    site.timeline.run_until(60)
    reply = await site.call("describe_target_health", TargetGroupArn=ARN["web"])
    assert reply["TargetHealthDescriptions"][0]["TargetHealth"] == {"State": "healthy"}


async def test_asked_for_by_id_an_unregistered_target_is_unused(site: Site) -> None:
    site.groups[ARN["web"]].register(Address("10.0.1.1", 80))
    asked = [{"Id": "10.0.1.1", "Port": 81}]
    reply = await site.call("describe_target_health", TargetGroupArn=ARN["web"], Targets=asked)
    [described] = reply["TargetHealthDescriptions"]
    assert described["TargetHealth"]["State"] == "unused"
    assert described["TargetHealth"]["Reason"] == "Target.NotRegistered"


async def test_target_groups_come_in_pages(site: Site) -> None:
    pages = site.client.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 3})
    found = await asyncio.to_thread(lambda: [page["TargetGroups"] for page in pages])
    assert [len(page) for page in found] == [3, 2]
    assert {group["TargetGroupName"]: group["TargetGroupArn"] for page in found for group in page} == ARN


async def test_target_groups_are_found_by_name_and_by_arn(site: Site) -> None:
    by_name = await site.call("describe_target_groups", Names=["function"])
    by_arn = await site.call("describe_target_groups", TargetGroupArns=[ARN["function"]])
    assert by_name["TargetGroups"] == by_arn["TargetGroups"]
    assert by_name["TargetGroups"][0]["TargetType"] == "lambda"


ANOTHER_KIND = ARN["web"].replace(":targetgroup/", ":loadbalancer/app/")
ANOTHER_REGION = ARN["web"].replace("us-east-1", "eu-west-1")
NETWORKLESS = {"TargetGroupArn": ARN["web"], "Targets": [{"Id": "192.168.0.1"}]}
WRONG: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a malformed ARN": ("ValidationError", "describe_target_health", {"TargetGroupArn": "web"}),
    "no target group": (
        "ValidationError",
        "describe_target_health",
        {"TargetGroupArn": ANOTHER_KIND},
    ),
    "an unknown ARN": (
        "TargetGroupNotFound",
        "describe_target_health",
        {"TargetGroupArn": ARN["web"][:-6] + "000000"},
    ),
    "another region": ("TargetGroupNotFound", "describe_target_health", {"TargetGroupArn": ANOTHER_REGION}),
    "an unknown name": ("TargetGroupNotFound", "describe_target_groups", {"Names": ["nobody"]}),
    "a page too large": ("ValidationError", "describe_target_groups", {"PageSize": 401}),
    "another network": ("InvalidTarget", "describe_target_health", NETWORKLESS),
    "a name for an address": (
        "ValidationError",
        "register_targets",
        {"TargetGroupArn": ARN["web"], "Targets": [{"Id": "web-1"}]},
    ),
    "an address for an instance": (
        "ValidationError",
        "register_targets",
        {"TargetGroupArn": ARN["hosts"], "Targets": [{"Id": "10.0.0.1"}]},
    ),
    "another operation": ("InvalidAction", "describe_rules", {}),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_wrong_request_gets_the_error_aws_gives(site: Site, what: str) -> None:
    code, operation, parameters = WRONG[what]
    with pytest.raises(ClientError) as refused:
        await site.call(operation, **parameters)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("code", FAULTS)
async def test_an_injected_error_arrives_as_that_error(site: Site, code: str) -> None:
    await site.put_faults({"error": code})
    with pytest.raises(ClientError) as refused:
        await site.states("web")
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == FAULTS[code][0]


async def test_errors_of_the_model_are_raised_as_the_exceptions_of_the_model(site: Site) -> None:
    await site.put_faults({"error": "HealthUnavailable"})
    with pytest.raises(site.client.exceptions.HealthUnavailableException):
        await site.states("web")


async def test_a_fault_of_one_target_group_and_operation_leaves_the_others_alone(site: Site) -> None:
    await site.put_faults({"targetGroup": "web", "operation": "DescribeTargetHealth", "error": "Throttling"})
    with pytest.raises(ClientError, match="Throttling"):
        await site.states("web")
    assert await site.states("tcp") == {}
    await site.call("describe_target_group_attributes", TargetGroupArn=ARN["web"])


async def test_a_share_of_calls_is_throttled(site: Site) -> None:
    await site.put_faults({"error": "Throttling", "share": 0.5})
    refused = 0
    for _ in range(60):
        try:
            await site.states("web")
        except ClientError:
            refused += 1
    assert 15 < refused < 45


async def test_a_silent_endpoint_never_answers_and_a_slow_one_answers_late(site: Site) -> None:
    await site.put_faults({"silent": True})
    with pytest.raises(ReadTimeoutError):
        await site.states("web")
    await site.put_faults({"delaySeconds": 0.4})
    began = time.monotonic()
    assert await site.states("web") == {}
    assert time.monotonic() - began >= 0.4


async def test_faults_can_be_read_and_cleared_and_a_misspelt_one_is_refused(site: Site) -> None:
    assert await site.put_faults({"error": "Throttling"}) == 200
    assert await site.put_faults({"error": "Trottling"}) == 400
    assert [rule["error"] for rule in await site.read("/sim/faults")] == ["Throttling"]
    async with aiohttp.ClientSession() as session:
        await session.delete(f"{site.url}/sim/faults")
    assert await site.read("/sim/faults") == []
    assert await site.states("web") == {}


async def test_calls_are_counted_by_operation_and_target_group(site: Site) -> None:
    await site.states("web")
    await site.states("web")
    await site.states("tcp")
    await site.call("describe_target_groups")
    calls = await site.read("/sim/calls")
    assert calls == {"DescribeTargetHealth": {"web": 2, "tcp": 1}, "DescribeTargetGroups": {"*": 1}}
