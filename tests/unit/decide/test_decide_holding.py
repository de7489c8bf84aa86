"""Stages without a release: another's Deployment, a loose one, one out of order, one held by its user."""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide.decision import Move, Note
from saferollout.decide.fences import WALL
from saferollout.decide.observation import Problem
from saferollout.decide.phases import decide
from saferollout.decide.workload import Strategy
from unit.decide.given import (
    NOW,
    acted,
    at_rest,
    edited,
    fresh,
    group,
    releasable,
    releasing,
    rolling,
    untouched,
    with_states,
)

RIVAL = Problem(Reason.DEPLOYMENT_ALREADY_WRAPPED, "saferollout/other has this Deployment already")
INVALID = Problem(Reason.INVALID_SPEC, "step.maxSurge: 0 is less than 1")


# --- another's


def test_a_deployment_of_another_is_not_touched_and_not_clung_to() -> None:
    decision = decide(replace(fresh(), problems=(RIVAL,), deleting=True))
    assert decision.gone
    assert (decision.change, decision.costs, decision.fences) == (None, (), ())


# --- loose


def test_a_loose_deployment_is_held_before_a_complaint_about_it_if_it_was_adopted() -> None:
    adopted = at_rest()
    new_template = edited(replace(adopted, problems=(INVALID,)), template="v3")
    decision = decide(new_template)
    assert decision.reason is Reason.PAUSING


def test_a_deployment_that_was_never_adopted_is_left_alone_while_something_is_wrong() -> None:
    decision = decide(replace(fresh(), problems=(INVALID,)))
    assert (decision.reason, decision.change) == (Reason.INVALID_SPEC, None)


def test_a_paused_deployment_is_given_a_wall_before_somebody_scales_down_to_its_new_pods() -> None:
    seen = edited(rolling(3, new=2, old=2), min_ready_seconds=0)
    decision = decide(seen)
    assert decision.change is not None
    assert decision.change.move is Move.PAUSE
    assert decision.change.settings.min_ready_seconds == WALL


def test_a_release_that_takes_too_long_is_taken_back() -> None:
    late = replace(releasing(), now=NOW + 120)
    decision = decide(late)
    assert decision.reason is Reason.PAUSING
    assert decision.memory.step_started_at is None


def test_a_release_of_which_nobody_knows_since_when_is_taken_back() -> None:
    seen = releasing()
    forgotten = replace(seen, memory=replace(seen.memory, step_started_at=None))
    assert decide(forgotten).reason is Reason.PAUSING


def test_the_last_release_is_taken_back_when_a_new_pod_stops_serving() -> None:
    seen = releasable(3, new=3, old=1)
    last = acted(seen, decide(seen))
    assert decide(last).reason is Reason.RELEASING
    assert decide(with_states(last, v2_1="unhealthy")).reason is Reason.PAUSING


def test_a_release_of_another_template_does_not_keep_the_deployment_loose() -> None:
    assert decide(edited(releasing(), template="v3")).reason is Reason.PAUSING


# --- blocked, held


def test_a_strategy_that_takes_everything_away_at_once_is_refused() -> None:
    decision = decide(edited(untouched(), strategy=Strategy("Recreate")))
    assert decision.reason is Reason.STRATEGY_UNSUPPORTED
    assert decision.message == (
        "strategy Recreate cannot be stepped: set spec.strategy.type of deployment/web to RollingUpdate"
    )


def test_no_target_group_is_a_reason_to_do_nothing() -> None:
    decision = decide(replace(fresh(), target_groups=()))
    assert (decision.reason, decision.change) == (Reason.NO_TARGET_GROUP, None)


def test_a_group_that_never_answered_is_a_reason_to_do_nothing() -> None:
    silent = group([], targets=None, problem=Reason.NO_CREDENTIALS, detail="no credentials were found")
    decision = decide(replace(untouched(), target_groups=(silent,)))
    assert (decision.reason, decision.message) == (Reason.NO_CREDENTIALS, "no credentials were found")


def test_a_warning_is_given_when_trouble_begins_and_not_again() -> None:
    seen = replace(at_rest(), problems=(INVALID,))
    first = decide(seen)
    assert first.notes == (Note("InvalidSpec", INVALID.message, warning=True),)
    assert decide(acted(seen, first)).notes == ()


def test_a_pause_of_the_users_is_not_overruled_though_a_rollout_waits() -> None:
    decision = decide(edited(fresh(), paused=True))
    assert (decision.reason, decision.change) == (Reason.DEPLOYMENT_PAUSED, None)
    assert decision.message.endswith("kubectl rollout resume deployment/web")


def test_the_operators_own_pause_is_not_the_users() -> None:
    assert decide(rolling()).reason is Reason.SETTLING
