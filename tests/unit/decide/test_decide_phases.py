"""The table of stages: the smallest snapshot that reaches each, and what it decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide.decision import Move
from saferollout.decide.memory import Memory
from saferollout.decide.observation import Observation, Problem
from saferollout.decide.phases import STAGES, decide
from saferollout.decide.policy import Policy
from unit.decide.given import (
    FAILURE,
    NOW,
    acted,
    at_rest,
    draining,
    edited,
    failed,
    fresh,
    releasable,
    releasing,
    rollout_of,
    untouched,
)

RIVAL = Problem(Reason.DEPLOYMENT_ALREADY_WRAPPED, "saferollout/other has this Deployment already")
INVALID = Problem(Reason.INVALID_SPEC, "step.maxSurge: 0 is less than 1")
STALE = Problem(Reason.CACHE_STALE, "pods could not be followed")


FAILED = replace(failed().memory, failed=FAILURE)

REACHED = {
    "stand_back": (replace(fresh(), problems=(RIVAL,)), Reason.DEPLOYMENT_ALREADY_WRAPPED, None),
    "leave": (replace(at_rest(), deleting=True), Reason.FINISHING, Move.GIVE_BACK),
    "pause": (fresh(), Reason.PAUSING, Move.PAUSE),
    "stay_blocked": (replace(at_rest(), problems=(INVALID,)), Reason.INVALID_SPEC, None),
    "leave_held": (edited(at_rest(), paused=True), Reason.DEPLOYMENT_PAUSED, None),
    "roll_back": (replace(failed(new=2), memory=FAILED), Reason.ROLLING_BACK, Move.PUT_BACK),
    "hold_failed": (
        replace(failed(), memory=replace(FAILED, failed=replace(FAILURE, rolled_back=True))),
        Reason.REVISION_FAILED,
        None,
    ),
    "await_release": (releasing(), Reason.RELEASING, None),
    "step": (releasable(), Reason.RELEASING, Move.RELEASE),
    "rest": (untouched(), Reason.FINISHING, Move.ADOPT),
    "await_end": (draining(at_rest()), Reason.WAITING_FOR_DRAIN, None),
    "idle": (at_rest(), Reason.COMPLETE, None),
}


def stage_of(seen: Observation) -> str:
    """The name of the stage that decides."""
    rollout = rollout_of(replace(seen, memory=decide(seen).memory))
    return next(stage.__name__ for stage in STAGES if stage(rollout) is not None)


def test_every_stage_is_reached_below() -> None:
    assert [stage.__name__ for stage in STAGES] == list(REACHED)


@pytest.mark.parametrize("stage", REACHED)
def test_the_smallest_snapshot_of_a_stage_is_decided_by_it(stage: str) -> None:
    seen, reason, move = REACHED[stage]
    decision = decide(seen)
    assert decision.reason is reason
    assert decision.move is move
    assert stage_of(seen) == stage


# --- no Deployment


def test_without_a_deployment_the_problem_is_told_since_it_is_known() -> None:
    missing = Problem(Reason.DEPLOYMENT_NOT_FOUND, "there is no Deployment shop/web")
    memory = Memory(reason=Reason.WAITING_FOR_HEALTH, waiting_since=NOW - 500)
    seen = Observation(NOW, "web", policy=Policy(), memory=memory, problems=(missing,))
    decision = decide(seen)
    assert (decision.reason, decision.message) == (missing.reason, missing.message)
    assert decision.memory.waiting_since == NOW
    assert decide(replace(acted(seen, decision), now=NOW + 9)).memory.waiting_since == NOW


def test_without_a_deployment_a_rollout_that_is_deleted_may_go() -> None:
    seen = Observation(NOW, "web", policy=Policy(), deleting=True)
    assert decide(seen).gone


def test_a_deployment_that_cannot_be_seen_is_not_taken_for_gone() -> None:
    seen = Observation(NOW, "web", policy=Policy(), deleting=True, problems=(STALE,))
    assert not decide(seen).gone
