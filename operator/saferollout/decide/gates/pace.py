"""The time and the word that people want between two steps."""

from __future__ import annotations

from saferollout.api.names import ACTION_ANNOTATION
from saferollout.api.reasons import Reason
from saferollout.decide.decision import Wait
from saferollout.decide.gates.step import Step
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import UNHURRIED


def baked(step: Step) -> Wait | None:
    """The last step has had its time, without a pod that did not serve; not so where it leads back."""
    seen = step.rollout.observation
    since = seen.now if seen.memory.baking_since is None else seen.memory.baking_since
    missing = since + seen.policy.bake - seen.now
    if not seen.policy.bake or not step.rollout.new_pods or missing <= 0 or step.rollout.rolling_back:
        return None
    return Wait(Reason.BAKING, f"the step is complete, and bakes for {seen.policy.bake:g}s", missing)


def approved(step: Step) -> Wait | None:
    """Somebody has approved of more new pods, wherever that is asked for; nobody is asked on the way back."""
    rollout = step.rollout
    if not approvals_due(rollout) or rollout.rolling_back:
        return None
    how = f"kubectl annotate saferollout {rollout.observation.name} {ACTION_ANNOTATION}=approve"
    message = f"{rollout.new} of {rollout.deployment.replicas} pods are new: {how}"
    return Wait(Reason.WAITING_FOR_APPROVAL, message, UNHURRIED)


def approvals_due(rollout: Rollout) -> tuple[str, ...]:
    """Return the points of approval, as written, that have been reached and that nobody has approved of."""
    given = rollout.observation.memory.approved
    points = rollout.approval_points.items()
    return tuple(written for written, point in points if point <= rollout.new and written not in given)
