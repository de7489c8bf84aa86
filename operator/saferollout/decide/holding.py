"""Stages without a release: the Deployment is another's, loose, out of order, or held by its user."""

from __future__ import annotations

import math
from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import fences, gates, moves, takeovers
from saferollout.decide.decision import Decision, Wait
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import SOON, waiting

_LONGEST_RELEASE = 60.0


def stand_back(rollout: Rollout) -> Decision | None:
    """Another SafeRollout has the Deployment: touch nothing, whatever it does the other one has let it."""
    for each in rollout.observation.problems:
        if each.reason is Reason.DEPLOYMENT_ALREADY_WRAPPED:
            decision = waiting(rollout, Wait(each.reason, each.message))
            return replace(decision, gone=rollout.observation.deleting)
    return None


def pause(rollout: Rollout) -> Decision | None:
    """The Deployment moves, or may move, without a gate: hold it, before anything that may be wrong.

    What the guard holds is taken over, so that a later pause of somebody else's is seen as theirs.
    """
    if not _is_loose(rollout):
        return None
    message = "the Deployment is paused at the sizes it has"
    decision = waiting(rollout, Wait(Reason.PAUSING, message, SOON), moves.pause(rollout))
    if rollout.releasing:
        return replace(decision, memory=replace(decision.memory, step_started_at=None))
    return decision


def stay_blocked(rollout: Rollout) -> Decision | None:
    """Something is wrong, and nothing more can be done until it is put right."""
    blocker = _blocker(rollout)
    if blocker is None:
        return None
    moving = rollout.in_progress and not rollout.deployment.paused
    return waiting(rollout, replace(blocker, look_again=SOON if moving else None))


def leave_held(rollout: Rollout) -> Decision | None:
    """Somebody else paused the Deployment."""
    if not rollout.users.paused:
        return None
    message = f"somebody paused the Deployment: kubectl rollout resume deployment/{rollout.deployment.name}"
    return waiting(rollout, Wait(Reason.DEPLOYMENT_PAUSED, message, math.inf))


def _is_loose(rollout: Rollout) -> bool:
    if not rollout.in_progress or (not rollout.adopted and _blocker(rollout) is not None):
        return False
    if rollout.deployment.held_by_guard:
        return True
    if rollout.releasing:
        return _release_is_lost(rollout)
    if rollout.deployment.paused:
        return _lacks_wall(rollout)
    return not takeovers.pause_is_left(rollout) or _is_open(rollout)


def _lacks_wall(rollout: Rollout) -> bool:
    """Whether a paused Deployment would retire its old pods if somebody scaled down to its new ones."""
    ours = rollout.ledger is not None and not rollout.users.paused
    behind = rollout.deployment.min_ready_seconds >= fences.WALL
    return ours and not behind and takeovers.wall_is_kept(rollout)


def _is_open(rollout: Rollout) -> bool:
    """Whether a Deployment that somebody keeps un-paused is not held by its wall alone."""
    if rollout.deployment.min_ready_seconds < fences.WALL or rollout.deployment.strategy.max_unavailable != 0:
        return True
    return rollout.unsettled is None and moves.differs(moves.pause(rollout), rollout)


def _release_is_lost(rollout: Rollout) -> bool:
    """Whether a release that is on record should be taken back: it takes too long, or a gate has closed."""
    started = rollout.observation.memory.step_started_at
    patience = min(_LONGEST_RELEASE, max(1.0, rollout.deployment.min_ready_seconds / 2))
    if rollout.deployment.paused:
        skipped = Reason.WAITING_FOR_HEALTH in rollout.observation.memory.skipped
        return not skipped and rollout.serving.count(rollout.new_pods) < rollout.new
    return started is None or rollout.observation.now - started > patience


def _blocker(rollout: Rollout) -> Wait | None:
    seen = rollout.observation
    for problem in seen.problems:
        return Wait(problem.reason, problem.message)
    if rollout.users.strategy.type != "RollingUpdate":
        message = (
            f"strategy {rollout.users.strategy.type} cannot be stepped: "
            f"set spec.strategy.type of deployment/{rollout.deployment.name} to RollingUpdate"
        )
        return Wait(Reason.STRATEGY_UNSUPPORTED, message)
    if not seen.target_groups:
        return Wait(Reason.NO_TARGET_GROUP, "there is no target group: nothing can say that a pod serves")
    return next(
        (gates.unanswered(each, rollout) for each in seen.target_groups if each.targets is None), None
    )
