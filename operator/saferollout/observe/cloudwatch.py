"""The one question put to CloudWatch, as a blocking call for a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import boto3
from prometheus_client import Counter

from saferollout.api.plain import quoted
from saferollout.decide.answers import AlarmState, AlarmValue
from saferollout.observe.aws_errors import CLOUDWATCH, explain
from saferollout.observe.question import Unanswered, config_for

OPERATION = "DescribeAlarms"

THREADS = 64
"""Calls under way at once: only silence keeps their threads."""

CONFIG = config_for(THREADS)

KINDS = {"MetricAlarm": "MetricAlarms", "CompositeAlarm": "CompositeAlarms"}
"""Types of alarms, and where a reply has them. Not naming types would leave composite ones out."""

REQUESTS = Counter(
    "saferollout_cloudwatch_requests_total",
    "Questions put to CloudWatch, by operation and outcome (ok, or the reason of the failure).",
    ["operation", "outcome"],
)


def connect(session: boto3.session.Session | None = None, endpoint_url: str | None = None) -> Any:
    """Make a client; Region, credentials and endpoint come from boto3's usual chain unless given.

    Raises:
        botocore.exceptions.BotoCoreError: Something that is needed for a client is not there.
    """
    own: Any = session or boto3.session.Session()
    return own.client("cloudwatch", endpoint_url=endpoint_url, config=CONFIG)


def alarms(client: Any, names: Sequence[str]) -> dict[str, AlarmState]:
    """Ask for alarms by their names, at most 100. Those that do not exist are left out.

    Raises:
        Unanswered: CloudWatch did not say.
    """
    try:
        reply = client.describe_alarms(AlarmNames=list(names), AlarmTypes=list(KINDS), MaxRecords=100)
    except Exception as error:
        problem = explain(error, OPERATION, CLOUDWATCH)
        REQUESTS.labels(OPERATION, problem.reason).inc()
        raise Unanswered(problem) from error
    REQUESTS.labels(OPERATION, "ok").inc()
    found = (_alarm(each) for kind in KINDS.values() for each in reply.get(kind, ()))
    return {each.name: each for each in found}


def _alarm(raw: Mapping[str, Any]) -> AlarmState:
    """Read one alarm. A state that CloudWatch learned after this was written is not known."""
    name, value = str(raw.get("AlarmName", "")), str(raw.get("StateValue", ""))
    if value not in frozenset(AlarmValue):
        return AlarmState(name, problem=f"alarm {name} is in a state {quoted(value)} that is not known")
    entered = raw.get("StateTransitionedTimestamp")
    since = entered.timestamp() if isinstance(entered, datetime) else None
    return AlarmState(name, AlarmValue(value), quoted(str(raw.get("StateReason", ""))), since=since)
