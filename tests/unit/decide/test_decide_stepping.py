"""Between two releases: the plan, the release, and what is remembered of it."""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import moves
from saferollout.decide.decision import Note
from saferollout.decide.observation import (
    Because,
    Chosen,
    Policy,
)
from saferollout.decide.phases import decide
from unit.decide.given import (
    NOW,
    at_rest,
    changed,
    edited,
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
