"""The SafeRollout resource: what a user writes. Its status is in ``saferollout.api.status``.

Docstrings and descriptions are what ``kubectl explain`` shows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from saferollout.api.names import ACTION_ANNOTATION
from saferollout.api.rules import (
    AlarmName,
    ApprovalPoint,
    ObjectName,
    Pods,
    ServicePort,
    Span,
    Timeout,
    validation,
    validations,
)

_ONE_WAY = "one of arn, binding and service"
_ONE_OF_BOTH = "either maxSurge or maxUnavailable above 0, and 0 for the other"
_NONE = (0, "0%")
_ROLE_OF = "assumeRole beside an arn only: a binding names its role itself"


class Model(BaseModel):
    """A part of the resource: camelCase in JSON, immutable in Python."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True
    )


class DeploymentRef(Model):
    """The Deployment that is rolled out."""

    name: ObjectName = Field(description="Name of the Deployment, in the namespace of the SafeRollout.")


class ServiceRef(Model):
    """A Service that a load balancer sends to."""

    name: ObjectName = Field(description="Name of the Service, in the namespace of the SafeRollout.")
    port: ServicePort | None = Field(
        default=None,
        description="A port of the Service, by number or name. Absent: every port that is bound.",
    )


class AssumeRole(Model):
    """An IAM role in the account of the target group."""

    arn: StrictStr = Field(
        description="ARN of the role. It has to trust the operator's own, and be allowed what that one is.",
        max_length=2048,
        json_schema_extra=validation(
            "self.matches('^arn:[^:]+:iam::[0-9]{12}:role/.+$')",
            "write the ARN of a role, such as arn:aws:iam::123456789012:role/saferollout",
        ),
    )
    external_id: StrictStr | None = Field(
        default=None, description="The external id that the role's trust policy asks for.", max_length=1224
    )


class TargetGroupRef(Model):
    """A target group that the pods are registered in, named in one of three ways."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            (
                "[has(self.arn), has(self.binding), has(self.service)].exists_one(given, given)",
                f"write {_ONE_WAY}",
            ),
            ("has(self.arn) || !has(self.assumeRole)", f"write {_ROLE_OF}"),
        )
    )

    arn: StrictStr | None = Field(
        default=None,
        description="ARN of the target group. Its targets are IP addresses (target type ip).",
        min_length=1,
        max_length=256,
        json_schema_extra=validation(
            "self.matches('^arn:[^:]+:elasticloadbalancing:[^:]+:[0-9]{12}:targetgroup/[^/]+/[^/]+$')",
            "write the ARN of a target group, such as arn:aws:elasticloadbalancing:eu-west-1:"
            "123456789012:targetgroup/web/0123456789abcdef",
        ),
    )
    binding: ObjectName | None = Field(
        default=None,
        description="Name of the TargetGroupBinding that registers the pods, in the namespace of the "
        "SafeRollout.",
    )
    service: ServiceRef | None = Field(
        default=None, description="The Service whose TargetGroupBindings register the pods."
    )
    assume_role: AssumeRole | None = Field(
        default=None,
        description="The role to assume for asking about the target group of this ARN, if it is another "
        "account's. A TargetGroupBinding names one itself.",
    )

    @model_validator(mode="after")
    def _named_well(self) -> Self:
        if sum(each is not None for each in (self.arn, self.binding, self.service)) != 1:
            raise PydanticCustomError("rule", "{instead}", {"instead": _ONE_WAY})
        if self.assume_role is not None and self.arn is None:
            raise PydanticCustomError("rule", "{instead}", {"instead": _ROLE_OF})
        return self


class Step(Model):
    """How much is replaced at a time."""

    model_config = ConfigDict(
        json_schema_extra=validation(
            "(type(self.maxSurge) == int ? self.maxSurge == 0 : self.maxSurge == '0%') != "
            "(type(self.maxUnavailable) == int ? self.maxUnavailable == 0 : self.maxUnavailable == '0%')",
            f"write {_ONE_OF_BOTH}",
        )
    )

    max_surge: Pods = Field(
        default=1,
        description="Pods that one step adds, and hence replaces: a number, or a percent of the Deployment's "
        "replicas, rounded up.",
    )
    max_unavailable: Pods = Field(
        default=0,
        description="For a cluster without room for more pods, with maxSurge: 0. Old pods that one step "
        "takes away before it adds new ones: a number, or a percent of the Deployment's replicas, rounded "
        "down, 1 at the least. So many fewer serve until the new ones do.",
    )

    growth: StrictInt = Field(
        default=1,
        ge=1,
        le=10,
        description="How much larger every step is than the one before, up to maxSurge. 1: all steps are "
        "full ones. 2: 1, 2, 4, … pods.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.max_surge in _NONE) == (self.max_unavailable in _NONE):
            raise PydanticCustomError("rule", "{instead}", {"instead": _ONE_OF_BOTH})
        return self


class TargetHealthGate(Model):
    """The gate in front of every retirement: the new pods are healthy in every target group."""

    timeout: Timeout = Field(
        default="10m",
        description="How long new targets may take to become healthy before the rollout holds with reason "
        "HealthTimeout. It goes on by itself when they do.",
    )
    stable_for: Span = Field(
        default="0s",
        description="How long the new pods are to be healthy without a break before anything is retired. "
        "What was not seen is a break, too: the operator's absence, or ELBv2's.",
    )


class DrainGate(Model):
    """The gate in front of every further step: the old targets of the last one are drained."""

    timeout: Timeout = Field(
        default="20m",
        description="How long old targets may take to drain before the rollout holds with reason "
        "DrainTimeout. It goes on by itself when they have.",
    )


class OnFailure(StrEnum):
    """What becomes of a rollout that has failed."""

    HOLD = "Hold"
    ROLLBACK = "Rollback"


class InsufficientData(StrEnum):
    """What an alarm counts as that has too few data to be in another state."""

    PASS = "Pass"  # noqa: S105 - no secret
    ALARM = "Alarm"


class AlarmRef(Model):
    """A CloudWatch alarm, metric or composite, in the account and the Region of the operator."""

    name: AlarmName = Field(description="Name of the alarm.")
    insufficient_data: InsufficientData = Field(
        default=InsufficientData.PASS,
        description="What INSUFFICIENT_DATA counts as. Pass: as OK. Alarm: as ALARM, so that an alarm whose "
        "metric nobody reports any more holds the rollout, too.",
    )


class Gates(Model):
    """What is waited for before a rollout goes on."""

    target_health: TargetHealthGate = Field(
        default=TargetHealthGate(), description="New pods are to be healthy in every target group."
    )
    drain: DrainGate = Field(
        default=DrainGate(), description="Old targets are to be drained before the next step."
    )
    bake: Span = Field(
        default="0s",
        description="How long to wait after every step, the last one included, from when all new pods serve "
        "and all old targets are drained. A new pod that does not serve is a break.",
    )
    alarms: list[AlarmRef] = Field(
        default=[],
        description="CloudWatch alarms that are to be quiet before anything is retired. They are asked for "
        "only while a rollout is in progress.",
        max_length=20,
        json_schema_extra={
            "x-kubernetes-list-type": "atomic",
            **validation(
                "self.all(one, self.exists_one(other, other.name == one.name))",
                "write every alarm once",
            ),
        },
    )


class WhenUnsatisfiable(StrEnum):
    """What becomes of a step that would break a zone's floor."""

    HOLD = "Hold"
    PROCEED = "Proceed"


class ZoneOrder(StrEnum):
    """In which order zones lose their old pods."""

    BALANCED = "Balanced"
    ZONE_BY_ZONE = "ZoneByZone"


class Zones(Model):
    """What is kept in every zone."""

    min_healthy: Pods = Field(
        default=1,
        description="Serving pods that a zone is never taken below: a number, or a percent of what the zone "
        "had when the rollout began, rounded up; never more than it had.",
    )
    when_unsatisfiable: WhenUnsatisfiable = Field(
        default=WhenUnsatisfiable.HOLD,
        description="What to do when a step would break a floor. Hold: wait, for ever if need be. Proceed: "
        "wait for timeout, then break it, with a warning.",
    )
    timeout: Timeout = Field(
        default="10m",
        description="How long a floor that cannot be kept is waited for, with whenUnsatisfiable: Proceed.",
    )
    order: ZoneOrder = Field(
        default=ZoneOrder.BALANCED,
        description="Which old pods go first. Balanced: those of the zone that has most to spare. "
        "ZoneByZone: those of one zone after the other, by name, as far as their floors allow.",
    )
    bake: Span = Field(
        default="0s",
        description="How long to wait between the last old pod of a zone and the first of the next, with "
        "order: ZoneByZone.",
    )


class OnDelete(StrEnum):
    """What becomes of a rollout in progress when its SafeRollout is deleted."""

    RESUME = "Resume"
    KEEP_PAUSED = "KeepPaused"


class Spec(Model):
    """What is asked for."""

    deployment_ref: DeploymentRef = Field(
        description="The Deployment that is rolled out. Immutable.",
        json_schema_extra=validation(
            "self == oldSelf",
            "deploymentRef is immutable: write the name it had, and make another SafeRollout for another "
            "Deployment",
        ),
    )
    target_groups: list[TargetGroupRef] = Field(
        default=[],
        description="The target groups that the pods are registered in. A pod serves when it is healthy in "
        "every one of them. Absent or empty: those of every TargetGroupBinding whose Service selects pods of "
        "the Deployment.",
        max_length=32,
        # A rule makes it a set, not the type of list: server-side apply refuses every set of objects.
        json_schema_extra={
            "x-kubernetes-list-type": "atomic",
            **validation(
                "self.all(one, self.exists_one(other, other == one))",
                "write every target group once",
            ),
        },
    )
    step: Step = Field(default=Step(), description="How much is replaced at a time.")
    gates: Gates = Field(default=Gates(), description="What is waited for before a rollout goes on.")
    zones: Zones = Field(default=Zones(), description="What is kept in every zone.")
    approvals: list[ApprovalPoint] = Field(
        default=[],
        description="How many pods may be new before somebody has to approve of more, such as [1, 50%]: "
        "numbers, or percents of the Deployment's replicas, rounded up. Approve with kubectl annotate "
        f"saferollout NAME {ACTION_ANNOTATION}=approve.",
        max_length=20,
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    on_failure: OnFailure = Field(
        default=OnFailure.HOLD,
        description="What to do when new pods are not healthy within gates.targetHealth.timeout, or an alarm "
        "of gates.alarms begins to fire. Hold: wait until that is over, or the template is another. "
        "Rollback: put the template back that was complete before, through the same gates, and hold the "
        "failed one if it is applied again.",
    )
    on_delete: OnDelete = Field(
        default=OnDelete.RESUME,
        description="What becomes of a rollout in progress when the SafeRollout is deleted. Everything on "
        "the Deployment is given back as its user has it. Resume: Kubernetes completes the rollout natively. "
        "KeepPaused: the Deployment stays paused, until somebody does kubectl rollout resume. A pause keeps "
        "as many pods as replicas and the user's maxSurge make. It cannot hold the last batch: when the new "
        "ReplicaSet has all its pods, Kubernetes retires the old ones as soon as those are available.",
    )
    paused: StrictBool = Field(
        default=False,
        description="Hold the rollout where it is: a step that was released is finished, no other is.",
    )
