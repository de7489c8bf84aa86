"""What the new pods have to be before a release."""

from __future__ import annotations

from saferollout.api.reasons import Reason
from saferollout.decide import causes, fences
from saferollout.decide.decision import Wait
from saferollout.decide.gates.step import Step
from saferollout.decide.wording import shortened


def settled(step: Step) -> Wait | None:
    """The controllers have done what the last change asked of them."""
    missing = step.rollout.unsettled
    if missing is None:
        return None
    return Wait(Reason.WAITING_FOR_PODS, "; ".join((missing, *causes.refusals(step.rollout))))


def healthy(step: Step) -> Wait | None:
    """Every new pod serves: Ready, and healthy in every target group."""
    pods = step.rollout.placed_pods
    count = step.rollout.serving.count(pods)
    if count == len(pods):
        return None
    why = shortened(causes.of(pods, step.rollout.serving))
    return Wait(Reason.WAITING_FOR_HEALTH, f"{count} of {len(pods)} new pods serve; {why}")


def stable(step: Step) -> Wait | None:
    """The new pods have served without a break for as long as the user asks."""
    seen = step.rollout.observation
    wanted, since = seen.policy.stable_for, seen.memory.serving_since
    if wanted == 0 or not step.rollout.new_pods or (since is not None and seen.now - since >= wanted):
        return None
    message = f"all new pods serve, and are to do so for {wanted:g}s without a break"
    return Wait(Reason.WAITING_FOR_HEALTH, message)


def aged(step: Step) -> Wait | None:
    """The new pods have been Ready for as long as the user asks, and long enough to be fenced."""
    rollout = step.rollout
    seen = rollout.observation
    fence = float(rollout.users.min_ready_seconds)
    if rollout.in_place or not rollout.last_batch:
        fence = max(fence, seen.tuning.least_fence)
    missing = fences.wait_for(rollout.placed_pods, seen.now, fence)
    if missing == 0:
        return None
    return Wait(
        Reason.WAITING_FOR_READY_AGE,
        f"new pods must have been Ready for {fence + fences.MARGIN:g}s before the next release",
        look_again=missing,
    )
