"""What is read of the wrapped Deployment, its ReplicaSets and their pods: frozen, and free of API objects.

Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from saferollout.decide.policy import IntOrPercent


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
    the operator's annotation, or of the guard's, is on it, ``owned`` whether the operator has written a field
    of it. ``labels`` are its template's. ``failure`` is why it gets no pods (condition ``ReplicaFailure``: a
    quota, an admission), empty if it does.
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
    owned: bool = False
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
