"""What has to be true of the old pods: those that went, and those that go next."""

from __future__ import annotations

from saferollout.api.reasons import Reason
from saferollout.decide.decision import Wait
from saferollout.decide.draining import still_registered, unasked
from saferollout.decide.gates.step import Step
from saferollout.decide.superseded import first_to_go
from saferollout.decide.target_states import explained
from saferollout.decide.victims import LOWEST_COST
from saferollout.decide.wording import shortened


def drained(step: Step) -> Wait | None:
    """No target of an earlier retired pod is still draining."""
    if unknown := list(unasked(step.rollout)):
        return Wait(Reason.WAITING_FOR_DRAIN, shortened(unknown))
    if not step.draining:
        return None
    names = {group.arn: group.name for group in step.rollout.observation.target_groups}
    left = [
        explained(target, names[each.target_group])
        for each, target in still_registered(step.draining, step.rollout)
    ]
    if left:
        return Wait(Reason.TARGET_STILL_REGISTERED, f"{shortened(left)}, although its pod has ended")
    which = shortened([f"{each.id}:{each.port} in {names[each.target_group]}" for each in step.draining])
    return Wait(Reason.WAITING_FOR_DRAIN, f"draining: {which}")


def capacity_kept(step: Step) -> Wait | None:
    """As many pods serve afterwards as have to at every moment, or nothing goes that serves or may by now."""
    serving, victims = step.rollout.serving, step.plan.victims
    left, wanted = len(serving.pods) - serving.count(victims), step.rollout.least_serving
    if left >= wanted or not any(map(serving.may_serve, victims)):
        return None
    why = shortened(serving.reasons(step.rollout.old_pods))
    return Wait(Reason.CAPACITY_LOW, f"{left} of {wanted} pods would be left serving; {why}")


def order_settled(step: Step) -> Wait | None:
    """What makes the chosen pods go first is written, and the controllers have had time to learn it."""
    seen = step.rollout.observation
    ranked = step.plan.ranked
    walled = first_to_go(step.rollout)
    if not ranked and not walled:
        return None
    missing = step.planned_at + seen.tuning.settle - seen.now
    written = all(pod.deletion_cost == LOWEST_COST for pod in ranked) and not any(
        each.available for each in walled
    )
    if written and missing <= 0:
        return None
    which = shortened([*(pod.name for pod in ranked), *(each.name for each in walled)])
    return Wait(Reason.SETTLING, f"the controllers learn what goes first: {which}", max(missing, 0.1))
