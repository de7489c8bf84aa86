"""Between two releases: the plan, the release, and what is remembered of it."""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import ledger, moves
from saferollout.decide.decision import Note
from saferollout.decide.ledger import Ledger
from saferollout.decide.memory import Because, Chosen, Memory
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from unit.decide.given import (
    NOW,
    at_rest,
    changed,
    edited,
    fresh,
    group,
    pods,
    releasable,
    releasing,
    replica_set,
    rolling,
    rollout_of,
    with_states,
)


def test_held_by_spec_the_plan_is_made_and_nothing_released() -> None:
    seen = releasable(policy=Policy(paused=True))
    decision = decide(seen)
    assert (decision.reason, decision.change) == (Reason.PAUSED_BY_SPEC, None)
    assert decision.memory.retiring == (Chosen("v1-1", "a", Because.MOST_TO_SPARE),)


def test_a_release_remembers_its_moment_and_what_will_have_to_drain() -> None:
    seen = releasable()
    memory = decide(seen).memory
    assert memory.step_started_at == seen.now
    assert [(each.pod, each.id, each.since) for each in memory.draining] == [("v1-1", "ip-v1-1", seen.now)]


def test_a_release_says_what_goes_and_what_comes() -> None:
    decision = decide(releasable())
    assert decision.message == "retires v1-1, adds 1 new"
    assert decision.notes == (Note("StepReleased", "step 2/3: retires v1-1, adds 1 new"),)


def test_a_release_that_only_takes_pods_away_is_no_step_more() -> None:
    decision = decide(rolling(2, new=2))
    assert decision.notes == (Note("StepReleased", "after step 2/2: retires v1-1"),)


def test_a_plan_that_changes_is_a_plan_from_now_on() -> None:
    seen = releasable()
    worse = with_states(seen, v1_2="unhealthy")
    decision = decide(worse)
    assert decision.reason is Reason.SETTLING
    assert decision.memory.retiring == (Chosen("v1-2", "b", Because.NOT_SERVING),)
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


def test_a_release_that_was_told_of_and_not_made_has_chosen_nobody_wrongly() -> None:
    """The operator has died between the two writes, or somebody else wrote the Deployment meanwhile."""
    seen = releasable()
    told = replace(seen, now=NOW + 5, memory=decide(seen).memory)
    decision = decide(told)
    assert (decision.notes, decision.unchosen) == ((), 0)
    assert decision.memory.draining == (), "it still serves: nothing of it drains"
    assert decision.memory.retiring == seen.memory.retiring
    again = replace(told, now=NOW + 5 + seen.tuning.settle, memory=decision.memory)
    assert decide(again).notes == decide(seen).notes


def test_the_ledger_keeps_when_the_last_release_was_made() -> None:
    seen = releasing()
    assert rollout_of(seen).released
    held = edited(seen, ledger=ledger.write(moves.pause(rollout_of(seen)).ledger or Ledger()))
    assert rollout_of(held).released
    assert not rollout_of(replace(edited(held, ledger=None), memory=held.memory)).released


def test_floors_are_measured_by_what_zones_had_when_the_rollout_began() -> None:
    seen = rolling(6, new=0, old=6, policy=Policy(min_healthy="50%"))
    assert seen.memory.had == (("a", 2), ("b", 2), ("c", 2))
    assert rollout_of(seen).floors == {"a": 1, "b": 1, "c": 1}
    later = replace(seen, pods=seen.pods[2:])
    assert decide(later).memory.had == seen.memory.had


def test_a_zone_whose_pod_is_ill_when_the_rollout_begins_has_its_floor() -> None:
    ill = with_states(rolling(), v1_1="unhealthy", v2_1="initial")
    assert decide(replace(ill, memory=Memory())).memory.had == (("a", 1), ("b", 1), ("c", 1))


def test_of_a_rollout_that_is_under_way_new_pods_count_as_far_as_they_serve() -> None:
    native = with_states(fresh(3, new=2, old=2), v2_2="initial")
    assert [each.zone for each in native.pods] == ["a", "b", "a", "b"]
    assert decide(native).memory.had == (("a", 2), ("b", 1))


def test_a_floor_is_less_when_there_are_to_be_fewer_pods() -> None:
    seen = rolling(6, new=0, old=6, policy=Policy(min_healthy="100%"))
    assert rollout_of(edited(seen, replicas=3)).floors == {"a": 1, "b": 1, "c": 1}


def test_a_floor_follows_the_users_change_of_mind() -> None:
    seen = rolling(6, new=0, old=6)
    lowered = replace(seen, policy=Policy(min_healthy=0))
    assert rollout_of(replace(lowered, memory=decide(lowered).memory)).floors == {"a": 0, "b": 0, "c": 0}


def test_floors_are_not_taken_while_nobody_knows_who_serves() -> None:
    adopted = edited(at_rest(), template="v3")
    blind = replace(adopted, target_groups=(group([], targets=None),))
    decision = decide(blind)
    assert decision.reason is Reason.PAUSING
    assert decision.memory.had is None
