"""Which old pods go, in which order, and what is written so that they are the ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saferollout.decide.decision import CostWrite
from saferollout.decide.observation import Observation
from saferollout.decide.victims import LOWEST_COST, Plan, costs_to_give_back, costs_to_write, plan, shrinkage
from unit.decide.given import (
    deployment,
    fresh,
    observed,
    pod,
    pods,
    releasable,
    replica_set,
    rollout_of,
    with_pod,
    with_states,
)


def chosen(seen: Observation, **floors: int) -> list[str]:
    return [each.name for each in plan(rollout_of(seen), floors).victims]


def in_zones(old: str, new: str, surplus: int = 1) -> Observation:
    """Old and new pods in these zones, a letter for each; so many old ones are to go."""
    of = (
        *(pod(f"v1-{number + 1}", zone) for number, zone in enumerate(old)),
        *(pod(f"v2-{number + 1}", zone) for number, zone in enumerate(new)),
    )
    sets = (replica_set("v1", len(old)), replica_set("v2", len(new)))
    return observed(sets, of, deployment(len(of) - surplus))


def shrunk(*sizes: tuple[str, int, int], count: int) -> dict[str, int]:
    """By how many pods ReplicaSets of (name, replicas, available) shrink."""
    sets = [replica_set(name, size, available=available) for name, size, available in sizes]
    return {each.name: number for each, number in shrinkage(sets, count)}


# --- which ReplicaSet


def test_the_oldest_replica_set_shrinks_first() -> None:
    assert shrunk(("v1", 2, 2), ("v3", 3, 3), count=3) == {"v1": 2, "v3": 1}


def test_unavailable_pods_of_any_replica_set_go_before_the_oldest_shrinks() -> None:
    assert shrunk(("v1", 4, 4), ("v3", 2, 0), count=3) == {"v1": 1, "v3": 2}


def test_unavailable_pods_of_the_oldest_go_first_of_all() -> None:
    assert shrunk(("v1", 4, 3), ("v3", 2, 0), count=2) == {"v1": 1, "v3": 1}


def test_more_available_than_wanted_is_none_unavailable() -> None:
    assert shrunk(("v1", 2, 3), ("v3", 2, 2), count=1) == {"v1": 1}


def test_no_more_go_than_there_are() -> None:
    assert shrunk(("v1", 2, 2), count=5) == {"v1": 2}


# --- which pods


def test_whoever_is_not_ready_goes_first_because_kubernetes_takes_it_anyway() -> None:
    seen = with_pod(fresh(), "v1-3", ready_since=None)
    assert chosen(seen) == ["v1-3"]
    assert plan(rollout_of(seen), {}).ranked == ()


def test_of_those_that_are_not_ready_the_unscheduled_and_the_pending_go_first() -> None:
    seen = fresh(6, new=3, old=6)
    differing: dict[str, dict[str, Any]] = {
        "v1-2": {"phase": "Running"},
        "v1-4": {"phase": "Pending"},
        "v1-5": {"phase": "Unknown"},
        "v1-6": {"phase": "Pending", "node": None},
    }
    for name, fields in differing.items():
        seen = with_pod(seen, name, ready_since=None, **fields)
    assert chosen(seen) == ["v1-6", "v1-4", "v1-5"]


def test_whoever_does_not_serve_goes_before_whoever_does() -> None:
    seen = with_states(fresh(), v1_2="unhealthy")
    assert chosen(seen, a=9) == ["v1-2"]


def test_the_zone_with_most_to_spare_gives() -> None:
    assert chosen(in_zones("abb", "abc"), a=1, b=3) == ["v1-1"]
    assert chosen(in_zones("abb", "abc"), a=2, b=1) == ["v1-2"]


def test_with_as_much_to_spare_the_zone_with_more_old_pods_gives() -> None:
    assert chosen(in_zones("abb", "aac"), a=1, b=1) == ["v1-1"]
    assert chosen(in_zones("abb", "ac"), a=1, b=1) == ["v1-2"]


def test_ties_are_broken_by_the_name_of_the_zone_and_then_of_the_pod() -> None:
    assert chosen(in_zones("bbaa", "ab")) == ["v1-3"]


def test_several_pods_go_from_several_zones() -> None:
    assert chosen(in_zones("aabbcc", "abc", surplus=3)) == ["v1-1", "v1-3", "v1-5"]


def test_the_same_snapshot_in_another_order_is_the_same_plan() -> None:
    seen = in_zones("aabbcc", "abc", surplus=2)
    mixed = replace(seen, pods=seen.pods[::-1], replica_sets=seen.replica_sets[::-1])
    assert plan(rollout_of(seen), {}) == plan(rollout_of(mixed), {})


def test_nothing_goes_without_a_surplus() -> None:
    assert chosen(fresh(3, new=0, old=3)) == []


# --- costs


def test_a_cost_is_written_where_there_is_a_choice() -> None:
    seen = fresh()
    assert costs_to_write(plan(rollout_of(seen), {}), seen.pods) == (
        CostWrite("v1-1", LOWEST_COST, before=""),
    )


def test_no_cost_is_written_where_all_pods_of_the_replica_set_go() -> None:
    seen = fresh(3, new=3, old=1)
    found = plan(rollout_of(seen), {})
    assert [each.name for each in found.victims] == ["v1-1"]
    assert costs_to_write(found, seen.pods) == ()


def test_no_cost_is_written_twice() -> None:
    seen = releasable()
    assert costs_to_write(plan(rollout_of(seen), {}), seen.pods) == ()


def test_a_cost_that_the_user_had_is_noted_with_ours() -> None:
    seen = with_pod(fresh(), "v1-1", deletion_cost="5")
    assert costs_to_write(plan(rollout_of(seen), {}), seen.pods) == (
        CostWrite("v1-1", LOWEST_COST, before="5"),
    )


def test_a_cost_that_somebody_has_overwritten_is_written_anew_and_what_was_before_is_kept() -> None:
    seen = with_pod(fresh(), "v1-1", deletion_cost="0", cost_before="5")
    assert costs_to_write(plan(rollout_of(seen), {}), seen.pods) == (
        CostWrite("v1-1", LOWEST_COST, before="5"),
    )


def test_a_pod_that_is_chosen_no_more_gets_back_what_it_had() -> None:
    of = (
        pod("v1-1", deletion_cost=LOWEST_COST, cost_before="5"),
        pod("v1-2", deletion_cost=LOWEST_COST, cost_before=""),
    )
    assert costs_to_write(Plan((), ()), of) == (CostWrite("v1-1", "5", None), CostWrite("v1-2", None, None))


def test_a_pod_that_the_operator_never_touched_keeps_its_cost() -> None:
    assert costs_to_give_back(pods("v1", 2, deletion_cost="5")) == ()
