"""Which old pods go, in which order, and what is written so that they are the ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, combinations, product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from saferollout.decide import zones
from saferollout.decide.decision import CostWrite
from saferollout.decide.observation import Observation
from saferollout.decide.rollout import Rollout
from saferollout.decide.victims import (
    LOWEST_COST,
    costs_to_give_back,
    costs_to_write,
    plan,
    ranks_to_write,
    shrinkage,
)
from saferollout.decide.workload import Pod
from unit.decide.given import (
    deployment,
    fresh,
    group,
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


def test_where_more_are_not_ready_than_go_a_cost_makes_the_chosen_ones_the_ones() -> None:
    seen = with_pod(with_pod(fresh(), "v1-2", ready_since=None), "v1-3", ready_since=None, deletion_cost="-1")
    found = plan(rollout_of(seen), {})
    assert [each.name for each in found.victims] == [each.name for each in found.ranked] == ["v1-2"]


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
    assert costs_to_write(plan(rollout_of(seen), {}), rollout_of(seen)) == (
        CostWrite("v1-1", LOWEST_COST, before=""),
    )


def test_no_cost_is_written_where_all_pods_of_the_replica_set_go() -> None:
    seen = fresh(3, new=3, old=1)
    found = plan(rollout_of(seen), {})
    assert [each.name for each in found.victims] == ["v1-1"]
    assert costs_to_write(found, rollout_of(seen)) == ()


def test_no_cost_is_written_twice() -> None:
    seen = releasable()
    assert costs_to_write(plan(rollout_of(seen), {}), rollout_of(seen)) == ()


def test_a_cost_that_the_user_had_is_noted_with_ours() -> None:
    seen = with_pod(fresh(), "v1-1", deletion_cost="5")
    assert costs_to_write(plan(rollout_of(seen), {}), rollout_of(seen)) == (
        CostWrite("v1-1", LOWEST_COST, before="5"),
    )


def test_a_cost_that_somebody_has_overwritten_is_written_anew_and_what_was_before_is_kept() -> None:
    seen = with_pod(fresh(), "v1-1", deletion_cost="0", cost_before="5")
    assert costs_to_write(plan(rollout_of(seen), {}), rollout_of(seen)) == (
        CostWrite("v1-1", LOWEST_COST, before="5"),
    )


def test_a_pod_that_is_chosen_no_more_gets_back_what_it_had() -> None:
    of = (
        pod("v1-1", deletion_cost=LOWEST_COST, cost_before="5"),
        pod("v1-2", deletion_cost=LOWEST_COST, cost_before=""),
    )
    assert ranks_to_write(of) == (CostWrite("v1-1", "5", None), CostWrite("v1-2", "0", ""))


def test_a_pod_that_the_operator_never_touched_keeps_its_cost() -> None:
    assert costs_to_give_back(pods("v1", 2, deletion_cost="5")) == ()


def test_of_equal_pods_those_go_first_whose_node_goes_too() -> None:
    seen = in_zones("aaabb", "c")
    assert chosen(seen) == ["v1-1"]
    assert chosen(with_pod(seen, "v1-3", node_goes=True)) == ["v1-3"]


def test_a_node_that_goes_does_not_make_its_zone_the_one_that_gives() -> None:
    seen = with_pod(in_zones("aaabb", "c"), "v1-5", node_goes=True)
    assert chosen(seen) == ["v1-1"]


# --- the best there is

states = st.sampled_from(["healthy", "unhealthy", "initial"])
kinds = st.tuples(st.sampled_from("abc"), states, st.sampled_from(["v1", "v3"]), st.booleans())


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    old=st.lists(kinds, min_size=1, max_size=7),
    new=st.lists(st.sampled_from("abc"), max_size=4),
    surplus=st.integers(1, 4),
    floor=st.integers(0, 3),
)
def test_no_other_choice_is_better_by_an_exhaustive_search(
    old: list[tuple[str, str, str, bool]], new: list[str], surplus: int, floor: int
) -> None:
    named = {f"{each[2]}-{number}": each for number, each in enumerate(old)}
    of = [pod(name, zone, node_goes=goes) for name, (zone, _, _, goes) in named.items()]
    states = {name: state for name, (_, state, _, _) in named.items()}
    of += [pod(f"v2-{number}", zone) for number, zone in enumerate(new)]
    sizes = Counter(each.owner for each in of)
    going = min(surplus, sizes["v1"] + sizes["v3"])
    sets = [replica_set(name, sizes[name]) for name in ("v1", "v2", "v3") if sizes[name]]
    seen = observed(sets, of, deployment(len(of) - going), target_groups=(group(of, states),))
    rollout = rollout_of(seen)
    floors = zones.floors(floor, zones.by_zone(rollout.serving.pods))
    found = plan(rollout, floors).victims
    counts = {each.uid: count for each, count in shrinkage(rollout.old_sets, rollout.going)}
    choices = (
        combinations([each for each in rollout.old_pods if each.owner == owner], count)
        for owner, count in counts.items()
    )
    best = min(loss(rollout, floors, chain.from_iterable(choice)) for choice in product(*choices))
    assert loss(rollout, floors, found) == best


def loss(rollout: Rollout, floors: Mapping[str, int], going: Iterable[Pod]) -> tuple[int, int, int, int]:
    """What a choice costs: pods below floors, serving pods, arriving ones, and how uneven the rest is."""
    serving = zones.by_zone(rollout.serving.pods)
    pods = list(going)
    taken = [each for each in pods if rollout.serving.serves(each)]
    arriving = [each for each in pods if each.name in rollout.serving.arriving]
    serving.subtract(zones.by_zone(taken))
    spare = [count - floors.get(zone, 0) for zone, count in serving.items()]
    short = sum(max(0, -each) for each in spare)
    return short, len(taken), len(arriving), sum(each * each for each in spare)
