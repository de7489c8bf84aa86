"""A guard: an admission policy that pauses the Deployment in the write that changes its template."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferollout.api.names import GUARDED
from saferollout.api.reasons import Reason
from saferollout.decide.decision import Move
from saferollout.decide.ledger import live_settings
from saferollout.decide.observation import Guard, Observation, Problem
from saferollout.decide.phases import decide
from unit.decide.given import (
    USERS,
    acted,
    at_rest,
    deployment,
    edited,
    observed,
    pods,
    releasable,
    releasing,
    replica_set,
    untouched,
)

IN_FORCE = Guard(in_force=True)
INVALID = Problem(Reason.INVALID_SPEC, "no such field")


def guarded() -> Observation:
    """A Deployment at rest under a guard."""
    return at_rest(guard=IN_FORCE)


def held(**other: object) -> Observation:
    """The same with another template, which the guard has paused."""
    found = deployment(3, label=GUARDED, paused=True, held_by_guard=True)
    return observed((replica_set("v1", 3),), pods("v1", 3), found, guard=IN_FORCE, **other)


def test_adopting_under_a_guard_writes_the_label_and_nothing_else() -> None:
    seen = untouched(guard=IN_FORCE)
    change = decide(seen).change
    assert change is not None
    assert seen.deployment is not None
    assert (change.move, change.label, change.ledger) == (Move.ADOPT, GUARDED, None)
    assert change.settings == live_settings(seen.deployment)


def test_under_a_guard_nothing_more_is_to_be_done_at_rest() -> None:
    decision = decide(guarded())
    assert (decision.reason, decision.change) == (Reason.COMPLETE, None)


@pytest.mark.parametrize("in_force", [False, None])
def test_without_a_guard_or_not_knowing_nothing_is_given_up_at_rest(in_force: bool | None) -> None:  # noqa: FBT001 - the answer
    change = decide(untouched(guard=Guard(in_force=in_force))).change
    assert change is not None
    assert (change.settings.strategy.max_unavailable, change.label) == (0, GUARDED)


def test_when_the_guard_goes_the_strategy_is_changed_and_when_it_comes_it_is_the_users_again() -> None:
    without = acted(
        replace(guarded(), guard=Guard(in_force=False)), decide(replace(guarded(), guard=Guard()))
    )
    assert without.deployment is not None
    assert without.deployment.strategy.max_unavailable == 0
    again = acted(replace(without, guard=IN_FORCE), decide(replace(without, guard=IN_FORCE)))
    assert again.deployment is not None
    assert (again.deployment.strategy, again.deployment.ledger) == (USERS, None)


def test_a_rollout_under_a_guard_ends_with_everything_as_the_user_has_it() -> None:
    seen = replace(at_rest(), guard=IN_FORCE)
    change = decide(seen).change
    assert change is not None
    assert (change.move, change.settings.strategy, change.ledger) == (Move.FINISH, USERS, None)


def test_what_the_guard_holds_is_taken_over_and_stays_paused() -> None:
    decision = decide(held())
    change = decision.change
    assert change is not None
    assert (change.move, change.settings.paused) == (Move.PAUSE, True)
    assert change.ledger is not None
    assert (change.ledger.users["paused"], change.ledger.ours["paused"]) == (False, True)


def test_what_was_taken_over_is_rolled_out_and_never_called_somebody_elses_pause() -> None:
    seen = held()
    for _ in range(6):
        decision = decide(seen)
        if decision.move is Move.RELEASE:
            break
        assert decision.reason is not Reason.DEPLOYMENT_PAUSED
        seen = acted(seen, decision, later=seen.tuning.settle)
    assert decision.move is Move.RELEASE


def test_a_pause_without_the_guards_mark_is_somebody_elses_and_respected() -> None:
    seen = edited(held(), held_by_guard=False)
    decision = decide(seen)
    assert (decision.reason, decision.change) == (Reason.DEPLOYMENT_PAUSED, None)


def test_a_later_pause_of_somebody_elses_is_theirs_once_the_mark_is_taken_off() -> None:
    resting = edited(guarded(), paused=True)
    assert decide(resting).reason is Reason.DEPLOYMENT_PAUSED


def test_a_template_that_is_back_before_anybody_looked_is_un_paused() -> None:
    seen = edited(guarded(), paused=True, held_by_guard=True)
    change = decide(seen).change
    assert change is not None
    assert (change.move, change.settings.paused) == (Move.FINISH, False)


def test_what_the_guard_holds_is_taken_over_although_the_spec_cannot_be_followed() -> None:
    seen = held(problems=(INVALID,))
    assert decide(seen).move is Move.PAUSE
    after = acted(seen, decide(seen))
    assert decide(after).reason is Reason.INVALID_SPEC


def test_a_wrapped_deployment_that_moves_is_paused_although_the_spec_cannot_be_followed() -> None:
    loose = edited(held(problems=(INVALID,)), paused=False, held_by_guard=False)
    assert decide(loose).move is Move.PAUSE
    assert decide(edited(loose, label=None)).move is None


def test_a_template_that_changes_within_a_release_is_taken_over_too() -> None:
    seen = edited(releasing(), template="v3", paused=True, held_by_guard=True)
    decision = decide(seen)
    assert decision.change is not None
    assert (decision.change.move, decision.change.settings.paused) == (Move.PAUSE, True)


def test_leaving_takes_the_label_off_and_resumes_what_the_guard_had_paused() -> None:
    seen = replace(held(), deleting=True)
    decision = decide(seen)
    assert decision.change is not None
    assert (decision.change.move, decision.change.label) == (Move.GIVE_BACK, None)
    assert decision.change.settings.paused is False
    assert not decision.gone
    assert decide(acted(seen, decision)).gone


def test_leaving_at_rest_under_a_guard_takes_the_label_off() -> None:
    seen = replace(guarded(), deleting=True)
    decision = decide(seen)
    assert decision.move is Move.GIVE_BACK
    assert decide(acted(seen, decision)).gone


def test_a_label_that_somebody_else_has_written_is_neither_changed_nor_taken_off() -> None:
    seen = edited(untouched(), label="false")
    change = decide(seen).change
    assert change is not None
    assert change.label == "false"
    leaving = edited(untouched(deleting=True), label="false")
    assert decide(leaving).gone


def test_a_label_that_is_lost_is_written_again() -> None:
    change = decide(edited(guarded(), label=None)).change
    assert change is not None
    assert change.label == GUARDED


def test_the_guard_is_in_the_picture() -> None:
    assert decide(guarded()).picture.guard == IN_FORCE


def test_in_mid_rollout_the_guard_changes_nothing() -> None:
    assert decide(releasable(guard=IN_FORCE)) == replace(
        decide(releasable()), picture=decide(releasable(guard=IN_FORCE)).picture
    )
