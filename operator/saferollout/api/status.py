"""The status of a SafeRollout: what the operator found, waits for, and has to remember."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt

from saferollout.api.model import Model
from saferollout.api.reasons import Phase
from saferollout.api.times import MicroTime, Time
from saferollout.decide.decision import Outcome
from saferollout.decide.memory import Because
from saferollout.decide.workload import Disruption


class Revision(Model):
    """Which ReplicaSets are meant, by the value of their pod-template-hash label."""

    stable: str | None = Field(
        default=None, description="The revision that the rollout started from; at rest, the one that runs."
    )
    target: str | None = Field(default=None, description="The revision that it leads to.")


class RetiringPod(Model):
    """An old pod that goes in the next step, and why it is the one."""

    pod: str = Field(description="Name of the pod.")
    zone: str | None = Field(default=None, description="Zone of the pod. Absent while unknown.")
    because: Because = Field(
        description="NotReady: the ReplicaSet controller takes it first whatever is said. AllGo: every pod "
        "of its ReplicaSet goes. NotServing: nothing is lost with it. MostToSpare: of all zones, its zone is "
        "furthest above its floor."
    )


class StepStatus(Model):
    """The step that the rollout is in."""

    index: NonNegativeInt | None = Field(default=None, description="Steps released so far.")
    total: NonNegativeInt | None = Field(default=None, description="Steps that the rollout takes.")
    started_at: MicroTime | None = Field(default=None, description="When the latest step was released.")
    planned_at: MicroTime | None = Field(default=None, description="When the next step was planned.")
    serving_since: MicroTime | None = Field(
        default=None,
        description="Since when all new pods have been seen to serve. Absent unless stableFor asks for it.",
    )
    retiring: tuple[RetiringPod, ...] = Field(
        default=(),
        description="Old pods chosen to go in the next step.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    failing_since: MicroTime | None = Field(
        default=None, description="Since when new pods are missing or do not serve. Absent while all serve."
    )
    baking_since: MicroTime | None = Field(
        default=None, description="Since when the step is complete: from then on it bakes."
    )
    approved: tuple[str, ...] = Field(
        default=(),
        description="Those of spec.approvals, as they are written, that somebody has approved of.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    skipped: tuple[str, ...] = Field(
        default=(),
        description="Gates that somebody has had skipped for the next release, by reason.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    skipped_at: MicroTime | None = Field(default=None, description="When the latest of them was skipped.")
    zone: str | None = Field(
        default=None, description="The zone whose old pods go now. Absent unless they go zone by zone."
    )
    zone_since: MicroTime | None = Field(
        default=None, description="Since when it is that zone: from then on it is baked."
    )


class FailedRevision(Model):
    """A revision that failed: it is not rolled out again unless its template changes, or somebody retries."""

    revision: str = Field(description="The revision.")
    cause: str = Field(description="Why it failed.")
    at: MicroTime = Field(description="When it failed.")
    template: str = Field(description="Digest of its template.")
    restored: str = Field(description="Digest of the template that takes its place.")
    rolled_back: bool = Field(description="Whether that template has taken its place.")


class Replicas(Model):
    """Pods of the Deployment."""

    desired: NonNegativeInt = Field(description="Replicas that the Deployment asks for.")
    updated: NonNegativeInt = Field(description="Pods of the target revision.")
    serving: NonNegativeInt = Field(
        description="Pods that are Ready, not terminating, and healthy in every target group."
    )
    draining: NonNegativeInt = Field(description="Pods on their way out whose targets are not drained yet.")


class ZoneStatus(Model):
    """Pods of the Deployment in one zone."""

    name: str = Field(description="Name of the zone, as in the label topology.kubernetes.io/zone.")
    serving: NonNegativeInt = Field(description="Serving pods in the zone.")
    updated: NonNegativeInt = Field(description="Pods of the target revision in the zone.")
    had: NonNegativeInt | None = Field(
        default=None, description="Pods of the zone when the rollout began. Absent at rest."
    )
    floor: NonNegativeInt | None = Field(
        default=None,
        description="Serving pods below which the rollout does not take the zone. Absent at rest.",
    )


class TargetGroupStatus(Model):
    """What ELBv2 says of one target group. Counts are targets."""

    name: str = Field(description="Name of the target group.")
    arn: str = Field(description="ARN of the target group.")
    source: str | None = Field(
        default=None, description="Where it was found: the spec, or a TargetGroupBinding."
    )
    target_type: str = Field(description="Target type: ip, or instance.")
    healthy: NonNegativeInt = Field(description="Targets that are healthy.")
    initial: NonNegativeInt = Field(description="Targets that are being registered or first checked.")
    unhealthy: NonNegativeInt = Field(description="Targets that fail their checks.")
    draining: NonNegativeInt = Field(description="Deregistered targets that may still have connections.")


class DrainingTarget(Model):
    """A target of a pod that was chosen to go, until ELBv2 has let go of it."""

    target_group: str = Field(description="Name of the target group.")
    arn: str = Field(description="ARN of the target group.")
    id: str = Field(description="The target's address.")
    port: NonNegativeInt = Field(description="The target's port.")
    pod: str | None = Field(default=None, description="Name of the pod, absent if it is gone and unknown.")
    zone: str | None = Field(default=None, description="Zone of the pod, absent if unknown.")
    since: MicroTime = Field(description="Since when the pod is on its way out.")
    ended_at: MicroTime | None = Field(
        default=None, description="When its containers had ended. Absent while one of them runs."
    )


class ExposureStatus(Model):
    """How long load balancers could still send to retired pods whose containers had ended."""

    pods: NonNegativeInt = Field(description="Retired pods whose targets ELBv2 has let go of.")
    seconds: NonNegativeInt = Field(description="Seconds, all of these pods together.")
    worst: NonNegativeInt = Field(description="Seconds, of the one pod for which it was longest.")


class LostPods(Model):
    """Pods that somebody else took in mid-rollout."""

    by: Disruption = Field(
        description="Who took them: the reason of their condition DisruptionTarget, or Other."
    )
    pods: NonNegativeInt = Field(description="How many, as far as an operator was there to see it.")
    leaving: tuple[str, ...] = Field(
        default=(),
        description="Names of those that are not gone yet, or whose targets are not.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class TakeoverStatus(Model):
    """A field of the Deployment that somebody else writes too."""

    field: str = Field(description="Name of the field in the Deployment's spec.")
    manager: str = Field(description="Who wrote it last, by managedFields. Empty if nobody is named there.")
    times: NonNegativeInt = Field(description="How often the operator has written it again.")
    since: MicroTime = Field(description="When that was first.")
    latest: MicroTime = Field(description="When it was last.")


class Summary(Model):
    """Ready-made columns of kubectl get, which cannot compose them itself."""

    step: str | None = Field(default=None, description="Steps released, of all: 3/10.")
    updated: str | None = Field(default=None, description="Pods of the target revision, of all: 3/10.")
    zones: str | None = Field(default=None, description="Serving pods by zone: 1a=4 1b=3 1c=4.")


TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
"""What the status of a condition is."""


class Condition(Model):
    """A condition as all Kubernetes objects have them."""

    type: str = Field(description="Ready, Reconciling, Stalled, TargetGroupsResolved or ZonesSafe.")
    status: str = Field(description="True, False or Unknown.")
    reason: str = Field(description="One word on why.", min_length=1)
    message: str = Field(description="A sentence on why. May be empty.")
    last_transition_time: Time = Field(description="When the status of the condition last changed.")
    observed_generation: NonNegativeInt = Field(description="The generation of the spec it is about.")


class PastRollout(Model):
    """A rollout that has ended."""

    revision: str = Field(description="The revision that it led to.")
    started_at: Time = Field(description="When it began.")
    finished_at: Time = Field(description="When it ended.")
    outcome: str = Field(description=f"How it ended: {' or '.join(Outcome)}.")
    steps: NonNegativeInt = Field(description="Steps that it took.")


class Status(Model):
    """What the operator found, waits for, and has to remember."""

    observed_generation: NonNegativeInt | None = Field(
        default=None, description="The generation of the spec that this status is about."
    )
    phase: str | None = Field(
        default=None, description=f"Where the rollout stands, in one word: {', '.join(Phase)}."
    )
    reason: str | None = Field(
        default=None, description="Why it stands there, in one word. See docs/reasons.md."
    )
    message: str | None = Field(
        default=None, description="Why it stands there, in a sentence with the numbers."
    )
    waiting_since: MicroTime | None = Field(default=None, description="Since when the reason is what it is.")
    started_at: MicroTime | None = Field(
        default=None, description="When the rollout in progress began. Absent at rest."
    )
    revision: Revision | None = Field(default=None, description="Where the rollout comes from and leads to.")
    failed: FailedRevision | None = Field(
        default=None, description="The revision that failed last. Absent once the template is another."
    )
    step: StepStatus | None = Field(default=None, description="The step that the rollout is in.")
    replicas: Replicas | None = Field(default=None, description="Pods of the Deployment.")
    zones: tuple[ZoneStatus, ...] = Field(
        default=(),
        description="Pods of the Deployment by zone.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    target_groups: tuple[TargetGroupStatus, ...] = Field(
        default=(),
        description="What ELBv2 says of the target groups.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["arn"]},
    )
    draining: tuple[DrainingTarget, ...] = Field(
        default=(),
        description="Targets of retired pods that ELBv2 has not let go of yet, oldest first.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    unshown: str | None = Field(
        default=None,
        description="Entries of draining, step.retiring and lost.leaving beyond the 8 that are listed, for "
        "the operator to remember: JSON, compressed by xz, in base64. Absent when all are listed.",
    )
    exposure: ExposureStatus | None = Field(
        default=None,
        description="How long load balancers could still send to retired pods whose containers had ended, in "
        "the rollout in progress or the last one.",
    )
    lost: tuple[LostPods, ...] = Field(
        default=(),
        description="Pods that somebody else took, in the rollout in progress or the last one.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["by"]},
    )
    ledger: str | None = Field(
        default=None,
        description="Copy of the annotation saferollout.dev/ledger of the Deployment: what the user has in "
        "the fields that are changed. For when somebody takes the annotation away or brings back an old one.",
    )
    takeovers: tuple[TakeoverStatus, ...] = Field(
        default=(),
        description="Fields of the Deployment that somebody else writes too. See the condition FieldsKept.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["field"]},
    )
    summary: Summary | None = Field(default=None, description="Ready-made columns of kubectl get.")
    conditions: tuple[Condition, ...] = Field(
        default=(),
        description="Conditions. Ready, Reconciling and Stalled follow kstatus.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    history: tuple[PastRollout, ...] = Field(
        default=(),
        description="The last ten rollouts, latest first.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
