"""What to do next: ``decide`` is the whole of the operator's judgement, and ``STAGES`` its outline."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import actions, failing, holding, losses, remember, resting, stepping, takeovers
from saferollout.decide.decision import Decision, Picture, Wait
from saferollout.decide.observation import Observation
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import waiting_with

Stage = Callable[[Rollout], Decision | None]

STAGES: tuple[Stage, ...] = (
    holding.stand_back,
    resting.leave,
    holding.pause,
    holding.stay_blocked,
    holding.leave_held,
    failing.roll_back,
    failing.hold_failed,
    stepping.await_release,
    stepping.step,
    resting.rest,
    resting.await_end,
    resting.idle,
)
"""The first stage that applies decides; the others return ``None``.

Holding a loose Deployment comes before every complaint about it.
"""


def decide(seen: Observation) -> Decision:
    """Return the next move. The same snapshot always gives the same decision."""
    if seen.deployment is None:
        return _without_deployment(seen)
    rollout = Rollout(seen, seen.deployment)
    lost = losses.newly_lost(rollout)
    rollout = Rollout(replace(seen, memory=remember.remember(rollout)), seen.deployment)
    answer = actions.answer(rollout)
    if answer is None:
        return losses.told(_by_stages(rollout), lost)
    decision = _by_stages(Rollout(replace(seen, memory=answer.memory), seen.deployment))
    decision = replace(decision, notes=(answer.note, *decision.notes), answered=seen.asked)
    return losses.told(decision, lost)


def _by_stages(rollout: Rollout) -> Decision:
    decision = next(decision for stage in STAGES if (decision := stage(rollout)) is not None)
    return remember.changed(takeovers.counted(decision, rollout))


def _without_deployment(seen: Observation) -> Decision:
    unknown = Wait(Reason.DEPLOYMENT_NOT_FOUND, "the Deployment has not been seen yet", math.inf)
    wait = next((Wait(each.reason, each.message, math.inf) for each in seen.problems), unknown)
    gone = seen.deleting and wait.reason is not Reason.CACHE_STALE
    return replace(waiting_with(Picture(), seen, wait), gone=gone)
