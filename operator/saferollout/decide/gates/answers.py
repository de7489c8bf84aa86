"""What AWS has to have answered, and must not say."""

from __future__ import annotations

from saferollout.api.reasons import Reason
from saferollout.decide import alarms
from saferollout.decide.answers import TargetGroup
from saferollout.decide.decision import Wait
from saferollout.decide.gates.step import Step
from saferollout.decide.rollout import Rollout
from saferollout.decide.wording import shortened


def targets_known(step: Step) -> Wait | None:
    """Every target group has answered, and lately."""
    for group in step.rollout.observation.target_groups:
        if (wait := unanswered(group, step.rollout)) is not None:
            return wait
    return None


def unanswered(group: TargetGroup, rollout: Rollout) -> Wait | None:
    """Return why the group's answer does not count, ``None`` if it does."""
    seen = rollout.observation
    if group.targets is None:
        return Wait(
            group.problem or Reason.TARGET_HEALTH_STALE, group.detail or f"{group.name} has not answered yet"
        )
    age = seen.now - group.asked_at
    if age <= seen.tuning.stale_after:
        return None
    why = f": {group.detail}" if group.detail else ""
    return Wait(
        group.problem or Reason.TARGET_HEALTH_STALE,
        f"the last answer about {group.name} is older than {seen.tuning.stale_after:g}s{why}",
    )


def not_shifted(step: Step) -> Wait | None:
    """No zonal shift is active: the other zones carry the requests of the one that is shifted away."""
    seen = step.rollout.observation
    zone_of = {pod.ip: pod.zone for pod in seen.pods}
    for group in seen.target_groups:
        away = {zone_of.get(target.id) or target.id for target in group.targets or () if target.shifted}
        if away:
            message = f"requests to {group.name} are shifted away from {shortened(sorted(away))}"
            return Wait(Reason.ZONAL_SHIFT, message)
    return None


def alarms_quiet(step: Step) -> Wait | None:
    """No alarm that the user names is firing, and none is unknown; the way back waits for none of them."""
    seen = step.rollout.observation
    if step.rollout.rolling_back:
        return None
    if (fires := alarms.firing(seen)) is not None:
        return Wait(Reason.ALARM_FIRING, fires)
    unknown = alarms.unknown(seen)
    return None if unknown is None else Wait(Reason.ALARM_UNKNOWN, unknown)
