"""The snapshot that every decision is made from: frozen, typed, and free of API objects.

Times are seconds since the epoch, UTC. Addresses are strings as Kubernetes and ELBv2 write them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from saferollout.api.reasons import Reason

IntOrPercent = int | str
"""A number of pods, or a percent of them such as ``25%`` (Kubernetes' int-or-string)."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """``spec.strategy`` of a Deployment.

    ``max_surge`` and ``max_unavailable`` are as written (int or percent), ``None`` with ``Recreate``.
    """

    type: str
    max_surge: IntOrPercent | None = None
    max_unavailable: IntOrPercent | None = None


Labels = frozenset[tuple[str, str]]
"""Labels, or a selector of them: what is in the selector has to be among the labels."""


@dataclass(frozen=True, slots=True)
class Leave:
    """How the pods of a template take their leave, in seconds.

    ``pre_stop`` is the longest sleep of a preStop hook, 0 without one or when it does something else.
    ``grace`` is ``terminationGracePeriodSeconds``.
    """

    pre_stop: float = 0.0
    grace: int = 30


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is read of the wrapped Deployment.

    ``template`` is a digest of ``spec.template``; a ReplicaSet with the same digest is its new one.
    ``labels`` are the template's, and so those of the pods to come. ``ledger`` is the text of the operator's
    annotation, ``None`` when there is none. ``label`` is the value of the operator's label, ``None`` without
    one. ``held_by_guard``: an admission policy has paused it because its template changed, and nobody has
    taken that over yet.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    observed_generation: int
    replicas: int
    paused: bool
    strategy: Strategy
    min_ready_seconds: int
    progress_deadline_seconds: int | None
    template: str
    ledger: str | None = None
    deleting: bool = False
    labels: Labels = frozenset()
    leave: Leave = Leave()
    writers: tuple[tuple[str, str], ...] = ()
    """Who else wrote a field last that the operator writes, by its name here; "" is any of the spec."""
    deadline_declared: bool = False
    """Whether the manifest that is applied has ``progressDeadlineSeconds`` in it."""
    label: str | None = None
    held_by_guard: bool = False


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """A ReplicaSet that a Deployment controls.

    ``hash`` is its ``pod-template-hash``. ``replicas`` are those it is told to have (``spec.replicas``: what
    the Deployment controller adds up). ``owner`` is the UID of the Deployment. ``noted`` is whether a copy of
    the operator's annotation, or of the guard's, is on it. ``labels`` are its template's. ``failure`` is why
    it gets no pods (condition ``ReplicaFailure``: a quota, an admission), empty if it does.
    """

    name: str
    uid: str
    hash: str
    template: str
    created_at: float
    replicas: int
    available: int
    min_ready_seconds: int = 0
    failure: str = ""
    noted: bool = False
    owner: str = ""
    labels: Labels = frozenset()
    leave: Leave = Leave()
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that a container declares; ``name`` is empty when it has none."""

    number: int
    name: str = ""


FINISHED = frozenset({"Succeeded", "Failed"})
"""Phases in which a pod has given its address back."""


class Disruption(StrEnum):
    """Who takes a pod that its ReplicaSet wants: the reason of its condition ``DisruptionTarget``.

    https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """

    EVICTION = "EvictionByEvictionAPI"
    TAINT = "DeletionByTaintManager"
    NODE_GONE = "DeletionByPodGC"
    PREEMPTION = "PreemptionByScheduler"
    KUBELET = "TerminationByKubelet"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of one of the Deployment's ReplicaSets, by the UID of its owner.

    ``ready_since`` is when it became Ready, ``None`` while it is not. ``zone`` is ``None`` while unknown.
    ``ports`` are its containers' declared ports. ``deletion_cost`` is the annotation's text.
    ``phase`` is ``status.phase`` (``Pending``, ``Running``, …). ``host_network``: the address is its Node's.
    ``instance`` is the id of its Node's EC2 instance, ``None`` where that is not known to be one.
    ``node_goes``: its Node takes no new pods or is on its way out, so the pod will have to go.
    ``disruption`` is who takes it, ``None`` unless somebody does, and ``disrupted_at`` since when.
    """

    name: str
    uid: str
    owner: str
    created_at: float
    ip: str | None = None
    ports: tuple[ContainerPort, ...] = ()
    node: str | None = None
    zone: str | None = None
    phase: str = "Pending"
    ready_since: float | None = None
    terminating: bool = False
    restarts: int = 0
    deletion_cost: str | None = None
    cost_before: str | None = None
    """The cost the pod had before the operator wrote one, ``None`` if the operator wrote none."""
    host_network: bool = False
    ended_at: float | None = None
    """When its last container ended, ``None`` while one runs or nobody has said."""
    instance: str | None = None
    deleted_at: float | None = None
    """When it was sent away, ``None`` unless it is on its way out."""
    trouble: str = ""
    """What keeps it from starting, in a word or a sentence (``ImagePullBackOff``), empty if nobody says."""
    node_goes: bool = False
    disruption: Disruption | None = None
    disrupted_at: float | None = None
    version: int = field(default=0, compare=False)
    """The resourceVersion it was read at: a pod of another one is the same to a decision."""


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


@dataclass(frozen=True, slots=True)
class WatchedAlarm:
    """A CloudWatch alarm that is to be quiet.

    ``counts_without_data``: INSUFFICIENT_DATA is as bad as ALARM.
    """

    name: str
    counts_without_data: bool = False


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


@dataclass(frozen=True, slots=True)
class Policy:
    """What the SafeRollout asks for, validated. Timeouts and spans are seconds.

    ``floor_patience``: for how long a zone's floor is respected that cannot be kept, ``inf`` for ever.
    ``zone_bake``: between the last old pod of a zone and the first of the next, if they go ``zone_by_zone``.
    ``bake``: after every step, the last one included. ``approvals``: pods (int or percent) at which somebody
    has to approve of more. ``rolls_back``: what has failed is replaced by what was there before.
    ``keep_paused``: a Deployment that is given back in mid-rollout stays paused.
    """

    max_surge: IntOrPercent = 1
    health_timeout: float = 600.0
    drain_timeout: float = 1200.0
    min_healthy: IntOrPercent = 1
    paused: bool = False
    stable_for: float = 0.0
    max_unavailable: IntOrPercent = 0
    growth: int = 1
    floor_patience: float = math.inf
    zone_by_zone: bool = False
    zone_bake: float = 0.0
    bake: float = 0.0
    approvals: tuple[IntOrPercent, ...] = ()
    rolls_back: bool = False
    keep_paused: bool = False
    alarms: tuple[WatchedAlarm, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of the operator, the same for every rollout. All are seconds.

    ``least_fence``: a release waits until it can be fenced for at least this long; it is how long the
    operator may be dead in mid-release before the Deployment could move on by itself.
    ``settle``: how old written deletion costs must be before they are relied on (kubernetes issue 126138).
    ``stale_after``: how old an answer of ELBv2 may be and still count.
    """

    least_fence: float = 15.0
    settle: float = 2.0
    stale_after: float = 15.0


@dataclass(frozen=True, slots=True)
class Draining:
    """A target of a pod that was chosen to go, kept in status until ELBv2 has let go of it.

    ``ended_at`` is when the pod's containers had ended.
    """

    target_group: str
    id: str
    port: int
    pod: str
    zone: str | None
    since: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """How long load balancers could still send to retired pods whose containers had ended, in whole seconds.

    ``pods`` have been retired and let go of; ``seconds`` is their sum, ``worst`` that of one pod.
    """

    pods: int = 0
    seconds: int = 0
    worst: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """Pods that somebody took in mid-rollout, by who it was.

    ``leaving`` are the names of those that something is still left of, so that no pod is counted twice.
    """

    by: Disruption
    pods: int
    leaving: tuple[str, ...] = ()


class Because(StrEnum):
    """Why an old pod goes in the next step."""

    NOT_READY = "NotReady"
    ALL_GO = "AllGo"
    NOT_SERVING = "NotServing"
    MOST_TO_SPARE = "MostToSpare"


@dataclass(frozen=True, slots=True)
class Chosen:
    """An old pod that goes in the next step, by name."""

    pod: str
    zone: str | None
    because: Because


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
class Failed:
    """A revision that is not rolled out again until its template changes, or somebody retries.

    ``template`` is the digest of its template, ``restored`` of the one that takes its place. ``rolled_back``:
    that one has been seen on the Deployment since, so that the failed one, if it is back, is somebody's wish.
    """

    revision: str
    template: str
    restored: str
    cause: str
    at: float
    rolled_back: bool = False


@dataclass(frozen=True, slots=True)
class Takeover:
    """A field of the Deployment that somebody else has written over the operator's value.

    ``field`` is its name in the API (``minReadySeconds``), ``manager`` the last writer by ``managedFields``,
    ``times`` how often the operator has written it again; ``since`` and ``latest`` are seconds.
    """

    field: str
    manager: str
    times: int
    since: float
    latest: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What the status remembers because the cluster cannot tell it.

    ``floors``: serving pods below which a zone must not go, taken when the rollout began, ``None`` before.
    ``retiring``: the old pods chosen for the next release, ``planned_at`` since when.
    ``waiting_since``: when the wait for ``reason`` began. ``step_started_at``: when the last release was.
    ``exposure`` is that of the rollout in progress, or of the last one, and so are the pods ``lost``.
    ``serving_since``: since when all new pods have been seen to serve, if that is asked for.
    ``zone``: whose old pods go now, if they go zone by zone; ``zone_since``: since when it is that one.
    ``failing_since``: since when not all new pods have served, ``None`` while they do or nobody knows.
    ``baking_since``: since when all new pods have served and all old targets been drained.
    ``approved``: how many of the points of approval have been passed. ``skipped``: gates that somebody has
    had skipped for the next release, at ``skipped_at``. ``failed``: what was rolled back, or is to be.
    ``ledger`` is a copy of the Deployment's annotation, which others may take away or replace by an old one.
    ``takeovers``: fields of the Deployment that somebody else writes too.
    """

    stable: str | None = None
    target: str | None = None
    reason: Reason | None = None
    waiting_since: float | None = None
    started_at: float | None = None
    step_started_at: float | None = None
    floors: tuple[tuple[str, int], ...] | None = None
    retiring: tuple[Chosen, ...] = ()
    planned_at: float | None = None
    draining: tuple[Draining, ...] = ()
    serving_since: float | None = None
    exposure: Exposure = Exposure()
    zone: str | None = None
    zone_since: float | None = None
    failing_since: float | None = None
    baking_since: float | None = None
    approved: int = 0
    skipped: tuple[Reason, ...] = ()
    skipped_at: float | None = None
    failed: Failed | None = None
    lost: tuple[Lost, ...] = ()
    ledger: str | None = None
    takeovers: tuple[Takeover, ...] = ()


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
