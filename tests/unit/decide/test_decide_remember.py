"""Since when the new pods serve without a break, as the status keeps it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saferollout.decide.observation import Observation
from saferollout.decide.policy import Policy
from saferollout.decide.remember import remember
from unit.decide.given import NOW, group, releasable, rollout_of, with_pod, with_states

LATER = NOW + 1000


def lasting(*, serving_since: float | None = NOW, **fields: Any) -> Observation:
    """All new pods serve, and have long been Ready; how long they have served is asked for."""
    seen = releasable()
    groups = tuple(replace(each, asked_at=LATER) for each in seen.target_groups)
    memory = replace(seen.memory, serving_since=serving_since)
    usual: dict[str, Any] = {"policy": Policy(stable_for=30), "target_groups": groups, "now": LATER}
    return replace(seen, memory=memory, **(usual | fields))


def since(seen: Observation) -> float | None:
    return remember(rollout_of(seen)).serving_since


def test_the_first_look_at_which_all_serve_begins_it() -> None:
    assert since(lasting(serving_since=None)) == LATER


def test_it_is_kept_while_they_serve() -> None:
    assert since(lasting()) == NOW


def test_a_new_pod_that_does_not_serve_ends_it() -> None:
    assert since(with_states(lasting(), v2_1="unhealthy")) is None


def test_an_old_pod_that_does_not_serve_does_not() -> None:
    assert since(with_states(lasting(), v1_1="unhealthy")) == NOW


def test_a_target_group_that_does_not_answer_ends_it() -> None:
    assert since(lasting(target_groups=(group([], targets=None),))) is None


def test_what_an_earlier_operator_saw_counts_from_when_this_one_looks() -> None:
    assert since(lasting(watched_since=NOW + 500)) == NOW + 500


def test_a_pod_that_became_ready_between_two_looks_begins_it_anew() -> None:
    assert since(with_pod(lasting(), "v2-1", ready_since=NOW + 100)) == NOW + 100


def test_a_rollout_that_is_held_by_its_user_does_not_count() -> None:
    assert since(lasting(policy=Policy(stable_for=30, paused=True))) is None


def test_nothing_is_kept_that_nobody_asks_for() -> None:
    assert since(lasting(policy=Policy())) is None
