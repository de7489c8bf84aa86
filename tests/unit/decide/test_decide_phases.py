"""The table of stages: the smallest snapshot that reaches each, and what it decides."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide import moves
from saferollout.decide.decision import Finished, Move, Note
from saferollout.decide.fences import WALL
from saferollout.decide.observation import (
    Draining,
    Memory,
    Observation,
    Policy,
    Problem,
    Strategy,
    Target,
    TargetState,
)
from saferollout.decide.phases import STAGES, decide
from saferollout.decide.resting import IDLE_LOOK
from saferollout.decide.waiting import SOON
from unit.decide.given import (
    NOW,
    PORT,
    acted,
    at_rest,
    changed,
    edited,
    fresh,
    group,
    pod,
    pods,
    releasable,
    replica_set,
    rolling,
    rollout_of,
    untouched,
    with_pod,
    with_states,
)

RIVAL = Problem(Reason.DEPLOYMENT_ALREADY_WRAPPED, "saferollout/other has this Deployment already")
INVALID = Problem(Reason.INVALID_SPEC, "step.maxSurge: 0 is less than 1")
STALE = Problem(Reason.CACHE_STALE, "pods could not be followed")
GONE = Draining("arn-web", "ip-gone", PORT, "v1-9", "a", NOW - 30)


def releasing() -> Observation:
    """A release has just been made."""
    seen = releasable()
    return acted(seen, decide(seen))


def draining(seen: Observation) -> Observation:
    """The same with a retired pod whose target drains."""
    web = seen.target_groups[0]
    more = (*(web.targets or ()), Target("ip-gone", PORT, TargetState.DRAINING))
    memory = replace(seen.memory, draining=(GONE,), started_at=NOW - 600)
    return replace(seen, memory=memory, target_groups=(replace(web, targets=more),))


REACHED = {
    "stand_back": (replace(fresh(), problems=(RIVAL,)), Reason.DEPLOYMENT_ALREADY_WRAPPED, None),
    "leave": (replace(at_rest(), deleting=True), Reason.FINISHING, Move.GIVE_BACK),
    "pause": (fresh(), Reason.PAUSING, Move.PAUSE),
    "stay_blocked": (replace(at_rest(), problems=(INVALID,)), Reason.INVALID_SPEC, None),
    "leave_held": (edited(at_rest(), paused=True), Reason.DEPLOYMENT_PAUSED, None),
    "await_release": (releasing(), Reason.RELEASING, None),
    "step": (releasable(), Reason.RELEASING, Move.RELEASE),
    "rest": (untouched(), Reason.FINISHING, Move.ADOPT),
    "await_last_drain": (draining(at_rest()), Reason.WAITING_FOR_DRAIN, None),
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
    assert (decision.change.move if decision.change else None) is move
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


# --- another's


def test_a_deployment_of_another_is_not_touched_and_not_clung_to() -> None:
    decision = decide(replace(fresh(), problems=(RIVAL,), deleting=True))
    assert decision.gone
    assert (decision.change, decision.costs, decision.fences) == (None, (), ())


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


# --- loose


def test_a_loose_deployment_is_held_before_a_complaint_about_it_if_it_was_adopted() -> None:
    adopted = at_rest()
    new_template = edited(replace(adopted, problems=(INVALID,)), template="v3")
    decision = decide(new_template)
    assert decision.reason is Reason.PAUSING


def test_a_deployment_that_was_never_adopted_is_left_alone_while_something_is_wrong() -> None:
    decision = decide(replace(fresh(), problems=(INVALID,)))
    assert (decision.reason, decision.change) == (Reason.INVALID_SPEC, None)


def test_a_paused_deployment_whose_target_is_complete_is_given_a_wall() -> None:
    seen = edited(rolling(3, new=2, old=2), replicas=2)
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


# --- stepping


def test_held_by_spec_the_plan_is_made_and_nothing_released() -> None:
    seen = releasable(policy=Policy(paused=True))
    decision = decide(seen)
    assert (decision.reason, decision.change) == (Reason.PAUSED_BY_SPEC, None)
    assert decision.memory.retiring == ("v1-1",)


def test_a_release_remembers_its_moment_and_what_will_have_to_drain() -> None:
    seen = releasable()
    memory = decide(seen).memory
    assert memory.step_started_at == seen.now
    assert [(each.pod, each.id, each.since) for each in memory.draining] == [("v1-1", "ip-v1-1", seen.now)]


def test_a_release_says_what_goes_and_what_comes() -> None:
    decision = decide(releasable())
    assert decision.message == "retires v1-1, adds 1 new"
    assert decision.notes == (Note("StepReleased", "step 2/3: retires v1-1, adds 1 new"),)


def test_a_plan_that_changes_is_a_plan_from_now_on() -> None:
    seen = releasable()
    worse = with_states(seen, v1_2="unhealthy")
    decision = decide(worse)
    assert decision.reason is Reason.SETTLING
    assert decision.memory.retiring == ("v1-2",)
    assert decision.memory.planned_at == seen.now


def test_pods_that_should_have_gone_and_are_still_here_are_told_of() -> None:
    seen = releasing()
    stayed = replace(
        seen,
        now=NOW + 5,
        replica_sets=(replica_set("v1", 2), replica_set("v2", 2)),
        pods=(*pods("v1", 2), *pods("v2", 2)),
        target_groups=(group((*pods("v1", 2), *pods("v2", 2)), asked_at=NOW + 5),),
        deployment=changed(seen.deployment, moves.pause(rollout_of(seen))) if seen.deployment else None,
    )
    decision = decide(stayed)
    assert decision.notes == (
        Note(
            "UnchosenPodRetired",
            "others went instead of v1-1; the next plan starts from what is there",
            warning=True,
        ),
    )
    assert decision.memory.draining == ()


def test_floors_are_taken_once_when_the_rollout_begins() -> None:
    seen = rolling(6, new=0, old=6, policy=Policy(min_healthy="50%"))
    assert seen.memory.floors == (("a", 1), ("b", 1), ("c", 1))
    later = decide(with_states(seen, v1_1="unhealthy", v1_4="unhealthy"))
    assert later.memory.floors == seen.memory.floors


def test_floors_are_not_taken_while_nobody_knows_who_serves() -> None:
    adopted = edited(at_rest(), template="v3")
    blind = replace(adopted, target_groups=(group([], targets=None),))
    decision = decide(blind)
    assert decision.reason is Reason.PAUSING
    assert decision.memory.floors is None


# --- waiting too long


def waiting_for_health(since: float) -> Observation:
    seen = with_states(rolling(), v2_1="initial")
    return replace(seen, memory=replace(seen.memory, reason=Reason.WAITING_FOR_HEALTH, waiting_since=since))


def test_a_wait_for_health_times_out_and_keeps_its_since() -> None:
    decision = decide(waiting_for_health(NOW - 600.5))
    assert decision.reason is Reason.HEALTH_TIMEOUT
    assert decision.memory.waiting_since == NOW - 600.5
    assert [note.reason for note in decision.notes] == ["HealthTimeout"]


def test_a_wait_for_health_that_is_as_long_as_allowed_has_not_timed_out() -> None:
    assert decide(waiting_for_health(NOW - 600)).reason is Reason.WAITING_FOR_HEALTH


def test_more_time_in_the_spec_makes_a_time_out_a_wait_again_since_the_same_moment() -> None:
    seen = waiting_for_health(NOW - 700)
    late = acted(seen, decide(seen))
    assert late.memory.reason is Reason.HEALTH_TIMEOUT
    decision = decide(replace(late, policy=Policy(health_timeout=900)))
    assert decision.reason is Reason.WAITING_FOR_HEALTH
    assert decision.memory.waiting_since == NOW - 700


def test_a_time_out_is_over_when_the_pods_serve() -> None:
    seen = waiting_for_health(NOW - 700)
    late = acted(seen, decide(seen))
    decision = decide(with_states(late))
    assert decision.reason is Reason.SETTLING
    assert decision.memory.waiting_since == NOW


def test_a_wait_for_draining_times_out_by_the_oldest_target() -> None:
    seen = draining(rolling())
    assert decide(seen).reason is Reason.WAITING_FOR_DRAIN
    decision = decide(replace(seen, policy=Policy(drain_timeout=29)))
    assert decision.reason is Reason.DRAIN_TIMEOUT
    assert decision.memory.waiting_since == NOW


def test_another_reason_is_another_wait() -> None:
    seen = rolling()
    memory = replace(seen.memory, reason=Reason.WAITING_FOR_DRAIN, waiting_since=NOW - 99)
    assert decide(replace(seen, memory=memory)).memory.waiting_since == NOW


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
    assert again.memory == Memory("v2", "v2", Reason.COMPLETE, waiting_since=rested.now)


def test_a_rollout_has_not_ended_before_its_last_target_has_drained() -> None:
    decision = decide(draining(at_rest()))
    assert (decision.reason, decision.finished) == (Reason.WAITING_FOR_DRAIN, None)
    assert decision.message == "draining: ip-gone:8080 in web"


def test_at_rest_nobody_looks_again_unless_a_pod_does_not_serve() -> None:
    assert decide(at_rest()).look_again == math.inf
    assert decide(with_states(at_rest(), v2_1="unhealthy")).look_again == IDLE_LOOK


def test_while_controllers_are_at_work_the_next_look_is_soon() -> None:
    assert decide(releasing()).look_again == SOON


def test_a_deployment_that_is_scaled_at_rest_stays_at_rest() -> None:
    seen = edited(at_rest(), replicas=5)
    assert decide(seen).reason is Reason.COMPLETE


def test_a_pod_that_fails_at_rest_changes_nothing() -> None:
    seen = with_pod(at_rest(), "v2-1", ready_since=None, phase="Failed")
    assert decide(replace(seen, pods=(*seen.pods, pod("v2-9")))).change is None
