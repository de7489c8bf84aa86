"""The end of a rollout, rest, and giving everything back."""

from __future__ import annotations

import math
from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide.decision import Finished, Move
from saferollout.decide.fences import WALL
from saferollout.decide.ledger import Settings
from saferollout.decide.memory import Memory
from saferollout.decide.observation import Observation, Problem
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from saferollout.decide.waiting import SOON, UNHURRIED
from saferollout.decide.workload import Strategy
from unit.decide.given import (
    NOW,
    USERS,
    acted,
    at_rest,
    draining,
    edited,
    fresh,
    group,
    pod,
    releasable,
    releasing,
    replica_set,
    rolling,
    untouched,
    with_pod,
    with_states,
)

INVALID = Problem(Reason.INVALID_SPEC, "step.maxSurge: 0 is less than 1")
STALE = Problem(Reason.CACHE_STALE, "pods could not be followed")


# --- leaving


def test_leaving_ends_when_nothing_of_the_operators_is_left() -> None:
    leaving = replace(releasable(), deleting=True)
    first = decide(leaving)
    assert not first.gone
    assert [write.cost for write in first.costs] == [None]
    assert decide(acted(leaving, first)).gone


def test_leaving_takes_copies_of_the_ledger_off_the_replica_sets() -> None:
    noted = replace(untouched(), deleting=True, replica_sets=(replica_set("v2", 3, noted=True),))
    decision = decide(noted)
    assert not decision.gone
    assert [(each.replica_set, each.min_ready_seconds) for each in decision.fences] == [("v2", 0)]


def test_leaving_is_not_over_while_the_cluster_cannot_be_seen() -> None:
    assert not decide(replace(untouched(), deleting=True, problems=(STALE,))).gone


def test_leaving_comes_before_every_complaint() -> None:
    decision = decide(replace(at_rest(), deleting=True, problems=(INVALID,)))
    assert decision.change is not None


# --- resting


def ended() -> Observation:
    """No old pod is left, but the Deployment is still as the last release left it."""
    seen = releasable(3, new=3, old=1)
    last = acted(seen, decide(seen))
    return replace(
        last,
        replica_sets=(replica_set("v1", 0), replica_set("v2", 3)),
        pods=tuple(each for each in last.pods if each.owner == "v2"),
        target_groups=(group((each for each in last.pods if each.owner == "v2"), asked_at=last.now),),
    )


def test_without_old_pods_everything_but_the_strategy_goes_back() -> None:
    decision = decide(ended())
    assert decision.change is not None
    assert decision.change.move is Move.FINISH
    assert decision.change.settings.paused is False
    assert decision.change.settings.strategy == Strategy("RollingUpdate", 1, 0)


def test_a_wall_on_a_superseded_replica_set_is_taken_down_at_the_end() -> None:
    seen = ended()
    walled = replace(seen, replica_sets=(replica_set("v3", 0, min_ready_seconds=WALL), *seen.replica_sets))
    assert [(each.replica_set, each.min_ready_seconds) for each in decide(walled).fences] == [("v3", 0)]


def test_a_rollout_that_has_ended_is_told_once_and_then_forgotten() -> None:
    seen = ended()
    rested = acted(seen, decide(seen), later=8.0)
    decision = decide(rested)
    assert decision.reason is Reason.COMPLETE
    assert decision.finished == Finished("v2", started_at=NOW, finished_at=rested.now, steps=3)
    assert [note.reason for note in decision.notes] == ["RolloutCompleted"]
    again = decide(acted(rested, decision))
    assert (again.finished, again.notes) == (None, ())
    kept = Memory(
        "v2",
        "v2",
        Reason.COMPLETE,
        waiting_since=rested.now,
        exposure=decision.memory.exposure,
        ledger=rested.memory.ledger,
    )
    assert again.memory == kept


def test_a_rollout_has_not_ended_before_its_last_target_has_drained() -> None:
    decision = decide(draining(at_rest()))
    assert (decision.reason, decision.finished) == (Reason.WAITING_FOR_DRAIN, None)
    assert decision.message == "draining: ip-gone:8080 in web"


def test_at_rest_nobody_looks_again_unless_a_pod_does_not_serve() -> None:
    assert decide(at_rest()).look_again == math.inf
    assert decide(with_states(at_rest(), v2_1="unhealthy")).look_again == UNHURRIED


def test_while_controllers_are_at_work_the_next_look_is_soon() -> None:
    assert decide(releasing()).look_again == SOON


def test_a_deployment_that_is_scaled_at_rest_stays_at_rest() -> None:
    seen = edited(at_rest(), replicas=5)
    assert decide(seen).reason is Reason.COMPLETE


def test_a_pod_that_fails_at_rest_changes_nothing() -> None:
    seen = with_pod(at_rest(), "v2-1", ready_since=None, phase="Failed")
    assert decide(replace(seen, pods=(*seen.pods, pod("v2-9")))).change is None


# --- leaving with a pause


def kept_paused(seen: Observation) -> Observation:
    """The same, with a SafeRollout that is deleted and asks for the pause to stay."""
    return replace(seen, deleting=True, policy=replace(seen.policy, keep_paused=True))


def test_in_mid_rollout_all_but_the_pause_is_given_back_if_that_is_asked_for() -> None:
    leaving = kept_paused(releasable())
    decision = decide(leaving)
    assert decision.change is not None
    assert decision.change.settings == Settings(
        paused=True, strategy=USERS, min_ready_seconds=0, progress_deadline_seconds=600
    )
    assert decision.change.ledger is None
    (told,) = decision.notes
    assert (told.reason, told.warning) == ("KeptPaused", False)
    assert told.message.endswith("kubectl rollout resume deployment/web")
    left = decide(acted(leaving, decision))
    assert (left.gone, left.change, left.notes) == (True, None, ())


def test_a_pause_that_holds_no_old_pod_is_left_with_a_warning() -> None:
    decision = decide(kept_paused(rolling(3, new=3, old=1)))
    assert decision.change is not None
    assert decision.change.settings.paused
    assert decision.change.settings.min_ready_seconds == 0
    (told,) = decision.notes
    assert told.warning
    assert "does not hold the 1 old ones" in told.message


def test_a_deployment_that_was_never_in_hand_is_not_paused_on_leaving() -> None:
    decision = decide(kept_paused(fresh()))
    assert (decision.change, decision.gone) == (None, True)


def test_at_rest_no_pause_is_left() -> None:
    decision = decide(kept_paused(at_rest()))
    assert decision.change is not None
    assert not decision.change.settings.paused
    assert decision.notes == ()


def test_a_pause_of_the_users_own_stays_without_a_word() -> None:
    seen = edited(at_rest(), paused=True)
    for policy in (Policy(), Policy(keep_paused=True)):
        decision = decide(replace(seen, deleting=True, policy=policy))
        assert decision.change is not None
        assert decision.change.settings.paused
        assert decision.notes == ()
