"""The two questions put to ELBv2, as blocking calls for a thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import boto3
from prometheus_client import Counter

from saferollout.api.plain import quoted
from saferollout.api.reasons import Reason
from saferollout.decide.answers import Target, TargetState
from saferollout.decide.observation import Problem
from saferollout.observe.aws_errors import explain
from saferollout.observe.question import Unanswered, config_for
from saferollout.observe.roles import Credentials, Role, assume

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import TargetHealthDescriptionTypeDef

T = TypeVar("T")

THREADS = 256
"""Calls under way at once. Only silent target groups keep their threads: so many of them delay nobody else,
which are those of eight SafeRollouts with as many as they may have."""

CONFIG = config_for(THREADS)

SHIFTED = frozenset({"zonal_shift_active", "zonal_shift_delegated_to_dns"})
"""Values of ``TargetAdministrativeOverrideEnum`` under which a target gets no requests."""

REQUESTS = Counter(
    "saferollout_elbv2_requests_total",
    "Questions put to ELBv2, by operation and outcome (ok, or the reason of the failure).",
    ["operation", "outcome"],
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A client, and until when its credentials are good (epoch seconds)."""

    client: ElasticLoadBalancingv2Client
    expires_at: float = math.inf


def connect(
    session: boto3.session.Session | None = None,
    endpoint_url: str | None = None,
    *,
    role: Role | None = None,
) -> Connection:
    """Make a client; Region, credentials and endpoint come from boto3's usual chain unless given.

    Raises:
        botocore.exceptions.ClientError: The role may not be assumed.
        botocore.exceptions.BotoCoreError: Something that is needed for a client is not there.
    """
    own = session or boto3.session.Session()
    acting = Credentials(own) if role is None else assume(role, own, CONFIG, endpoint_url)
    client = acting.session.client("elbv2", endpoint_url=endpoint_url, config=CONFIG)
    return Connection(client, acting.expires_at)


def target_type(client: ElasticLoadBalancingv2Client, arn: str) -> str:
    """Ask for the target type of a target group: ``ip``, ``instance``, ``lambda`` or ``alb``.

    Raises:
        Unanswered: There is no such group, or ELBv2 did not say.
    """
    reply = _ask("DescribeTargetGroups", lambda: client.describe_target_groups(TargetGroupArns=[arn]))
    for group in reply["TargetGroups"]:
        return group.get("TargetType", "instance")
    raise Unanswered(
        Problem(
            Reason.TARGET_GROUP_NOT_FOUND, f"ELBv2 lists no target group {arn}. What to do: correct the ARN."
        )
    )


def targets(client: ElasticLoadBalancingv2Client, arn: str) -> tuple[Target, ...]:
    """Ask for all targets of a target group and their health.

    Raises:
        Unanswered: ELBv2 did not say.
    """
    reply = _ask("DescribeTargetHealth", lambda: client.describe_target_health(TargetGroupArn=arn))
    return tuple(_target(each) for each in reply["TargetHealthDescriptions"])


def _ask(operation: str, request: Callable[[], T]) -> T:
    try:
        reply = request()
    except Exception as error:
        problem = explain(error, operation)
        REQUESTS.labels(operation, problem.reason).inc()
        raise Unanswered(problem) from error
    REQUESTS.labels(operation, "ok").inc()
    return reply


def _target(raw: TargetHealthDescriptionTypeDef) -> Target:
    """Read one target. A state that ELBv2 learned after this was written is neither healthy nor drained."""
    target, health = raw.get("Target", {}), raw.get("TargetHealth", {})
    state, description = health.get("State", ""), quoted(health.get("Description", ""))
    known = state in frozenset(TargetState)
    zone = target.get("AvailabilityZone", "")
    override = raw.get("AdministrativeOverride", {}).get("State", "")
    return Target(
        id=target.get("Id", ""),
        port=target.get("Port", 0),
        state=TargetState(state) if known else TargetState.UNAVAILABLE,
        reason=quoted(health.get("Reason", "")),
        description=description if known else f"state {quoted(state)}: {description}",
        shifted=override in SHIFTED,
        zone=None if zone in {"", "all"} else zone,
    )
