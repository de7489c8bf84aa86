"""Rolling back: what has failed is replaced by what was complete before it, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide.answers import AlarmState, AlarmValue
from saferollout.decide.decision import Decision, Move, Outcome
from saferollout.decide.fences import WALL
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy, WatchedAlarm
from saferollout.decide.workload import Strategy
from unit.decide.given import (
    FAILURE,
    NOW,
    acted,
    at_rest,
    edited,
    failed,
    replica_set,
    rolling,
    with_pod,
    with_states,
)

BACK = Policy(rolls_back=True)


def put_back(seen: Observation) -> Observation:
    """The same after the rollback has been decided, acted out, and seen."""
    decision = decide(seen)
    while decision.change is None:
        seen = acted(seen, decision)
        decision = decide(seen)
    assert decision.change.move is Move.PUT_BACK
    return edited(acted(seen, decision), template=FAILURE.restored)


def notes(decision: Decision) -> list[str]:
    return [note.reason for note in decision.notes]


def test_a_time_out_holds_unless_it_is_to_be_rolled_back() -> None:
    decision = decide(failed())
    assert (decision.reason, decision.change) == (Reason.HEALTH_TIMEOUT, None)
    assert decision.memory.failed is None


def test_the_stable_template_is_put_back_when_new_pods_fail() -> None:
    seen = failed(policy=BACK)
    walled = decide(seen)
    assert walled.reason is Reason.ROLLING_BACK
    assert "RolloutFailed" in notes(walled)
    assert walled.memory.failed is not None
    assert (walled.memory.failed.revision, walled.memory.failed.restored) == ("v2", "v1")
    assert "unhealthy" in walled.memory.failed.cause
    decision = decide(acted(seen, walled))
    assert decision.change is not None
    assert (decision.change.move, decision.change.template_of) == (Move.PUT_BACK, "v1")
    assert decision.change.settings.paused
    assert decision.change.settings.min_ready_seconds == WALL
    assert decision.change.settings.strategy == Strategy("RollingUpdate", 1, 0)
    assert "RolloutFailed" not in notes(decision)


def test_a_stable_revision_that_is_still_complete_is_walled_first_or_the_others_would_go_ungated() -> None:
    seen = failed(policy=BACK)
    walled = decide(seen)
    assert walled.change is None
    assert [(each.replica_set, each.min_ready_seconds) for each in walled.fences] == [("v1", WALL)]


def test_a_stable_revision_that_has_lost_pods_needs_no_wall() -> None:
    seen = with_states(rolling(3, new=2, policy=BACK), v2_2="unhealthy")
    seen = replace(seen, memory=replace(seen.memory, failing_since=NOW - 601))
    decision = decide(seen)
    assert decision.change is not None
    assert decision.change.move is Move.PUT_BACK


def test_the_way_back_goes_through_the_gates_and_says_that_it_is_one() -> None:
    decision = decide(put_back(failed(policy=BACK)))
    assert decision.picture.rolling_back
    assert decision.memory.failed is not None
    assert decision.memory.failed.rolled_back


def test_a_failure_on_the_way_back_is_held_and_not_rolled_back_again() -> None:
    seen = put_back(failed(policy=BACK))
    seen = with_states(seen, v1_1="unhealthy")
    seen = replace(seen, memory=replace(seen.memory, target="v1", failing_since=NOW - 601))
    decision = decide(seen)
    assert (decision.reason, decision.change) == (Reason.HEALTH_TIMEOUT, None)


def test_a_failed_revision_that_is_applied_again_is_held_and_nobody_is_fought() -> None:
    seen = put_back(failed(policy=BACK))
    again = edited(acted(seen, decide(seen)), template="v2")
    held = decide(again)
    assert held.change is not None
    assert held.change.move is Move.PAUSE
    again = acted(again, held)
    decision = decide(again)
    assert (decision.reason, decision.change, decision.costs) == (Reason.REVISION_FAILED, None, ())
    assert decide(acted(again, decision)).reason is Reason.REVISION_FAILED


def test_another_template_is_a_rollout_like_any_other() -> None:
    seen = put_back(failed(policy=BACK))
    other = edited(acted(seen, decide(seen)), template="v3")
    decision = decide(other)
    assert decision.memory.failed is None
    assert not decision.picture.rolling_back


def test_without_the_stable_revision_there_is_nothing_to_go_back_to_and_it_is_held() -> None:
    seen = failed(policy=BACK)
    seen = replace(seen, memory=replace(seen.memory, stable="v0"))
    decision = decide(seen)
    assert (decision.reason, decision.change) == (Reason.HEALTH_TIMEOUT, None)


def test_a_rollback_that_has_ended_says_what_has_failed_and_is_not_ready() -> None:
    seen = at_rest()
    back = replace(FAILURE, template="v3", revision="v3", restored="v2", rolled_back=True)
    memory = replace(seen.memory, failed=back, started_at=NOW - 900)
    decision = decide(replace(seen, memory=memory))
    assert decision.reason is Reason.ROLLED_BACK
    assert decision.message == f"revision v2 is complete again; v3 has failed: {back.cause}"
    assert decision.finished is not None
    assert (decision.finished.revision, decision.finished.outcome) == ("v3", Outcome.ROLLED_BACK)
    assert decision.memory.failed == back
    later = decide(acted(replace(seen, memory=memory), decision))
    assert (later.reason, later.finished, later.notes) == (Reason.ROLLED_BACK, None, ())


def test_a_failed_revision_that_is_complete_after_all_has_not_failed() -> None:
    seen = at_rest()
    memory = replace(seen.memory, failed=replace(FAILURE, rolled_back=True), started_at=NOW - 900)
    decision = decide(replace(seen, memory=memory))
    assert (decision.reason, decision.memory.failed) == (Reason.COMPLETE, None)


@pytest.mark.parametrize("down", [True, False])
def test_after_the_last_step_pods_may_fail_yet_and_the_revision_before_has_no_pods_by_then(
    *, down: bool
) -> None:
    seen = at_rest(policy=replace(BACK, bake=60.0))
    before = replica_set("v1", 0)
    memory = replace(
        seen.memory, stable="v1", target="v2", started_at=NOW - 900, failing_since=NOW - 601 if down else None
    )
    seen = replace(seen, memory=memory, replica_sets=(*seen.replica_sets, before))
    decision = decide(with_pod(seen, "v2-1", ready_since=None) if down else seen)
    if down:
        assert decision.change is not None
        assert decision.change.template_of == "v1"
        assert decision.change.settings.paused
    else:
        assert decision.reason is Reason.BAKING


def test_an_alarm_that_fires_is_a_failure_and_the_way_back_does_not_wait_for_it() -> None:
    policy = replace(BACK, alarms=(WatchedAlarm("web-5xx"),))
    seen = rolling(policy=policy)
    fires = AlarmState("web-5xx", AlarmValue.ALARM, "too many", since=seen.now + 1, asked_at=NOW)
    seen = replace(seen, alarms=(fires,))
    walled = decide(seen)
    assert walled.memory.failed is not None
    assert "web-5xx is in ALARM" in walled.memory.failed.cause
    assert decide(put_back(seen)).reason is not Reason.ALARM_FIRING


@pytest.mark.parametrize("since", [NOW - 60, None])
def test_an_alarm_that_fired_before_holds_a_revision_that_may_end_it(since: float | None) -> None:
    policy = replace(BACK, alarms=(WatchedAlarm("web-5xx"),))
    fires = AlarmState("web-5xx", AlarmValue.ALARM, "too many", since=since, asked_at=NOW)
    decision = decide(replace(rolling(policy=policy), alarms=(fires,)))
    assert (decision.reason, decision.change) == (Reason.ALARM_FIRING, None)
    assert decision.memory.failed is None


def test_pods_of_a_template_that_left_no_old_ones_have_their_time_and_no_more() -> None:
    seen = with_pod(at_rest(), "v2-1", ready_since=None)
    begun = replace(seen, memory=replace(seen.memory, target="v1", stable="v1", started_at=NOW - 5))
    first = decide(begun)
    assert first.memory.target == "v2"
    later = acted(begun, first, later=601)
    assert decide(with_states(later)).reason is Reason.HEALTH_TIMEOUT
