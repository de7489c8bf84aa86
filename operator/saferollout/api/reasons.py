"""Phases, reasons and conditions: the words a SafeRollout is described with, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a SafeRollout stands, in one word."""

    IDLE = "Idle"
    PROGRESSING = "Progressing"
    HOLDING = "Holding"
    PAUSED = "Paused"
    DEGRADED = "Degraded"


class ConditionType(StrEnum):
    """Condition types. The first three follow kstatus, so Flux and ``kubectl wait`` need no teaching."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    TARGET_GROUPS_RESOLVED = "TargetGroupsResolved"
    ZONES_SAFE = "ZonesSafe"


class Reason(StrEnum):
    """Why a SafeRollout is where it is. Every wait has one."""

    COMPLETE = "Complete"

    STARTING = "Starting"
    RELEASING = "Releasing"
    WAITING_FOR_PODS = "WaitingForPods"
    WAITING_FOR_HEALTH = "WaitingForHealth"
    WAITING_FOR_READY_AGE = "WaitingForReadyAge"
    WAITING_FOR_DRAIN = "WaitingForDrain"
    SETTLING_COSTS = "SettlingCosts"
    FINISHING = "Finishing"

    HEALTH_TIMEOUT = "HealthTimeout"
    DRAIN_TIMEOUT = "DrainTimeout"
    ZONE_FLOOR = "ZoneFloor"
    ZONE_UNKNOWN = "ZoneUnknown"
    CAPACITY_LOW = "CapacityLow"
    TARGET_HEALTH_STALE = "TargetHealthStale"
    CACHE_STALE = "CacheStale"

    PAUSED_BY_SPEC = "PausedBySpec"
    DEPLOYMENT_PAUSED = "DeploymentPaused"

    INVALID_SPEC = "InvalidSpec"
    DEPLOYMENT_NOT_FOUND = "DeploymentNotFound"
    DEPLOYMENT_ALREADY_WRAPPED = "DeploymentAlreadyWrapped"
    STRATEGY_UNSUPPORTED = "StrategyUnsupported"
    NO_TARGET_GROUP = "NoTargetGroup"
    TARGET_GROUP_MALFORMED = "TargetGroupMalformed"
    TARGET_GROUP_NOT_FOUND = "TargetGroupNotFound"
    TARGET_GROUP_OTHER_REGION = "TargetGroupOtherRegion"
    TARGET_GROUP_UNSUPPORTED = "TargetGroupUnsupported"
    NO_CREDENTIALS = "NoCredentials"
    ACCESS_DENIED = "AccessDenied"
    THROTTLED = "Throttled"
    ENDPOINT_UNREACHABLE = "EndpointUnreachable"
    ELB_ERROR = "ELBError"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a reason means for the user: the phase it shows under, the meaning, and what to do about it.

    ``stalled`` sets the kstatus condition of that name: nothing will change until somebody does something.
    """

    phase: Phase
    meaning: str
    remedy: str
    stalled: bool = False
