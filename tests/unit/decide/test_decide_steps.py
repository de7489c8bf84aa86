"""Sizes of steps, and their numbers."""

from __future__ import annotations

import pytest

from saferollout.decide import steps


@pytest.mark.parametrize(
    ("surge", "replicas", "pods"),
    [
        (1, 10, 1),
        (4, 10, 4),
        ("25%", 10, 3),
        ("25%", 8, 2),
        ("1%", 10, 1),
        ("0%", 10, 1),
        ("100%", 3, 3),
        (2, 0, 2),
    ],
)
def test_a_step_is_the_surge_with_a_percent_rounded_up_and_at_least_one_pod(
    surge: int | str, replicas: int, pods: int
) -> None:
    assert steps.size(surge, replicas) == pods


@pytest.mark.parametrize(("new", "batch"), [(0, 3), (6, 3), (8, 1), (9, 1), (10, 0), (12, 0)])
def test_a_batch_leads_to_the_end_of_a_step(new: int, batch: int) -> None:
    assert steps.next_batch(steps.steps(3, 1, 10), new) == batch


@pytest.mark.parametrize(
    ("step", "replicas", "count"), [(1, 10, 10), (3, 10, 4), (10, 10, 1), (20, 10, 1), (1, 0, 0)]
)
def test_the_last_step_may_be_smaller(step: int, replicas: int, count: int) -> None:
    planned = steps.steps(step, 1, replicas)
    assert len(planned) == count
    assert planned[-1:] == ((replicas,) if replicas else ())


@pytest.mark.parametrize(("new", "number"), [(0, 0), (1, 1), (3, 1), (4, 2), (10, 4), (12, 4)])
def test_steps_are_counted_from_one_and_never_beyond_the_last(new: int, number: int) -> None:
    assert steps.index(steps.steps(3, 1, 10), new) == number


@pytest.mark.parametrize(
    ("full", "growth", "replicas", "planned"),
    [
        (4, 2, 20, (1, 3, 7, 11, 15, 19, 20)),
        (100, 3, 20, (1, 4, 13, 20)),
        (1, 2, 3, (1, 2, 3)),
        (5, 2, 1, (1,)),
        (5, 2, 0, ()),
    ],
)
def test_steps_grow_up_to_a_full_one(full: int, growth: int, replicas: int, planned: steps.Steps) -> None:
    assert steps.steps(full, growth, replicas) == planned
