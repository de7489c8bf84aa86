"""What AWS has answered, about targets and about alarms. Times are seconds since the epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from saferollout.api.reasons import Reason


class TargetState(StrEnum):
    """``TargetHealth.State`` of ELBv2 (botocore ``elbv2`` service model, ``TargetHealthStateEnum``)."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNHEALTHY_DRAINING = "unhealthy.draining"
    UNUSED = "unused"
    DRAINING = "draining"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Target:
    """One target as ``DescribeTargetHealth`` lists it.

    ``shifted``: an administrative override, such as a zonal shift, keeps requests from it, however healthy.
    ``zone`` is where ELBv2 takes it to be, ``None`` if it does not say.
    """

    id: str
    port: int
    state: TargetState
    reason: str = ""
    description: str = ""
    shifted: bool = False
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """One target group and its latest answer.

    ``targets`` is ``None`` when ELBv2 has not answered; ``problem`` then says why, and ``detail`` in words.
    ``asked_at`` is when the question behind ``targets`` was *sent*, so its age is never understated.
    ``ports`` are the container ports, by number or name, that are registered in it; empty when nobody says,
    and any port that a pod declares will do. Where Nodes are its targets (``by_instance``) they are node
    ports, and any will do when nobody says. ``source`` tells people where the group came from. In a
    ``shared`` one are targets of other clusters too.
    """

    arn: str
    name: str
    target_type: str = "ip"
    targets: tuple[Target, ...] | None = None
    asked_at: float = 0.0
    problem: Reason | None = None
    detail: str = ""
    ports: tuple[int | str, ...] = ()
    source: str = ""
    shared: bool = False

    @property
    def by_instance(self) -> bool:
        """Whether its targets are the instances that pods run on, not the pods."""
        return self.target_type == "instance"


class AlarmValue(StrEnum):
    """``StateValue`` of CloudWatch (botocore ``cloudwatch`` service model)."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class AlarmState:
    """One alarm and its latest answer.

    ``value`` is ``None`` when it is not known; ``problem`` then says why, and what to do. It may also say why
    there is no newer answer. ``reason`` is CloudWatch's own sentence on the state, ``since`` when it entered
    it (epoch seconds). ``asked_at`` is when the question behind ``value`` was *sent*.
    """

    name: str
    value: AlarmValue | None = None
    reason: str = ""
    asked_at: float = 0.0
    problem: str = ""
    since: float | None = None
