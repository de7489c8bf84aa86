"""The CloudWatch endpoint: ``DescribeAlarms`` in AWS's JSON protocol, as boto3 speaks it.

The service model names three protocols and botocore takes the first that it prefers, which is JSON 1.0. The
path of the endpoint is ``/cloudwatch``, beside ELBv2's; its control route is in ``saferollout.sim.control``.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from saferollout.sim.cloudwatch.alarms import REASONS, SimulatedAlarm, SimulatedAlarms
from saferollout.sim.elbv2.faults import Faults
from saferollout.sim.elbv2.query import Fault

OPERATION = "DescribeAlarms"
PREFIX = "GraniteServiceVersion20100801."
JSON = "application/x-amz-json-1.0"
_NAMES_AT_MOST = 100

_METRIC = {
    "MetricName": "HTTPCode_Target_5XX_Count",
    "Namespace": "AWS/ApplicationELB",
    "Statistic": "Sum",
    "Dimensions": [],
    "Period": 60,
    "EvaluationPeriods": 1,
    "DatapointsToAlarm": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "missing",
}


class CloudWatch:
    """Answers for the alarms of a site. ``calls`` is where calls are counted, by operation."""

    def __init__(self, alarms: SimulatedAlarms, faults: Faults, calls: Mapping[str, Counter[str]]) -> None:
        self._alarms = alarms
        self._faults = faults
        self._calls = calls

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to be added to an application."""
        return [web.post("/cloudwatch", self._handle), web.post("/cloudwatch/", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        headers = {"x-amzn-RequestId": str(uuid.uuid4())}
        try:
            reply = await self._answer(request)
        except Fault as fault:
            blamed = "Sender" if fault.status < 500 else "Receiver"
            # awsQueryCompatible: clients are to see the codes that the older protocol had.
            headers["x-amzn-query-error"] = f"{fault.code};{blamed}"
            body = {"__type": f"com.amazonaws.cloudwatch#{fault.code}", "message": fault.message}
            return _json(body, fault.status, headers)
        return _json(reply, 200, headers)

    async def _answer(self, request: web.Request) -> dict[str, Any]:
        operation = request.headers.get("X-Amz-Target", "").removeprefix(PREFIX)
        self._calls[operation]["*"] += 1
        rule = self._faults.strike(operation, "", request.headers.get("User-Agent", ""))
        if rule is not None:
            await asyncio.sleep(rule.delay_seconds)
            if rule.silent:
                await asyncio.Event().wait()
            if fault := rule.fault():
                raise fault
        if operation != OPERATION:
            raise Fault("UnknownOperationException", f"There is no operation {operation!r} here", 404)
        return self._describe(orjson.loads(await request.read()))

    def _describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer for the alarms of the names asked for, or all: one that does not exist is left out.

        Composite ones are told only to who asks for them.
        """
        names: list[str] | None = asked.get("AlarmNames")
        if names is not None and len(names) > _NAMES_AT_MOST:
            raise Fault("ValidationError", f"AlarmNames must have at most {_NAMES_AT_MOST} items")
        kinds = asked.get("AlarmTypes") or ["MetricAlarm"]
        found = [each for each in self._alarms.all() if names is None or each.name in names]
        return {
            "MetricAlarms": [
                _described(each) | _METRIC
                for each in found
                if not each.setting.composite and "MetricAlarm" in kinds
            ],
            "CompositeAlarms": [
                _described(each) | {"AlarmRule": "ALARM(one) OR ALARM(another)"}
                for each in found
                if each.setting.composite and "CompositeAlarm" in kinds
            ],
        }


def _described(alarm: SimulatedAlarm) -> dict[str, Any]:
    setting = alarm.setting
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "StateValue": setting.state,
        "StateReason": REASONS[setting.state] if setting.reason is None else setting.reason,
        "StateUpdatedTimestamp": alarm.since,
        "StateTransitionedTimestamp": alarm.since,
        "AlarmConfigurationUpdatedTimestamp": alarm.since,
    }


def _json(body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers={**headers, "Content-Type": JSON})
