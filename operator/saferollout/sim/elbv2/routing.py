"""What the data plane believes of a target group: the word of the control plane, some time later."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from saferollout.decide.answers import TargetState
from saferollout.sim.elbv2.health import DRAINING, Health
from saferollout.sim.elbv2.target_group import Target, TargetGroup
from saferollout.sim.timeline import Timeline

_TAKES_TRAFFIC = frozenset({TargetState.HEALTHY, TargetState.UNAVAILABLE})
_LAST_RESORT = frozenset({TargetState.UNHEALTHY, TargetState.UNHEALTHY_DRAINING})


class Routing:
    """Where new requests go.

    ``stray`` are those that are being deregistered and get requests
    all the same, for the ``stray_seconds`` of the group.
    """

    def __init__(self, timeline: Timeline, group: TargetGroup) -> None:
        self._up: tuple[Target, ...] = ()
        self.stray: tuple[Target, ...] = ()
        self._timeline = timeline
        self._group = group
        group.subscribe(self._hear)

    @property
    def up(self) -> tuple[Target, ...]:
        """The targets that are taken for healthy, in zones that are not shifted away."""
        return tuple(target for target in self._up if target.zone not in self._group.shifted)

    @property
    def has_registered(self) -> bool:
        """Whether any target is registered and in use, fit for requests or not."""
        return any(target.state is not TargetState.UNUSED for target in self._group.registered())

    def last_resort(self) -> list[Target]:
        """Where requests go when nothing is healthy: unhealthy targets (fail-open), never initial ones."""
        return [target for target in self._group.registered() if target.state in _LAST_RESORT]

    def _hear(self, target: Target) -> None:
        config = self._group.config
        self._timeline.after_scaled(config.lag_seconds, partial(self._learn, target, target.health))
        if target.health is DRAINING:
            until = max(config.stray_seconds, config.lag_seconds)
            self._timeline.after_scaled(until, partial(self._let_go, target))

    def _learn(self, target: Target, health: Health) -> None:
        was_up = target in self._up
        self._up = _without(self._up, target)
        if health.state in _TAKES_TRAFFIC:
            self._up = (*self._up, target)
        elif was_up and health is DRAINING:
            self.stray = (*self.stray, target)

    def _let_go(self, target: Target) -> None:
        self.stray = _without(self.stray, target)


def _without(targets: Iterable[Target], one: Target) -> tuple[Target, ...]:
    return tuple(target for target in targets if target is not one)
