"""Fields that somebody else writes: set back three times, then left, with something else that holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide import ledger, moves, takeovers
from saferollout.decide.decision import Decision, Move
from saferollout.decide.fences import WALL
from saferollout.decide.ledger import live_settings
from saferollout.decide.memory import Takeover
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.workload import Strategy
from unit.decide.given import NOW, USERS, acted, at_rest, edited, releasable, releasing, rolling, rollout_of

GITOPS = (("paused", "gitops"), ("strategy", "gitops"), ("min_ready_seconds", "gitops"))


def contested(seen: Observation, *fields: str, times: int = takeovers.PATIENCE) -> Observation:
    """The same with fields that somebody else has written so often."""
    told = tuple(Takeover(each, "gitops", times, NOW - 60, NOW - 1) for each in fields)
    return replace(seen, memory=replace(seen.memory, takeovers=told))


def fought(seen: Observation, times: int, **fields: Any) -> tuple[Observation, list[Decision]]:
    """What is there after somebody has written the fields so often, and what was decided each time."""
    decisions = []
    for _ in range(times):
        seen = edited(seen, writers=GITOPS, **fields)
        decision = decide(seen)
        decisions.append(decision)
        seen = acted(seen, decision, later=1.0)
    return seen, decisions


def written(decisions: list[Decision]) -> list[bool]:
    return [each.change is not None for each in decisions]


# --- at rest


def test_a_strategy_that_is_written_again_and_again_is_left_to_its_writer_after_three_times() -> None:
    seen, decisions = fought(at_rest(), 6, strategy=USERS)
    assert written(decisions) == [True, True, True, True, False, False]
    assert seen.deployment is not None
    assert (seen.deployment.strategy, seen.deployment.ledger, seen.memory.ledger) == (USERS, None, None)


def test_a_takeover_names_who_it_was_and_how_often() -> None:
    seen, decisions = fought(at_rest(), 2, strategy=USERS)
    assert seen.memory.takeovers == (Takeover("strategy", "gitops", 2, NOW, NOW + 1),)
    told = [note for each in decisions for note in each.notes if note.reason == "FieldTakenOver"]
    assert [each.message for each in told] == [
        "gitops wrote spec.strategy of the Deployment; it is set back (1 times)",
        "gitops wrote spec.strategy of the Deployment; it is set back (2 times)",
    ]


def test_what_is_looked_at_again_without_having_been_written_is_no_other_takeover() -> None:
    seen, _ = fought(at_rest(), 1, strategy=USERS)
    assert decide(seen).memory.takeovers == seen.memory.takeovers


def test_a_change_of_another_spec_or_a_retry_begins_anew() -> None:
    seen, _ = fought(at_rest(), 6, strategy=USERS)
    again = replace(seen, memory=takeovers.forget(seen.memory))
    assert decide(again).change is not None


# --- in mid-rollout


def test_who_resumes_once_is_told_of_and_set_back() -> None:
    decision = decide(edited(rolling(), paused=False, writers=GITOPS))
    assert (decision.reason, [note.reason for note in decision.notes]) == (Reason.PAUSING, ["FieldTakenOver"])
    assert decision.change is not None
    assert decision.change.settings.paused


def test_who_resumes_again_and_again_is_left_to_it_behind_the_wall() -> None:
    seen, decisions = fought(rolling(), 4, paused=False)
    assert written(decisions) == [True, True, True, True]  # the fourth strikes the pause off the ledger
    assert seen.deployment is not None
    assert (seen.deployment.paused, seen.deployment.min_ready_seconds) == (False, WALL)
    assert decide(seen).change is None


@pytest.mark.parametrize(
    "fields",
    [{"min_ready_seconds": 5}, {"strategy": USERS}, {"strategy": Strategy("RollingUpdate", 1, 1)}],
)
def test_an_unpaused_deployment_whose_wall_gives_is_held_again(fields: dict[str, Any]) -> None:
    seen = edited(contested(rolling(), "paused"), paused=False, **fields)
    decision = decide(seen)
    assert decision.reason is Reason.PAUSING
    assert decision.change is not None
    assert decision.change.settings.min_ready_seconds == WALL
    assert decision.change.settings.strategy.max_unavailable == 0


def test_a_release_that_ends_unpaused_ends_behind_the_wall() -> None:
    seen = contested(releasing(), "paused")
    assert seen.deployment is not None
    ended = replace(
        seen,
        replica_sets=tuple(
            replace(each, replicas=each.replicas + (1 if each.name == "v2" else -1))
            for each in seen.replica_sets
        ),
    )
    change = decide(ended).change
    assert change is not None
    assert (change.move, change.settings.paused, change.settings.min_ready_seconds) == (
        Move.PAUSE,
        False,
        WALL,
    )


def test_with_no_brake_that_lasts_the_pause_is_defended() -> None:
    seen = contested(rolling(), "paused", "minReadySeconds")
    decision = decide(edited(seen, paused=False, min_ready_seconds=5))
    assert decision.change is not None
    assert decision.change.settings.paused


def test_who_writes_min_ready_seconds_is_left_to_it_until_the_target_is_complete() -> None:
    seen = contested(rolling(3, new=1), "minReadySeconds")
    assert decide(edited(seen, min_ready_seconds=5)).reason is not Reason.PAUSING
    last = contested(rolling(3, new=3, old=1), "minReadySeconds")
    assert decide(edited(last, min_ready_seconds=5)).reason is Reason.PAUSING


def test_a_manifest_with_a_progress_deadline_meets_no_wall_before_the_last_batch() -> None:
    seen = edited(rolling(3, new=1), deadline_declared=True)
    assert moves.pause(rollout_of(seen)).settings.min_ready_seconds == 0
    last = edited(rolling(3, new=3, old=1), deadline_declared=True)
    assert moves.pause(rollout_of(last)).settings.min_ready_seconds == WALL


# --- forgetting


def test_a_rollout_forgets_what_was_long_ago_when_it_begins() -> None:
    seen = contested(at_rest(), "strategy")
    later = edited(replace(seen, now=NOW + 2 * takeovers.FORGOTTEN_AFTER), template="v3")
    assert decide(later).memory.takeovers == ()
    assert decide(edited(seen, template="v3")).memory.takeovers == seen.memory.takeovers


# --- the ledger in other hands


def test_without_its_annotation_the_operators_pause_is_still_the_operators() -> None:
    seen = edited(releasable(), ledger=None)
    decision = decide(seen)
    assert decision.change is not None
    assert decision.change.move is Move.RELEASE
    assert rollout_of(seen).users == live_settings(releasable_users())


def releasable_users() -> Any:
    """The Deployment as its user wrote it."""
    return replace(rollout_of(at_rest()).deployment, strategy=USERS)


def test_without_its_annotation_nothing_is_written_at_rest_and_all_is_given_back() -> None:
    seen = edited(at_rest(), ledger=None)
    assert decide(seen).change is None
    given_back = decide(replace(seen, deleting=True)).change
    assert given_back is not None
    assert given_back.settings.strategy == USERS


def test_an_old_ledger_that_an_undo_brings_back_does_not_bring_back_an_old_strategy() -> None:
    first = at_rest()
    assert first.deployment is not None
    half = Strategy("RollingUpdate", "50%", "50%")
    changed = edited(replace(first, now=NOW + 10), strategy=half)
    second = acted(changed, decide(changed))
    undone = edited(second, ledger=first.deployment.ledger)
    assert rollout_of(second).users.strategy == half
    assert rollout_of(undone).users.strategy == half


def test_an_operator_that_died_before_a_change_it_had_told_of_knows_its_own_pause() -> None:
    seen = releasable()
    told = replace(seen, now=NOW + 10, memory=decide(replace(seen, now=NOW + 10)).memory)
    assert rollout_of(told).users == rollout_of(seen).users


def test_a_ledger_of_another_deployment_is_nobodys() -> None:
    seen = edited(at_rest(), uid="uid-made-anew", ledger=None)
    assert rollout_of(seen).ledger is None
    noted = edited(at_rest(), uid="uid-made-anew")
    assert rollout_of(replace(noted, memory=replace(noted.memory, ledger=None))).ledger is None


def test_a_ledger_without_a_time_or_an_owner_is_one_of_before() -> None:
    text = '{"ours":{"paused":true},"users":{"paused":false}}'
    assert ledger.read(text) == ledger.Ledger(users={"paused": False}, ours={"paused": True})
