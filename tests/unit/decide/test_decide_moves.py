"""The five moves: what the Deployment is to have after each, and what is kept of the user's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferollout.decide import moves
from saferollout.decide.decision import Move
from saferollout.decide.fences import WALL
from saferollout.decide.ledger import Ledger, Release, Settings, live_settings
from saferollout.decide.policy import Policy
from saferollout.decide.workload import Strategy
from unit.decide.given import (
    NOW,
    USERS,
    at_rest,
    changed,
    edited,
    fresh,
    releasable,
    replica_set,
    rollout_of,
    untouched,
    with_pod,
)


def stepped(surge: int | str) -> Strategy:
    return Strategy("RollingUpdate", surge, 0)


def test_at_rest_only_the_strategy_is_ours() -> None:
    change = moves.rest(rollout_of(untouched(policy=Policy(max_surge="25%"))), Move.ADOPT)
    assert change.settings == Settings(False, stepped("25%"), 0, 600)  # noqa: FBT003 - in the order of a spec
    assert change.ledger == Ledger(users={"strategy": USERS}, ours={"strategy": stepped("25%")})


def test_a_user_whose_strategy_is_the_same_has_nothing_in_the_ledger() -> None:
    seen = edited(untouched(), strategy=stepped(1))
    assert moves.rest(rollout_of(seen), Move.ADOPT).ledger is None


def test_a_pause_keeps_the_sizes_that_are_there() -> None:
    change = moves.pause(rollout_of(fresh(6, new=2, old=6)))
    assert change.move is Move.PAUSE
    assert change.settings.paused
    assert change.settings.strategy == stepped(2)


def test_a_pause_without_a_surplus_keeps_room_for_a_step() -> None:
    change = moves.pause(rollout_of(fresh(6, new=0, old=6, policy=Policy(max_surge=3))))
    assert change.settings.strategy == stepped(3)


@pytest.mark.parametrize("new", [1, 2, 3])
def test_a_pause_puts_up_a_wall_before_anybody_can_scale_down_to_the_new_pods(new: int) -> None:
    change = moves.pause(rollout_of(fresh(3, new=new, old=4 - new)))
    assert change.settings.min_ready_seconds == WALL
    assert change.settings.progress_deadline_seconds == WALL + 600


def test_a_pause_before_a_first_step_that_is_the_last_puts_up_a_wall() -> None:
    change = moves.pause(rollout_of(fresh(1, new=0, old=1)))
    assert change.settings.min_ready_seconds == WALL


def test_a_release_lets_one_batch_come_behind_a_fence_below_the_youngest_new_pod() -> None:
    seen = with_pod(releasable(6, new=2, old=5), "v2-2", ready_since=NOW - 30.5)
    change = moves.release(rollout_of(seen))
    assert change.settings == Settings(False, stepped(1), 30, 630)  # noqa: FBT003 - in the order of a spec
    assert change.ledger is not None
    assert change.ledger.release == Release("v2", replicas=6, new=3, old=4)


def test_a_first_release_has_nobody_to_fence_and_puts_up_a_wall() -> None:
    change = moves.release(rollout_of(releasable(6, new=0, old=6)))
    assert change.settings.min_ready_seconds == WALL
    assert change.settings.paused is False


def test_the_batch_before_the_last_may_be_smaller_than_a_step() -> None:
    seen = releasable(6, new=5, old=3, policy=Policy(max_surge=4))
    change = moves.release(rollout_of(seen))
    assert change.settings.strategy == stepped(1)
    assert change.ledger is not None
    assert change.ledger.release == Release("v2", replicas=6, new=6, old=1)


def test_the_last_release_takes_the_wall_down_and_stays_paused() -> None:
    seen = releasable(3, new=3, old=1)
    change = moves.release(rollout_of(seen))
    assert change.settings.paused is True
    assert change.settings.min_ready_seconds == 0
    assert change.settings.progress_deadline_seconds == 600
    assert change.ledger is not None
    assert change.ledger.release == Release("v2", replicas=3, new=3, old=0)


def test_a_deployment_without_replicas_is_released_too_or_it_never_got_its_replica_set() -> None:
    seen = edited(fresh(0, new=0, old=0), template="v3")
    assert moves.release(rollout_of(seen)).settings.paused is False


def test_giving_back_restores_everything_and_leaves_no_ledger() -> None:
    seen = releasable(3, new=3, old=1)
    change = moves.give_back(rollout_of(seen))
    assert change is not None
    assert change.ledger is None
    original = fresh().deployment
    assert original is not None
    assert change.settings == live_settings(original)


def test_what_the_operator_never_touched_is_not_given_back() -> None:
    assert moves.give_back(rollout_of(untouched())) is None


def test_a_change_that_is_made_already_makes_no_difference() -> None:
    seen = at_rest()
    assert not moves.differs(moves.rest(rollout_of(seen), Move.FINISH), rollout_of(seen))


def test_a_release_that_is_still_on_record_makes_a_difference_at_rest() -> None:
    seen = releasable(3, new=3, old=1)
    assert seen.deployment is not None
    released = replace(
        seen,
        deployment=changed(seen.deployment, moves.release(rollout_of(seen))),
        replica_sets=(replica_set("v2", 3),),
    )
    assert moves.differs(moves.rest(rollout_of(released), Move.FINISH), rollout_of(released))
