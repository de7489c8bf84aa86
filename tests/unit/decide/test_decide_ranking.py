"""The order in which pods go when a Deployment is scaled down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from saferollout.decide.decision import CostWrite
from saferollout.decide.phases import decide
from saferollout.decide.ranking import foreign_costs, rank_writes
from saferollout.decide.workload import Pod
from unit.decide.given import acted, pod, untouched

crowds = st.lists(st.sampled_from("abcdef"), max_size=30).map(
    lambda zones: [pod(f"v1-{number}", zone) for number, zone in enumerate(zones)]
)


def ranked(pods: Iterable[Pod]) -> list[Pod]:
    of = list(pods)
    writes = {each.pod: each for each in rank_writes(of)}
    return [
        replace(each, deletion_cost=writes[each.name].cost, cost_before=writes[each.name].before)
        if each.name in writes
        else each
        for each in of
    ]


def goes_last(each: Pod) -> int:
    return int(each.deletion_cost or 0)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(crowd=crowds, ties=st.randoms(use_true_random=False))
def test_whatever_goes_next_leaves_the_zones_as_even_as_can_be(crowd: list[Pod], ties) -> None:  # type: ignore[no-untyped-def] # hypothesis gives a Random
    left = ranked(crowd)
    zones = {each.zone for each in left}
    ties.shuffle(left)
    left.sort(key=goes_last)  # as the ReplicaSet controller takes them, ties in any order
    had = Counter(each.zone for each in left)
    while left:
        counts = Counter(each.zone for each in left)
        assert len(left) < len(zones) or set(counts) == zones
        taken_from = [count for zone, count in counts.items() if count < had[zone]]
        assert not taken_from or max(counts.values()) - min(taken_from) <= 1
        left.pop(0)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(crowd=crowds)
def test_ranking_what_is_ranked_writes_nothing_and_the_first_of_every_zone_needs_no_write(
    crowd: list[Pod],
) -> None:
    assert len(rank_writes(crowd)) == len(crowd) - len({each.zone for each in crowd})
    assert rank_writes(ranked(crowd)) == ()


@settings(max_examples=500, deadline=None, derandomize=True)
@given(crowd=crowds.filter(bool), data=st.data())
def test_a_pod_that_goes_or_comes_costs_one_write_at_the_most(crowd: list[Pod], data: st.DataObject) -> None:
    there = ranked(crowd)
    gone = data.draw(st.sampled_from(there))
    assert len(rank_writes(each for each in there if each is not gone)) <= 1
    assert len(rank_writes([*there, pod("v1-new", data.draw(st.sampled_from("abcdef")))])) <= 1


def test_a_cost_of_somebody_elses_is_kept_and_takes_a_number() -> None:
    crowd = [pod("v1-1", deletion_cost="1000"), pod("v1-2"), pod("v1-3", "b")]
    assert foreign_costs(crowd) == ("v1-1",)
    assert rank_writes(crowd) == (CostWrite("v1-2", "-1", ""),)


def test_a_pod_that_is_not_ready_does_not_take_the_number_of_one_that_is() -> None:
    crowd = [pod("v1-1", ready_for=None), pod("v1-2")]
    assert rank_writes(crowd) == (CostWrite("v1-1", "-1", ""),)


def test_a_pod_in_no_zone_that_is_known_is_left_alone() -> None:
    assert rank_writes([pod("v1-1", None), pod("v1-2", None)]) == ()


def test_at_rest_the_pods_are_ranked_once() -> None:
    seen = untouched(6)
    decision = decide(seen)
    assert {each.pod: each.cost for each in decision.costs} == {"v2-4": "-1", "v2-5": "-1", "v2-6": "-1"}
    assert decide(acted(seen, decision)).costs == ()
