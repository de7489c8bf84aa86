"""Asking ELBv2: an unmodified boto3 over a real socket, against the endpoint of the embedded cluster."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import botocore.session
import pytest
from aiohttp import web
from boto3.session import Session
from botocore.credentials import CredentialResolver

from saferollout.api.reasons import Reason
from saferollout.decide.answers import TargetGroup as Answer
from saferollout.decide.answers import TargetState
from saferollout.observe import elb
from saferollout.observe.roles import Role
from saferollout.observe.targets import TargetHealth
from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.elbv2.endpoint import Endpoint
from saferollout.sim.elbv2.faults import FaultRule, Faults
from saferollout.sim.elbv2.health import Address
from saferollout.sim.elbv2.health import Answer as ProbeAnswer
from saferollout.sim.elbv2.target_group import TargetGroup
from saferollout.sim.loopback import serving
from saferollout.sim.timeline import Timeline

SESSION = Session(
    aws_access_key_id="nobody",
    aws_secret_access_key="nothing",  # noqa: S106 - the endpoint takes any
    region_name="us-east-1",
)

PATIENCE = 2.0
ROLE = Role("arn:aws:iam::210987654321:role/seen-by-saferollout")


@dataclass
class Scene:
    """An endpoint with a few target groups, and somebody who asks it."""

    url: str
    endpoint: Endpoint
    faults: Faults
    groups: dict[str, TargetGroup]
    health: TargetHealth

    async def ask(self, name: str = "web", *, max_age: float = 0.0) -> Answer:
        (answer,) = await self.health.ask([self.groups[name].config.arn], not_before=time.time() - max_age)
        return answer

    def calls(self, operation: str) -> int:
        return self.endpoint.calls[operation].total()


def target_groups() -> dict[str, TargetGroup]:
    timeline = Timeline(0.0)
    configs = [
        TargetGroupConfig(name="web", kind="alb"),
        TargetGroupConfig(name="websecure", kind="nlb"),
        TargetGroupConfig(name="function", kind="alb", target_type="lambda"),
        TargetGroupConfig(name="nodes", kind="alb", target_type="instance"),
        TargetGroupConfig(name="balancer", kind="nlb", target_type="alb"),
        TargetGroupConfig(name="theirs", kind="alb", role=ROLE.arn),
        TargetGroupConfig(name="europe", kind="alb", region="eu-west-1"),
    ]
    return {
        each.name: TargetGroup(timeline, each, lambda _: ProbeAnswer.OK, lambda _: "a") for each in configs
    }


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    groups, faults = target_groups(), Faults()
    endpoint = Endpoint({group.config.arn: group for group in groups.values()}, faults)
    app = web.Application()
    app.add_routes(endpoint.routes())
    async with serving(app) as url, asking(partial(elb.connect, SESSION, url)) as health:
        yield Scene(url, endpoint, faults, groups, health)


@asynccontextmanager
async def asking(connect: Callable[..., Any], rate: float = 100.0) -> AsyncIterator[TargetHealth]:
    health = TargetHealth(connect, patience=PATIENCE, rate=rate)
    try:
        yield health
    finally:
        health.close()


async def test_every_target_is_told_with_its_port_and_state(scene: Scene) -> None:
    scene.groups["web"].register(Address("10.0.0.1", 80))
    scene.groups["web"].register(Address("10.0.0.1", 81))
    before = time.time()
    answer = await scene.ask()
    assert (answer.name, answer.target_type, answer.problem) == ("web", "ip", None)
    assert before <= answer.asked_at <= time.time()
    assert answer.targets is not None
    assert [(each.id, each.port, each.state) for each in answer.targets] == [
        ("10.0.0.1", 80, TargetState.INITIAL),
        ("10.0.0.1", 81, TargetState.INITIAL),
    ]
    assert answer.targets[0].reason == "Elb.RegistrationInProgress"


async def test_all_who_ask_at_the_same_time_share_one_call(scene: Scene) -> None:
    now = time.time()
    arns = [scene.groups[name].config.arn for name in ("web", "websecure")]
    answers = await asyncio.gather(*(scene.health.ask(arns, not_before=now) for _ in range(50)))
    assert {tuple(each.name for each in answer) for answer in answers} == {("web", "websecure")}
    assert scene.endpoint.calls["DescribeTargetHealth"] == {"web": 1, "websecure": 1}
    assert scene.calls("DescribeTargetGroups") == 2


async def test_an_answer_that_is_young_enough_is_given_again(scene: Scene) -> None:
    first = await scene.ask()
    assert await scene.ask(max_age=60) is first
    second = await scene.ask()
    assert second.asked_at > first.asked_at
    assert scene.calls("DescribeTargetHealth") == 2
    assert scene.calls("DescribeTargetGroups") == 1


async def test_nobody_asking_means_no_calls(scene: Scene) -> None:
    await scene.ask()
    before = scene.calls("DescribeTargetHealth")
    await asyncio.sleep(0.3)
    assert scene.calls("DescribeTargetHealth") == before


async def test_one_who_gives_up_waiting_takes_the_answer_from_nobody(scene: Scene) -> None:
    scene.faults.rules = (FaultRule(delay_seconds=0.2),)
    hasty = asyncio.create_task(scene.ask())
    patient = asyncio.create_task(scene.ask(max_age=1))
    await asyncio.sleep(0.1)
    hasty.cancel()
    assert (await patient).problem is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("Throttling", Reason.THROTTLED),
        ("AccessDenied", Reason.ACCESS_DENIED),
        ("ExpiredToken", Reason.NO_CREDENTIALS),
        ("TargetGroupNotFound", Reason.TARGET_GROUP_NOT_FOUND),
        ("ValidationError", Reason.TARGET_GROUP_MALFORMED),
        ("HealthUnavailable", Reason.ELB_ERROR),
        ("ServiceUnavailable", Reason.ELB_ERROR),
    ],
)
async def test_a_refusal_keeps_the_old_targets_with_their_age(
    error: str, reason: Reason, scene: Scene
) -> None:
    scene.groups["web"].register(Address("10.0.0.1", 80))
    good = await scene.ask()
    scene.faults.rules = (FaultRule(error=error, operation="DescribeTargetHealth"),)
    bad = await scene.ask()
    assert (bad.targets, bad.asked_at) == (good.targets, good.asked_at)
    assert bad.problem is reason
    assert "What to do: " in bad.detail


async def test_a_group_that_failed_is_left_alone_for_a_while_and_then_recovers(scene: Scene) -> None:
    scene.faults.rules = (FaultRule(error="AccessDenied"),)
    assert (await scene.ask()).targets is None
    after_one = scene.endpoint.calls["DescribeTargetGroups"].total()
    for _ in range(20):
        assert (await scene.ask()).problem is Reason.ACCESS_DENIED
    assert scene.endpoint.calls["DescribeTargetGroups"].total() == after_one
    scene.faults.rules = ()
    await asyncio.sleep(1.0)
    answer = await scene.ask()
    assert answer.problem is None
    assert answer.detail == ""
    assert answer.targets == ()


async def test_trouble_of_one_group_is_none_of_another(scene: Scene) -> None:
    await scene.ask("web")
    scene.faults.rules = (FaultRule(error="Throttling", target_group="web"),)
    assert (await scene.ask("web")).problem is Reason.THROTTLED
    assert (await scene.ask("websecure")).problem is None


async def test_a_silent_endpoint_does_not_keep_anybody_longer_than_the_patience(scene: Scene) -> None:
    await scene.ask("web")
    scene.faults.rules = (FaultRule(silent=True, target_group="web"),)
    began = time.monotonic()
    silent, quick = await asyncio.gather(scene.ask("web"), scene.ask("websecure"))
    assert time.monotonic() - began < PATIENCE + 1
    assert silent.problem is Reason.ENDPOINT_UNREACHABLE
    assert quick.problem is None
    began = time.monotonic()
    assert (await scene.ask("web")).problem is Reason.ENDPOINT_UNREACHABLE
    assert time.monotonic() - began < 0.5, "the patience is counted from when the question was sent"


async def test_instances_are_asked_for_as_pods_are(scene: Scene) -> None:
    answer = await scene.ask("nodes")
    assert answer.problem is None
    assert answer.by_instance


@pytest.mark.parametrize("name", ["function", "balancer"])
async def test_targets_that_lead_to_no_pods_are_not_asked_for(name: str, scene: Scene) -> None:
    answer = await scene.ask(name)
    assert answer.problem is Reason.TARGET_GROUP_UNSUPPORTED
    assert scene.calls("DescribeTargetHealth") == 0


async def test_a_group_of_another_region_is_not_asked_for(scene: Scene) -> None:
    answer = await scene.ask("europe")
    assert answer.problem is Reason.TARGET_GROUP_OTHER_REGION
    assert "eu-west-1" in answer.detail
    assert not scene.endpoint.calls


async def test_a_group_nobody_knows_is_not_found(scene: Scene) -> None:
    unknown = scene.groups["web"].config.arn.replace("/web/", "/unknown/")
    (answer,) = await scene.health.ask([unknown], not_before=time.time())
    assert answer.problem is Reason.TARGET_GROUP_NOT_FOUND
    assert answer.name == "unknown"


async def test_what_is_no_arn_is_told_without_asking(scene: Scene) -> None:
    (answer,) = await scene.health.ask(["web"], not_before=time.time())
    assert answer.problem is Reason.TARGET_GROUP_MALFORMED
    assert not scene.endpoint.calls


async def test_an_endpoint_that_is_not_there_is_unreachable(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with asking(partial(elb.connect, SESSION, f"http://127.0.0.1:{port}")) as health:
        (answer,) = await health.ask([scene.groups["web"].config.arn], not_before=time.time())
    assert answer.problem is Reason.ENDPOINT_UNREACHABLE
    assert answer.targets is None


async def test_without_credentials_there_is_a_reason(scene: Scene) -> None:
    bare = botocore.session.Session()
    bare.register_component("credential_provider", CredentialResolver(providers=[]))
    session = Session(botocore_session=bare, region_name="us-east-1")
    async with asking(partial(elb.connect, session, "http://127.0.0.1:1")) as health:
        (answer,) = await health.ask([scene.groups["web"].config.arn], not_before=time.time())
    assert answer.problem is Reason.NO_CREDENTIALS


async def test_an_endpoint_that_makes_no_sense_is_a_problem_and_no_crash(scene: Scene) -> None:
    async with asking(partial(elb.connect, SESSION, "nowhere")) as health:
        (answer,) = await health.ask([scene.groups["web"].config.arn], not_before=time.time())
    assert answer.problem is Reason.ELB_ERROR


async def test_calls_are_counted_by_outcome(scene: Scene) -> None:
    def count(outcome: str) -> float:
        return sum(
            sample.value
            for metric in elb.REQUESTS.collect()
            for sample in metric.samples
            if sample.name == "saferollout_elbv2_requests_total"
            and sample.labels == {"operation": "DescribeTargetHealth", "outcome": outcome}
        )

    before = count("ok"), count("Throttled")
    await scene.ask()
    scene.faults.rules = (FaultRule(error="Throttling", operation="DescribeTargetHealth"),)
    await scene.ask()
    assert (count("ok"), count("Throttled")) == (before[0] + 1, before[1] + 1)


async def test_a_question_beyond_the_rate_waits_for_its_turn_and_says_so(scene: Scene) -> None:
    arns = [scene.groups["web"].config.arn]
    async with asking(partial(elb.connect, SESSION, scene.url), rate=0.3) as slow:
        (first,) = await slow.ask(arns, not_before=time.time())
        assert (first.problem, first.targets) == (None, ())
        (queued,) = await slow.ask(arns, not_before=time.time())
    assert (queued.problem, queued.targets) == (Reason.THROTTLED, ())
    assert "waits for its turn" in queued.detail
    assert scene.calls("DescribeTargetHealth") == 1


async def ask_in(scene: Scene, role: Role | None) -> Answer:
    arn = scene.groups["theirs"].config.arn
    roles = {} if role is None else {arn: role}
    (answer,) = await scene.health.ask([arn], not_before=time.time(), roles=roles)
    return answer


async def test_a_target_group_of_another_account_is_asked_about_in_its_role(scene: Scene) -> None:
    assert (await ask_in(scene, None)).problem is Reason.ACCESS_DENIED
    for _ in range(3):
        assert (await ask_in(scene, ROLE)).problem is None
    assert scene.calls("AssumeRole") == 1, "its credentials are good for an hour"
    assert (await scene.ask("web")).problem is None


async def test_a_role_that_wants_an_external_id_is_given_it(scene: Scene) -> None:
    scene.groups["theirs"].config = scene.groups["theirs"].config.model_copy(
        update={"role": f"{ROLE.arn}-external"}
    )
    assert (await ask_in(scene, Role(f"{ROLE.arn}-external"))).problem is Reason.ACCESS_DENIED
    assert (await ask_in(scene, Role(f"{ROLE.arn}-external", "agreed"))).problem is None


async def test_a_role_that_may_not_be_assumed_is_a_problem_that_says_what_to_allow(scene: Scene) -> None:
    answer = await ask_in(scene, Role(f"{ROLE.arn}-denied"))
    assert answer.problem is Reason.ACCESS_DENIED
    assert f"not authorized to perform: sts:AssumeRole on resource: {ROLE.arn}-denied" in answer.detail
    assert "allow the operator's IAM role sts:AssumeRole on the role of the target group" in answer.detail


async def test_credentials_of_a_role_that_are_about_to_end_are_renewed(scene: Scene) -> None:
    def short(*, role: Role | None) -> elb.Connection:
        made = elb.connect(SESSION, scene.url, role=role)
        return elb.Connection(made.client, time.time() + 200)

    arn = scene.groups["theirs"].config.arn
    async with asking(short) as health:
        for _ in range(2):
            (answer,) = await health.ask([arn], not_before=time.time(), roles={arn: ROLE})
            assert answer.problem is None
    assert scene.calls("AssumeRole") == 2
