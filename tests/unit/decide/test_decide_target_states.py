"""What a target's state means, state by state."""

from __future__ import annotations

import pytest

from saferollout.decide.answers import Target, TargetState
from saferollout.decide.target_states import MEANINGS, explained, is_drained, serves


def target(state: TargetState, reason: str = "", description: str = "") -> Target:
    return Target("10.0.0.1", 80, state, reason, description)


def test_every_state_that_elbv2_has_is_in_the_table() -> None:
    assert set(MEANINGS) == set(TargetState)


@pytest.mark.parametrize("state", TargetState)
def test_only_a_healthy_target_serves(state: TargetState) -> None:
    assert serves(target(state)) is (state is TargetState.HEALTHY)


@pytest.mark.parametrize("state", TargetState)
def test_only_an_unused_target_is_drained(state: TargetState) -> None:
    assert is_drained(target(state)) is (state is TargetState.UNUSED)


def test_an_unused_target_that_is_registered_is_not_drained() -> None:
    assert is_drained(target(TargetState.UNUSED, "Target.NotRegistered"))
    assert not is_drained(target(TargetState.UNUSED, "Target.NotInUse"))


def test_a_zone_that_is_not_enabled_is_explained_as_what_it_is() -> None:
    why = "Target is in an Availability Zone that is not enabled for the load balancer"
    assert explained(target(TargetState.UNUSED, "Target.NotInUse", why), "web") == (
        f"10.0.0.1:80 is unused in web (Target.NotInUse: {why}): let a listener forward to the target group,"
        " and enable the zone at the load balancer"
    )


def test_a_wrong_answer_is_told_with_its_code() -> None:
    wrong = target(TargetState.UNHEALTHY, "Target.ResponseCodeMismatch", "Health checks failed: [503]")
    assert (
        "(Target.ResponseCodeMismatch: Health checks failed: [503]): see the health check's path"
        in explained(wrong, "web")
    )


def test_what_passes_by_itself_gets_no_advice() -> None:
    said = explained(target(TargetState.INITIAL, "Elb.InitialHealthChecking", "in progress"), "web")
    assert said == "10.0.0.1:80 is initial in web (Elb.InitialHealthChecking)"
