"""The words ELBv2 has for the health of a target (botocore's ``elbv2`` service model), in one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from saferollout.decide.answers import TargetState


class Address(NamedTuple):
    """What a target is known by: an IP address (or instance id) *and* a port."""

    id: str
    port: int


@dataclass(frozen=True, slots=True)
class Health:
    """``TargetHealth`` of a reply. ``reason`` and ``description`` are empty for a healthy target."""

    state: TargetState
    reason: str = ""
    description: str = ""


HEALTHY = Health(TargetState.HEALTHY)
REGISTERING = Health(TargetState.INITIAL, "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Health(TargetState.INITIAL, "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = Health(
    TargetState.DRAINING, "Target.DeregistrationInProgress", "Target deregistration is in progress"
)
NOT_REGISTERED = Health(
    TargetState.UNUSED, "Target.NotRegistered", "Target is not registered to the target group"
)
GROUP_NOT_IN_USE = Health(
    TargetState.UNUSED,
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
ZONE_NOT_IN_USE = Health(
    TargetState.UNUSED,
    "Target.NotInUse",
    "Target is in an Availability Zone that is not enabled for the load balancer",
)
UNCHECKED = Health(
    TargetState.UNAVAILABLE,
    "Target.HealthCheckDisabled",
    "Health checks are disabled for this target group",
)


class Answer(Enum):
    """What a health check got from a target, and the health that leads to once it persists."""

    _value_: Health

    OK = HEALTHY
    MISMATCH = Health(
        TargetState.UNHEALTHY,
        "Target.ResponseCodeMismatch",
        "Health checks failed with these codes: [503]",
    )
    REFUSED = Health(TargetState.UNHEALTHY, "Target.FailedHealthChecks", "Health checks failed")
    TIMEOUT = Health(TargetState.UNHEALTHY, "Target.Timeout", "Request timed out")
    STOPPED = Health(
        TargetState.UNUSED, "Target.InvalidState", "Target is in the stopped or terminated state"
    )

    @property
    def health(self) -> Health:
        """The health it leads to."""
        return self._value_
