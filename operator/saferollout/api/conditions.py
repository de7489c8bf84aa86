"""The conditions of a SafeRollout. ``Ready``, ``Reconciling`` and ``Stalled`` follow kstatus.

https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from saferollout.api.fields_kept import fields_kept
from saferollout.api.plain import MOST_ADVISED, message
from saferollout.api.reasons import EXPLANATIONS, ConditionType, Phase, Reason
from saferollout.api.status import FALSE, TRUE, UNKNOWN, Condition
from saferollout.decide.decision import GroupCount, Picture
from saferollout.decide.observation import Guard, Problem
from saferollout.decide.wording import shortened

_IN_PROGRESS = frozenset({Phase.PROGRESSING, Phase.ROLLING_BACK, Phase.HOLDING, Phase.PAUSED})

_UNRESOLVED = {
    Reason.NO_TARGET_GROUP: FALSE,
    Reason.TARGET_GROUP_UNRESOLVED: FALSE,
    Reason.TARGET_GROUP_MALFORMED: FALSE,
    Reason.TARGET_GROUP_NOT_FOUND: FALSE,
    Reason.TARGET_GROUP_OTHER_REGION: FALSE,
    Reason.TARGET_GROUP_UNSUPPORTED: FALSE,
    Reason.INVALID_SPEC: UNKNOWN,
    Reason.NO_CREDENTIALS: UNKNOWN,
    Reason.ACCESS_DENIED: UNKNOWN,
    Reason.THROTTLED: UNKNOWN,
    Reason.ENDPOINT_UNREACHABLE: UNKNOWN,
    Reason.ELB_ERROR: UNKNOWN,
}
"""Reasons for which the target groups are not, or may not be, what the spec says they are."""

_UNSAFE = {
    Reason.ZONE_FLOOR: FALSE,
    Reason.ZONE_UNKNOWN: UNKNOWN,
    Reason.ZONAL_SHIFT: FALSE,
    Reason.CACHE_STALE: UNKNOWN,
    Reason.TARGET_HEALTH_STALE: UNKNOWN,
    Reason.DEPLOYMENT_NOT_FOUND: UNKNOWN,
    **dict.fromkeys(_UNRESOLVED, UNKNOWN),
}
"""Reasons for which a zone stands at its floor, or for which nobody knows."""


def conditions(
    found: Sequence[Problem],
    picture: Picture,
    *,
    generation: int,
    previous: Iterable[Condition],
    now: float,
) -> tuple[Condition, ...]:
    """Return the conditions of a SafeRollout, in the order of ``ConditionType``.

    Args:
        found: First why it is where it is: phase and stalling follow from the table of reasons. Then
            everything else that is known to be wrong.
        picture: The rollout in numbers.
        generation: The generation of the spec that all this is about.
        previous: The conditions so far: one whose status stays keeps its time of transition.
        now: Seconds since the epoch.
    """
    since = {each.type: (each.status, each.last_transition_time) for each in previous}
    return tuple(
        Condition(
            type=kind,
            status=status,
            reason=why,
            message=message(text, MOST_ADVISED),
            last_transition_time=since[kind][1] if since.get(kind, ("",))[0] == status else now,
            observed_generation=generation,
        )
        for kind, status, why, text in (
            *_verdicts(found),
            _pods_are_targets(picture.groups),
            _scale_down_ordered(picture),
            fields_kept(picture.takeovers),
            _guarded(picture.guard),
        )
    )


def _verdicts(found: Sequence[Problem]) -> Iterator[tuple[ConditionType, str, str, str]]:
    main = found[0]
    told = EXPLANATIONS[main.reason]
    reconciling = told.phase in _IN_PROGRESS and not told.stalled
    for kind, holds in (
        (ConditionType.READY, told.phase is Phase.IDLE),
        (ConditionType.RECONCILING, reconciling),
        (ConditionType.STALLED, told.stalled),
    ):
        yield kind, TRUE if holds else FALSE, main.reason, main.message
    yield ConditionType.TARGET_GROUPS_RESOLVED, *_worst(found, _UNRESOLVED, "Resolved")
    yield ConditionType.ZONES_SAFE, *_worst(found, _UNSAFE, "AboveFloors")


def _pods_are_targets(groups: Sequence[GroupCount]) -> tuple[ConditionType, str, str, str]:
    kind = ConditionType.PODS_ARE_TARGETS
    shared = [each.name for each in groups if each.target_type == "instance"]
    if shared:
        told = (
            f"the targets of {', '.join(shared)} are instances: a healthy one says that its Node takes"
            " requests, not which pod answers them, and none drains when a pod goes. With target-type ip"
            " the load balancer speaks of pods"
        )
        return kind, FALSE, "InstanceTargets", told
    return kind, TRUE if groups else UNKNOWN, "TargetTypeIP" if groups else "NoTargetGroup", ""


def _scale_down_ordered(picture: Picture) -> tuple[ConditionType, str, str, str]:
    kind, foreign = ConditionType.SCALE_DOWN_ORDERED, picture.foreign_costs
    if foreign:
        told = (
            f"{shortened([*foreign])}: the deletion cost is somebody else's and is kept, so which"
            " pods go when the Deployment is scaled down, and from which zones, is theirs to say"
        )
        return kind, FALSE, "ForeignCosts", told
    return kind, TRUE, "Ranked", ""


def _guarded(guard: Guard) -> tuple[ConditionType, str, str, str]:
    kind = ConditionType.GUARDED
    if guard.in_force is None:
        return kind, UNKNOWN, "NotKnown", guard.detail
    if guard.in_force:
        return kind, TRUE, "PausesOnTemplateChange", ""
    told = (
        "no admission policy pauses the Deployment when its template changes: the strategy is changed for as"
        " long as it is wrapped, and without the operator a new template is a native rolling update. To close"
        " that window: kubectl apply -k deploy/guard (Kubernetes 1.36)"
    )
    return kind, FALSE, "NoGuard", told


def _worst(found: Sequence[Problem], statuses: dict[Reason, str], otherwise: str) -> tuple[str, str, str]:
    """Return status, reason and message by the worst that was found: False before Unknown before True."""
    for status in (FALSE, UNKNOWN):
        for each in found:
            if statuses.get(each.reason) == status:
                return status, each.reason, each.message
    return TRUE, otherwise, ""
