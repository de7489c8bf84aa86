"""Control routes of a running world, beside those of the ELBv2 endpoint. All speak JSON.

================================================  ========================================================
``GET /sim/world``                                ``now``, ``speed``, ``zones``, ``targetGroups``
``GET /sim/traffic?since=…&until=…``              target group name → `Tally.summary`; times since the epoch
``DELETE /sim/nodes/{name}``                      the node dies, and what runs on it
``DELETE /sim/pods/{namespace}/{name}``           the pod ends at once
``POST /sim/pods/{namespace}/{name}/silence``     the pod answers nobody any more
``POST /sim/pods/{namespace}/{name}/revive``      it answers again
``PUT /sim/zones/{name}/shift``                   a zonal shift: no load balancer sends anything there
``DELETE /sim/zones/{name}/shift``                the shift is over
``PUT /sim/alarms/{name}``                        a CloudWatch alarm as `AlarmSetting` says
``DELETE /sim/alarms/{name}``                     it exists no more
================================================  ========================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from saferollout.sim.cloudwatch.alarms import AlarmSetting
from saferollout.sim.objects import Key
from saferollout.sim.store import ApiError
from saferollout.sim.world import Site


class Control:
    """The routes, for one site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to be added to an application."""
        outages = self._site.outages
        return [
            web.get("/sim/world", self._describe),
            web.get("/sim/traffic", self._read_traffic),
            web.delete("/sim/nodes/{name}", self._kill_node),
            web.put("/sim/zones/{name}/shift", self._on_zone(set.add)),
            web.delete("/sim/zones/{name}/shift", self._on_zone(set.discard)),
            web.put("/sim/alarms/{name:.+}", self._put_alarm),
            web.delete("/sim/alarms/{name:.+}", self._remove_alarm),
            web.delete("/sim/pods/{namespace}/{name}", self._on_pod(outages.kill_pod)),
            web.post("/sim/pods/{namespace}/{name}/silence", self._on_pod(outages.silence)),
            web.post("/sim/pods/{namespace}/{name}/revive", self._on_pod(outages.revive)),
        ]

    async def _describe(self, _: web.Request) -> web.Response:
        config = self._site.config
        groups = {group.name: group.arn for group in config.target_groups}
        return web.json_response(
            {
                "now": self._site.timeline.now,
                "speed": config.speed,
                "zones": config.zones,
                "targetGroups": groups,
            }
        )

    async def _read_traffic(self, request: web.Request) -> web.Response:
        try:
            since = float(request.query.get("since", -math.inf))
            until = float(request.query.get("until", math.inf))
        except ValueError:
            return web.json_response({"error": "since and until are seconds since the epoch"}, status=400)
        traffic = self._site.traffic
        return web.json_response({name: each.tally.summary(since, until) for name, each in traffic.items()})

    async def _kill_node(self, request: web.Request) -> web.Response:
        self._site.outages.kill_node(request.match_info["name"])
        return web.json_response({})

    def _on_zone(self, change: Callable[[set[str], str], None]) -> Handler:
        """Make the handler of a route that changes which zones are shifted away."""

        async def handle(request: web.Request) -> web.Response:
            for group in self._site.groups.values():
                change(group.shifted, request.match_info["name"])
            return web.json_response({})

        return handle

    async def _put_alarm(self, request: web.Request) -> web.Response:
        try:
            setting = AlarmSetting.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        self._site.alarms.put(request.match_info["name"], setting)
        return web.json_response({})

    async def _remove_alarm(self, request: web.Request) -> web.Response:
        self._site.alarms.remove(request.match_info["name"])
        return web.json_response({})

    def _on_pod(self, break_it: Callable[[Key], None]) -> Handler:
        """Make the handler of a route that does something to one pod."""

        async def handle(request: web.Request) -> web.Response:
            try:
                break_it((request.match_info["namespace"], request.match_info["name"]))
            except ApiError as error:
                return web.json_response({"error": error.message}, status=error.status)
            return web.json_response({})

        return handle
