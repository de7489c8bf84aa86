"""The snapshot that every decision is made from: frozen, typed, and free of API objects.

Times are seconds since the epoch, UTC. Addresses are strings as Kubernetes and ELBv2 write them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from saferollout.api.reasons import Reason
from saferollout.decide.answers import AlarmState, TargetGroup
from saferollout.decide.memory import Memory
from saferollout.decide.policy import Policy, Tuning
from saferollout.decide.workload import Deployment, Pod, ReplicaSet


class Action(StrEnum):
    """What people ask for by annotation."""

    APPROVE = "approve"
    RETRY = "retry"
    ABORT = "abort"
    SKIP_GATE = "skip-gate"


@dataclass(frozen=True, slots=True)
class Asked:
    """An action as it is written in the annotation, and the field manager that wrote it there."""

    action: str
    by: str


@dataclass(frozen=True, slots=True)
class Guard:
    """Whether an admission policy pauses the Deployment in the write that changes its template.

    ``in_force`` is ``None`` while nobody knows; ``detail`` then says why, in words.
    """

    in_force: bool | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps the rollout from being followed at all, with a sentence on what to do."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One immutable snapshot of everything a decision depends on.

    ``problems`` were found on the way here (a bad spec, a missing Deployment, a stale cache).
    ``deleting`` says that the SafeRollout is going away and the Deployment is to be given back.
    ``watched_since`` is since when this operator has looked without a break.
    ``asked`` is what somebody asks for, until it is answered.
    ``foreign`` are addresses of draining targets that a live pod outside of the Deployment has by now: those
    targets are that pod's.
    ``vanished`` are pods that are gone, for a while: there may have been no look at them on their way out.
    ``alarms`` are those of the policy that have been asked for.
    """

    now: float
    name: str
    policy: Policy
    tuning: Tuning = field(default_factory=Tuning)
    memory: Memory = field(default_factory=Memory)
    deployment: Deployment | None = None
    replica_sets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()
    problems: tuple[Problem, ...] = ()
    deleting: bool = False
    watched_since: float = 0.0
    foreign: frozenset[str] = frozenset()
    asked: Asked | None = None
    vanished: tuple[Pod, ...] = ()
    alarms: tuple[AlarmState, ...] = ()
    guard: Guard = Guard()
