"""A target group: who is registered, and how healthy they are. Knows neither Kubernetes nor HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from saferollout.decide.answers import TargetState
from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.elbv2.health import (
    CHECKING,
    DRAINING,
    GROUP_NOT_IN_USE,
    NOT_REGISTERED,
    REGISTERING,
    UNCHECKED,
    ZONE_NOT_IN_USE,
    Address,
    Answer,
    Health,
)
from saferollout.sim.timeline import Event, Timeline

Probe = Callable[[Address], Answer]
"""Asks a target how it is: the address is its id and the port that health checks go to."""

ZoneOf = Callable[[str], str | None]
"""The zone an IP address or instance id is in, ``None`` if unknown."""


@dataclass(slots=True, eq=False)
class Target:
    """A registered or draining target. ``since`` is when its health last changed."""

    address: Address
    zone: str | None
    health: Health = NOT_REGISTERED
    since: float = 0.0
    successes: int = 0
    failures: int = 0
    coming: Event | None = field(default=None, repr=False)

    @property
    def state(self) -> TargetState:
        """The state alone."""
        return self.health.state


Listener = Callable[[Target], None]


class TargetGroup:
    """Registration, health checks and deregistration of targets, keyed by id *and* port.

    A target is ``initial`` while it is being registered and first checked, ``healthy`` after as many passed
    checks as the threshold says, ``draining`` for the deregistration delay, and then gone.
    """

    def __init__(self, timeline: Timeline, config: TargetGroupConfig, probe: Probe, zone_of: ZoneOf) -> None:
        self.config = config
        self._timeline = timeline
        self._probe = probe
        self._zone_of = zone_of
        self.shifted: set[str] = set()
        """Zones that a zonal shift keeps requests from."""
        self._targets: dict[Address, Target] = {}
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Have ``listener`` called after every change of a target's health, its end included."""
        self._listeners.append(listener)

    def describe(self) -> list[Target]:
        """Every target that is registered or draining, in order of registration."""
        return list(self._targets.values())

    def health(self, address: Address) -> Health:
        """The health of one target, ``unused/Target.NotRegistered`` if there is none of that address."""
        target = self._targets.get(address)
        return NOT_REGISTERED if target is None else target.health

    def registered(self) -> list[Target]:
        """The targets that are registered, those that are draining left out."""
        return [target for target in self._targets.values() if target.health is not DRAINING]

    def register(self, address: Address) -> None:
        """Register a target. Nothing happens if it is registered; one that drains starts afresh."""
        known = self._targets.get(address)
        if known is not None:
            if known.health is not DRAINING:
                return
            self._forget(known)
        target = Target(address, self._zone_of(address.id))
        self._targets[address] = target
        if not self.config.attached:
            self._become(target, GROUP_NOT_IN_USE)
        elif self.config.zones and target.zone not in self.config.zones:
            self._become(target, ZONE_NOT_IN_USE)
        else:
            self._become(target, REGISTERING)
            self._later(target, self.config.registration_seconds, self._begin_checks)

    def deregister(self, address: Address) -> None:
        """Take a target out. It drains for the deregistration delay, unless it never got any traffic."""
        target = self._targets.get(address)
        if target is None or target.health is DRAINING:
            return
        if target.state is TargetState.UNUSED:
            self._forget(target)
            return
        self._become(target, DRAINING)
        self._later(target, self.config.deregistration_delay_seconds, self._forget)

    def _begin_checks(self, target: Target) -> None:
        if self.config.health_check.enabled:
            self._become(target, CHECKING)
            self._check(target)
        else:
            self._become(target, UNCHECKED)

    def _check(self, target: Target) -> None:
        check = self.config.health_check
        answer = self._probe(Address(target.address.id, check.port or target.address.port))
        if answer is Answer.OK:
            target.successes, target.failures = target.successes + 1, 0
        else:
            target.successes, target.failures = 0, target.failures + 1
        if (verdict := self._verdict(target, answer)) is not target.health:
            self._become(target, verdict)
        self._later(target, check.interval_seconds, self._check)

    def _verdict(self, target: Target, answer: Answer) -> Health:
        check = self.config.health_check
        if answer is Answer.STOPPED:
            return answer.health
        if answer is Answer.OK:
            return answer.health if target.successes >= check.healthy_threshold else target.health
        if target.failures < check.unhealthy_threshold:
            return target.health
        return self._failing(target, answer.health)

    def _failing(self, target: Target, failed: Health) -> Health:
        """``unhealthy``, for an NLB's once healthy target after a time of ``unhealthy.draining``."""
        seconds = self.config.unhealthy_draining_seconds
        if seconds and target.state is TargetState.HEALTHY:
            return Health(TargetState.UNHEALTHY_DRAINING, failed.reason, failed.description)
        if target.state is TargetState.UNHEALTHY_DRAINING:
            over = self._timeline.now >= target.since + seconds / self._timeline.speed
            return failed if over else target.health
        return failed

    def _later(self, target: Target, seconds: float, then: Callable[[Target], None]) -> None:
        if target.coming is not None:
            target.coming.cancel()
        target.coming = self._timeline.after_scaled(seconds, partial(then, target))

    def _forget(self, target: Target) -> None:
        if target.coming is not None:
            target.coming.cancel()
        del self._targets[target.address]
        self._become(target, NOT_REGISTERED)

    def _become(self, target: Target, health: Health) -> None:
        target.health = health
        target.since = self._timeline.now
        for listener in self._listeners:
            listener(target)
