"""Steps that take old pods away first: ``step.maxUnavailable``, for a cluster without room for more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide.decision import Change, Move
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from saferollout.decide.workload import Strategy
from unit.decide.given import NOW, acted, at_rest, fresh, releasable, with_pod, with_states

ONE_AT_A_TIME = Policy(max_surge=0, max_unavailable=1, min_healthy=0)


def released(seen: Observation) -> Change:
    decision = decide(seen)
    assert decision.change is not None, decision.message
    assert decision.change.move is Move.RELEASE
    return decision.change


def test_a_release_takes_a_step_of_old_pods_and_adds_none_before() -> None:
    change = released(releasable(3, new=0, policy=ONE_AT_A_TIME))
    assert change.settings.strategy == Strategy("RollingUpdate", 0, 1)
    assert change.ledger is not None
    assert change.ledger.release is not None
    assert (change.ledger.release.new, change.ledger.release.old) == (1, 2)


def test_a_pod_that_came_at_rest_and_serves_goes_on_top_of_a_step() -> None:
    change = released(releasable(3, new=1, policy=ONE_AT_A_TIME))
    assert change.ledger is not None
    assert change.ledger.release is not None
    assert (change.ledger.release.new, change.ledger.release.old) == (2, 1)


def test_a_pod_that_came_at_rest_and_has_no_node_is_waited_for_by_nobody() -> None:
    seen = fresh(3, new=1, policy=ONE_AT_A_TIME)
    seen = with_pod(seen, "v2-1", ready_since=None, node=None, ip=None, phase="Pending")
    for later in (0.0, seen.tuning.settle):
        seen = acted(seen, decide(seen), later=later)
    change = released(seen)
    assert change.ledger is not None
    assert change.ledger.release is not None
    assert (change.ledger.release.new, change.ledger.release.old) == (1, 2)


def test_nothing_goes_while_a_pod_of_the_step_before_does_not_serve() -> None:
    seen = releasable(3, new=1, old=2, policy=ONE_AT_A_TIME)
    decision = decide(with_states(seen, v2_1="initial"))
    assert (decision.reason, decision.change) == (Reason.WAITING_FOR_HEALTH, None)


def test_a_pod_that_does_not_serve_goes_first_however_many_are_missing() -> None:
    seen = releasable(4, new=1, old=3, policy=ONE_AT_A_TIME)
    decision = decide(with_states(seen, v1_1="unhealthy", v1_2="unhealthy"))
    assert decision.message == "retires v1-1, adds 1 new"


@pytest.mark.parametrize(("state", "reason"), [("initial", "WaitingForHealth"), ("healthy", "Complete")])
def test_the_rollout_has_not_ended_before_the_last_new_pods_serve(state: str, reason: str) -> None:
    seen = at_rest(3, policy=ONE_AT_A_TIME)
    begun = replace(seen, memory=replace(seen.memory, started_at=NOW - 60))
    assert decide(with_states(begun, v2_3=state)).reason == reason


def test_the_deployment_is_held_by_a_wall_however_few_new_pods_there_are() -> None:
    seen = fresh(3, new=1, policy=ONE_AT_A_TIME)
    change = decide(seen).change
    assert change is not None
    assert (change.move, change.settings.paused, change.settings.strategy) == (
        Move.PAUSE,
        True,
        Strategy("RollingUpdate", 1, 0),
    )
    assert change.settings.min_ready_seconds > 1e6


@pytest.mark.parametrize("none", [0, "0%"])
def test_at_rest_the_deployment_may_add_one_pod_however_nothing_is_written(none: int | str) -> None:
    seen = at_rest(3, policy=replace(ONE_AT_A_TIME, max_surge=none))
    assert seen.deployment is not None
    assert seen.deployment.strategy == Strategy("RollingUpdate", 1, 0)
