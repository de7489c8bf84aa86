"""The two kinds of load balancer, from a client's side: what DNS says, and what becomes of a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from random import Random
from typing import Protocol

from saferollout.sim.elbv2.health import Address
from saferollout.sim.elbv2.routing import Routing
from saferollout.sim.elbv2.target_group import Target

Answers = Callable[[Address], bool]
"""Whether a process takes connections at that address and port now."""


class Outcome(StrEnum):
    """What became of a request. Everything but ``OK`` is a failure that a user sees."""

    OK = "ok"
    BAD_GATEWAY = "502-dead-target"
    NOT_YET = "502-initial-targets"
    UNAVAILABLE = "503-no-target"
    RESET_BY_TARGET = "reset-dead-target"
    RESET_BY_ZONE = "reset-empty-zone"


class LoadBalancer(Protocol):
    """What a client can do with a load balancer."""

    def resolve(self) -> Sequence[str]:
        """Return the addresses that DNS gives now."""

    def request(self, address: str, chance: Random) -> Outcome:
        """Send one request, over a new connection, to an address that DNS gave at some time."""


class ApplicationLoadBalancer:
    """ALB: any healthy target of any zone. With none healthy the unhealthy ones, with none registered 503.

    Initial targets get nothing before they pass; when there is nothing else, clients see 502
    (aws-load-balancer-controller 1124).
    """

    def __init__(self, routing: Routing, answers: Answers) -> None:
        self._routing = routing
        self._answers = answers

    def resolve(self) -> Sequence[str]:
        """Return the one address: which node of an ALB is asked makes no difference to where requests go."""
        return ("alb",)

    def request(self, address: str, chance: Random) -> Outcome:  # noqa: ARG002 - the same from everywhere
        """Send one request."""
        routing = self._routing
        targets = (*(routing.up or routing.last_resort()), *routing.stray)
        if not targets:
            return Outcome.NOT_YET if routing.has_registered else Outcome.UNAVAILABLE
        return Outcome.OK if self._answers(chance.choice(targets).address) else Outcome.BAD_GATEWAY


class NetworkLoadBalancer:
    """NLB: an address for each zone, in DNS while that zone has a healthy target.

    Without cross-zone load balancing an address leads to targets of its own zone only. When no zone has a
    healthy target, all are in DNS and lead to their unhealthy ones.
    """

    def __init__(self, routing: Routing, answers: Answers, zones: Sequence[str], *, cross_zone: bool) -> None:
        self._routing = routing
        self._answers = answers
        self._zones = tuple(zones)
        self._cross_zone = cross_zone

    def resolve(self) -> Sequence[str]:
        """Return the zones whose address is in DNS."""
        alive = tuple(zone for zone in self._zones if self._reachable(self._routing.up, zone))
        return alive or self._zones

    def request(self, address: str, chance: Random) -> Outcome:
        """Send one request to the address of a zone."""
        routing = self._routing
        healthy = self._reachable(routing.up or routing.last_resort(), address)
        if not healthy:
            return Outcome.RESET_BY_ZONE
        target = chance.choice([*healthy, *self._reachable(routing.stray, address)])
        return Outcome.OK if self._answers(target.address) else Outcome.RESET_BY_TARGET

    def _reachable(self, targets: Sequence[Target], zone: str) -> Sequence[Target]:
        return targets if self._cross_zone else [target for target in targets if target.zone == zone]
