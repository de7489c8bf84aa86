"""Floors of zones."""

from __future__ import annotations

import pytest

from saferollout.decide import zones
from unit.decide.given import pod


def test_pods_are_counted_by_zone_and_those_of_no_known_zone_nowhere() -> None:
    counted = zones.by_zone([pod("v1-1", "a"), pod("v1-2", "a"), pod("v1-3", "b"), pod("v1-4", None)])
    assert counted == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("wanted", "floors"),
    [
        (0, {"a": 0, "b": 0}),
        (1, {"a": 1, "b": 1}),
        (4, {"a": 4, "b": 3}),
        ("0%", {"a": 0, "b": 0}),
        ("34%", {"a": 2, "b": 2}),
        ("50%", {"a": 3, "b": 2}),
        ("100%", {"a": 5, "b": 3}),
    ],
)
def test_a_floor_is_a_number_or_a_percent_rounded_up_and_never_more_than_the_zone_had(
    wanted: int | str, floors: dict[str, int]
) -> None:
    assert zones.floors(wanted, {"b": 3, "a": 5}) == floors


@pytest.mark.parametrize(
    ("had", "replicas", "left"),
    [
        ({"a": 3, "b": 3, "c": 3}, 3, {"a": 1, "b": 1, "c": 1}),
        ({"a": 2, "b": 2, "c": 2}, 5, {"a": 1, "b": 1, "c": 1}),
        ({"a": 2, "b": 2}, 1, {"a": 1, "b": 1}),
        ({"a": 2, "b": 2}, 0, {"a": 1, "b": 1}),
        ({"a": 2, "b": 1}, 3, {"a": 2, "b": 1}),
        ({"a": 2, "b": 1}, 9, {"a": 2, "b": 1}),
        ({"a": 0, "b": 4}, 2, {"a": 0, "b": 2}),
        ({}, 0, {}),
    ],
)
def test_what_zones_had_is_less_in_proportion_when_there_are_to_be_fewer_pods_and_never_more(
    had: dict[str, int], replicas: int, left: dict[str, int]
) -> None:
    assert zones.scaled(had, replicas) == left


def test_a_zone_is_below_when_it_loses_pods_and_has_fewer_left_than_its_floor() -> None:
    assert zones.below({"a": 1, "b": 1}, {"a": 1, "b": 1}, {"a": 2, "b": 1}) == ["a"]


def test_a_zone_that_loses_nothing_is_not_held_against_the_step() -> None:
    assert zones.below({"a": 0}, {"a": 0}, {"a": 2}) == []


def test_a_zone_that_would_be_empty_is_below_a_floor_of_one() -> None:
    assert zones.below({}, {"a": 1}, {"a": 1}) == ["a"]


def test_a_zone_that_came_after_the_floors_were_taken_has_none() -> None:
    assert zones.below({"new": 0}, {"new": 1}, {"a": 1}) == []
