"""Phases, reasons and conditions: the words a SafeRollout is described with, in one table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a SafeRollout stands, in one word."""

    IDLE = "Idle"
    PROGRESSING = "Progressing"
    ROLLING_BACK = "RollingBack"
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
    PODS_ARE_TARGETS = "PodsAreTargets"
    SCALE_DOWN_ORDERED = "ScaleDownOrdered"
    FIELDS_KEPT = "FieldsKept"
    GUARDED = "Guarded"


class Reason(StrEnum):
    """Why a SafeRollout is where it is. Every wait has one."""

    COMPLETE = "Complete"

    PAUSING = "Pausing"
    RELEASING = "Releasing"
    WAITING_FOR_PODS = "WaitingForPods"
    WAITING_FOR_HEALTH = "WaitingForHealth"
    WAITING_FOR_READY_AGE = "WaitingForReadyAge"
    WAITING_FOR_DRAIN = "WaitingForDrain"
    SETTLING = "Settling"
    BAKING = "Baking"
    ROLLING_BACK = "RollingBack"
    FINISHING = "Finishing"

    HEALTH_TIMEOUT = "HealthTimeout"
    DRAIN_TIMEOUT = "DrainTimeout"
    TARGET_STILL_REGISTERED = "TargetStillRegistered"
    ZONE_FLOOR = "ZoneFloor"
    ZONE_UNKNOWN = "ZoneUnknown"
    ZONAL_SHIFT = "ZonalShift"
    ALARM_FIRING = "AlarmFiring"
    ALARM_UNKNOWN = "AlarmUnknown"
    CAPACITY_LOW = "CapacityLow"
    TARGET_HEALTH_STALE = "TargetHealthStale"
    CACHE_STALE = "CacheStale"
    API_REFUSED = "ApiRefused"

    WAITING_FOR_APPROVAL = "WaitingForApproval"
    PAUSED_BY_SPEC = "PausedBySpec"
    DEPLOYMENT_PAUSED = "DeploymentPaused"

    REVISION_FAILED = "RevisionFailed"
    ROLLED_BACK = "RolledBack"
    INVALID_SPEC = "InvalidSpec"
    DEPLOYMENT_NOT_FOUND = "DeploymentNotFound"
    DEPLOYMENT_ALREADY_WRAPPED = "DeploymentAlreadyWrapped"
    STRATEGY_UNSUPPORTED = "StrategyUnsupported"
    NO_TARGET_GROUP = "NoTargetGroup"
    TARGET_GROUP_UNRESOLVED = "TargetGroupUnresolved"
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


EXPLANATIONS: Mapping[Reason, Explanation] = {
    Reason.COMPLETE: Explanation(
        Phase.IDLE,
        "Every pod is of the target revision. The Deployment is not paused.",
        "Nothing.",
    ),
    Reason.PAUSING: Explanation(
        Phase.PROGRESSING,
        "The Deployment is being paused at the sizes it has.",
        "Nothing.",
    ),
    Reason.RELEASING: Explanation(
        Phase.PROGRESSING,
        "Every gate is open. The Deployment is un-paused for exactly one step.",
        "Nothing.",
    ),
    Reason.WAITING_FOR_PODS: Explanation(
        Phase.PROGRESSING,
        "The Deployment controller has not yet brought the ReplicaSets to the sizes that were asked for.",
        "Nothing. If it lasts, see the conditions of the Deployment and the quota of the namespace.",
    ),
    Reason.WAITING_FOR_HEALTH: Explanation(
        Phase.PROGRESSING,
        "The new pods are not all Ready and healthy in every target group.",
        "Nothing yet. The message names the pods and targets, and what ELBv2 says of them.",
    ),
    Reason.WAITING_FOR_READY_AGE: Explanation(
        Phase.PROGRESSING,
        "The new pods serve, but have not been Ready long enough for the next step to be fenced in.",
        "Nothing: it takes seconds, or as long as the minReadySeconds of the Deployment.",
    ),
    Reason.WAITING_FOR_DRAIN: Explanation(
        Phase.PROGRESSING,
        "Targets of retired pods are still draining.",
        "Nothing: it takes as long as the deregistration delay of the target group.",
    ),
    Reason.SETTLING: Explanation(
        Phase.PROGRESSING,
        "The pods to go are chosen. Kubernetes is given a moment to notice their deletion costs.",
        "Nothing: it takes two seconds.",
    ),
    Reason.BAKING: Explanation(
        Phase.PROGRESSING,
        "A step is complete, or a zone, and is given the time of gates.bake, or zones.bake, to show what is"
        " wrong with it.",
        "Nothing. If the new pods do not behave, set spec.paused, or change the template back.",
    ),
    Reason.ROLLING_BACK: Explanation(
        Phase.ROLLING_BACK,
        "The revision has failed, or somebody has aborted it. The template that was complete before is put"
        " back, and rolled out through the same gates.",
        "Nothing. The message says what has failed.",
    ),
    Reason.FINISHING: Explanation(
        Phase.PROGRESSING,
        "No old pod is left. What the operator had changed is being given back.",
        "Nothing.",
    ),
    Reason.HEALTH_TIMEOUT: Explanation(
        Phase.HOLDING,
        "The new pods are not all healthy, for longer than gates.targetHealth.timeout. No old pod goes.",
        "See why in the message, the pods' events and the target group's health check. Fix the template, or "
        "undo it; the rollout goes on by itself when the targets are healthy.",
    ),
    Reason.DRAIN_TIMEOUT: Explanation(
        Phase.HOLDING,
        "Targets are draining for longer than gates.drain.timeout. No further pod goes.",
        "See whether the load balancer controller runs, and whether the timeout exceeds the deregistration "
        "delay by a few minutes. The rollout goes on by itself when they are drained.",
    ),
    Reason.TARGET_STILL_REGISTERED: Explanation(
        Phase.HOLDING,
        "A target is registered half a minute after its pod has ended: requests are still sent to it, and "
        "nobody has begun to deregister it. No further pod goes.",
        "See whether the AWS Load Balancer Controller runs and what its log says. Deregister the target by "
        "hand if it is nobody's any more. The rollout goes on by itself.",
    ),
    Reason.ZONE_FLOOR: Explanation(
        Phase.HOLDING,
        "The next step would leave a zone with fewer serving pods than zones.minHealthy allows.",
        "Let new pods start in that zone: free capacity there, or spread the template over zones with "
        "topologySpreadConstraints and matchLabelKeys: [pod-template-hash]. Or lower zones.minHealthy, or "
        "let it go on after a while with zones.whenUnsatisfiable: Proceed.",
    ),
    Reason.ZONE_UNKNOWN: Explanation(
        Phase.HOLDING,
        "The zone of a serving pod is not known, so neither is what its zone would be left with.",
        "Give the node the label topology.kubernetes.io/zone, or set zones.minHealthy to 0.",
    ),
    Reason.ZONAL_SHIFT: Explanation(
        Phase.HOLDING,
        "A zonal shift is active: a zone's targets get no requests, however healthy they are, and those of "
        "the others carry them. No old pod goes.",
        "Nothing, or end the shift. The rollout goes on by itself when it is over.",
    ),
    Reason.ALARM_FIRING: Explanation(
        Phase.HOLDING,
        "A CloudWatch alarm of gates.alarms is in ALARM, or in INSUFFICIENT_DATA where that counts as such. "
        "The message quotes why. No old pod goes.",
        "See what the alarm watches. If the new pods are to blame, fix the template, or undo it. The rollout "
        "goes on by itself when the alarm is over.",
    ),
    Reason.ALARM_UNKNOWN: Explanation(
        Phase.HOLDING,
        "The state of a CloudWatch alarm of gates.alarms is not known: there is none of that name, or "
        "CloudWatch refuses, does not answer, or has last answered too long ago. No old pod goes.",
        "The message says which, and what to do. The rollout goes on by itself when the state is known.",
    ),
    Reason.CAPACITY_LOW: Explanation(
        Phase.HOLDING,
        "Pods that are not part of the step do not serve, so the step would leave too few that do, "
        "or would take one that is about to.",
        "See what is wrong with the pods in the message. The rollout goes on by itself when they serve.",
    ),
    Reason.TARGET_HEALTH_STALE: Explanation(
        Phase.HOLDING,
        "The latest answer about a target group is too old to count.",
        "Nothing if it lasts seconds. Otherwise see the operator's log and whether it reaches ELBv2.",
    ),
    Reason.CACHE_STALE: Explanation(
        Phase.HOLDING,
        "The operator has lost sight of the cluster: a list or watch does not get through.",
        "Nothing if it lasts seconds. Otherwise see the operator's log and its ClusterRole.",
    ),
    Reason.API_REFUSED: Explanation(
        Phase.HOLDING,
        "The Kubernetes API refuses a write that the next move needs. The message quotes it.",
        "See whether the operator's ClusterRole is that of deploy/, and which admission policy objects. The"
        " operator tries again by itself.",
    ),
    Reason.WAITING_FOR_APPROVAL: Explanation(
        Phase.PAUSED,
        "As many pods are new as one of spec.approvals says. Nothing goes on until somebody approves.",
        "kubectl annotate saferollout NAME saferollout.dev/action=approve, or abort.",
    ),
    Reason.PAUSED_BY_SPEC: Explanation(
        Phase.PAUSED,
        "spec.paused is true. The rollout stays where it is.",
        "Set spec.paused to false when it is to go on.",
    ),
    Reason.DEPLOYMENT_PAUSED: Explanation(
        Phase.PAUSED,
        "Somebody else paused the Deployment. The operator does not overrule that.",
        "kubectl rollout resume deployment/NAME",
    ),
    Reason.REVISION_FAILED: Explanation(
        Phase.DEGRADED,
        "The template is one that has failed and was rolled back; somebody, or a GitOps tool, has applied it"
        " again. No old pod goes.",
        "Apply another template, or ask for the same again: kubectl annotate saferollout NAME"
        " saferollout.dev/action=retry.",
        stalled=True,
    ),
    Reason.ROLLED_BACK: Explanation(
        Phase.DEGRADED,
        "The revision that was asked for has failed. Every pod is of the one before it.",
        "See why in the message and apply a template that differs. Applied as it is, the failed one is held,"
        " unless somebody retries: kubectl annotate saferollout NAME saferollout.dev/action=retry.",
        stalled=True,
    ),
    Reason.INVALID_SPEC: Explanation(
        Phase.DEGRADED,
        "The spec cannot be followed.",
        "The message names each field, its value and what to write instead.",
        stalled=True,
    ),
    Reason.DEPLOYMENT_NOT_FOUND: Explanation(
        Phase.DEGRADED,
        "There is no Deployment of that name in the namespace.",
        "Create it, or delete the SafeRollout and create one with the right deploymentRef.",
        stalled=True,
    ),
    Reason.DEPLOYMENT_ALREADY_WRAPPED: Explanation(
        Phase.DEGRADED,
        "An older SafeRollout has the same deploymentRef. This one does nothing.",
        "Delete one of the two.",
        stalled=True,
    ),
    Reason.STRATEGY_UNSUPPORTED: Explanation(
        Phase.DEGRADED,
        "The strategy of the Deployment is Recreate, which takes every pod away at once.",
        "Set spec.strategy.type of the Deployment to RollingUpdate.",
        stalled=True,
    ),
    Reason.NO_TARGET_GROUP: Explanation(
        Phase.DEGRADED,
        "No target group is given, and none was found behind the Services that select the pods: nothing can "
        "say whether a pod serves.",
        "Put the Service behind an ALB or NLB with the AWS Load Balancer Controller, or list target groups "
        "in spec.targetGroups. The message says how far the way from the pods led.",
        stalled=True,
    ),
    Reason.TARGET_GROUP_UNRESOLVED: Explanation(
        Phase.DEGRADED,
        "A TargetGroupBinding or Service that is asked for, or was found, does not lead to a target group.",
        "The message says where the way ends: correct spec.targetGroups, the binding or the Service. The "
        "rollout goes on by itself.",
        stalled=True,
    ),
    Reason.TARGET_GROUP_MALFORMED: Explanation(
        Phase.DEGRADED,
        "What is given as the ARN of a target group is none.",
        "Write one such as "
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef.",
        stalled=True,
    ),
    Reason.TARGET_GROUP_NOT_FOUND: Explanation(
        Phase.DEGRADED,
        "ELBv2 knows no target group of that ARN in the account of the operator.",
        "Compare with aws elbv2 describe-target-groups. A re-created target group has a new ARN.",
        stalled=True,
    ),
    Reason.TARGET_GROUP_OTHER_REGION: Explanation(
        Phase.DEGRADED,
        "The target group is in another Region than the operator asks.",
        "Correct the ARN, or set AWS_DEFAULT_REGION of the operator.",
        stalled=True,
    ),
    Reason.TARGET_GROUP_UNSUPPORTED: Explanation(
        Phase.DEGRADED,
        "The targets of the group are not pods: its target type is not ip.",
        "Use a target group of target type ip.",
        stalled=True,
    ),
    Reason.NO_CREDENTIALS: Explanation(
        Phase.DEGRADED,
        "The operator has no valid AWS credentials.",
        "Give its ServiceAccount a role: docs/installing.md.",
        stalled=True,
    ),
    Reason.ACCESS_DENIED: Explanation(
        Phase.DEGRADED,
        "AWS refuses the operator an action.",
        "Attach deploy/iam-policy.json to the operator's role. The message names the action.",
        stalled=True,
    ),
    Reason.THROTTLED: Explanation(
        Phase.HOLDING,
        "AWS limits how often it may be asked, for all of the account in the Region together.",
        "Nothing: the operator asks less often by itself. If it lasts, see who else calls ELBv2.",
    ),
    Reason.ENDPOINT_UNREACHABLE: Explanation(
        Phase.HOLDING,
        "The operator gets no connection to ELBv2.",
        "See the way to elasticloadbalancing.REGION.amazonaws.com: NAT, VPC endpoint, network policy.",
    ),
    Reason.ELB_ERROR: Explanation(
        Phase.HOLDING,
        "ELBv2 answers with an error. The message quotes it.",
        "Nothing if it lasts minutes. Otherwise see the AWS Health Dashboard.",
    ),
}
"""Every reason, in the order in which a rollout meets them: the source of ``docs/reasons.md``."""


def documentation() -> str:
    """Return the table of reasons as the text of ``docs/reasons.md``."""
    return "\n".join((_HEADER, *(_row(reason, told) for reason, told in EXPLANATIONS.items()), ""))


_HEADER = """\
<!-- Generated from saferollout.api.reasons: python -m saferollout.api.reasons > docs/reasons.md -->
# Phases and reasons

`status.phase` says where a SafeRollout stands, `status.reason` why, `status.message` the same with names and
numbers, and `status.waitingSince` since when. **Stalled** reasons set the condition of that name: nothing
changes until somebody does something.

| Reason | Phase | What it means | What to do |
|---|---|---|---|"""


def _row(reason: Reason, told: Explanation) -> str:
    phase = f"{told.phase}, stalled" if told.stalled else str(told.phase)
    return f"| `{reason}` | {phase} | {told.meaning} | {told.remedy} |"


if __name__ == "__main__":
    sys.stdout.write(documentation())
