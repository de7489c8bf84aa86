"""The ELBv2 endpoint: what an unmodified boto3 talks to, and the control routes for its troubles.

=================  ==================================================================
``POST /``         the query protocol of ELBv2, and ``AssumeRole`` of STS
``GET /sim/calls`` calls so far: operation → target group (name, ``*`` for none) → count
``GET /sim/faults``, ``PUT /sim/faults``, ``DELETE /sim/faults``  the list of `FaultRule` in force
=================  ==================================================================
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, defaultdict

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from saferollout.sim.elbv2.faults import FaultRule, Faults
from saferollout.sim.elbv2.operations import OPERATIONS, TargetGroups
from saferollout.sim.elbv2.query import Fault, Query, fault_xml, reply_xml
from saferollout.sim.elbv2.roles import Roles

_RULES = TypeAdapter(tuple[FaultRule, ...])


class Endpoint:
    """Answers for a set of target groups. ``calls`` counts by operation and target group name."""

    def __init__(self, groups: TargetGroups, faults: Faults) -> None:
        self.calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._groups = groups
        self._faults = faults
        self._roles = Roles()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to be added to an application."""
        return [
            web.post("/", self._query),
            web.get("/sim/calls", self._read_calls),
            web.get("/sim/faults", self._read_faults),
            web.put("/sim/faults", self._replace_faults),
            web.delete("/sim/faults", self._clear_faults),
        ]

    async def _query(self, request: web.Request) -> web.Response:
        form = await request.post()
        query = Query({name: value for name, value in form.items() if isinstance(value, str)})
        request_id = str(uuid.uuid4())
        try:
            await self._endure(query, request.headers.get("User-Agent", ""))
            self._check(query, request.headers.get("Authorization", ""))
            body, status = self._answer(query, request_id), 200
        except Fault as fault:
            body, status = fault_xml(fault, request_id), fault.status
        return web.Response(
            text=body, status=status, content_type="text/xml", headers={"x-amzn-RequestId": request_id}
        )

    def _answer(self, query: Query, request_id: str) -> str:
        if query.action == "AssumeRole":
            return reply_xml(query.action, self._roles.assume(query), request_id)
        if (operation := OPERATIONS.get(query.action)) is None:
            raise Fault("InvalidAction", f"Could not find operation {query.action}")
        return reply_xml(query.action, operation(self._groups, query), request_id)

    def _check(self, query: Query, authorization: str) -> None:
        asked = [query.parameters.get("TargetGroupArn", ""), *query.texts("TargetGroupArns")]
        for group in filter(None, map(self._groups.get, asked)):
            self._roles.check(authorization, group.config)

    async def _endure(self, query: Query, user_agent: str) -> None:
        """Count the call, and let the trouble happen to it that is switched on.

        Raises:
            Fault: If a refusal is.
        """
        arn = query.parameters.get("TargetGroupArn", "")
        self.calls[query.action][self._name(arn)] += 1
        rule = self._faults.strike(query.action, arn, user_agent)
        if rule is None:
            return
        await asyncio.sleep(rule.delay_seconds)
        if rule.silent:
            await asyncio.Event().wait()
        if fault := rule.fault():
            raise fault

    def _name(self, arn: str) -> str:
        group = self._groups.get(arn)
        return arn or "*" if group is None else group.config.name

    async def _read_calls(self, _: web.Request) -> web.Response:
        return web.json_response(self.calls)

    async def _read_faults(self, _: web.Request) -> web.Response:
        return web.json_response(_RULES.dump_python(self._faults.rules, by_alias=True))

    async def _replace_faults(self, request: web.Request) -> web.Response:
        try:
            self._faults.rules = _RULES.validate_json(await request.read())
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        return await self._read_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._faults.rules = ()
        return await self._read_faults(request)
