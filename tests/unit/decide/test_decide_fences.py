"""Fences: which pods they leave available, and how long until they may stand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide import fences
from saferollout.decide.fences import MARGIN, WALL
from saferollout.decide.ledger import Settings
from saferollout.decide.phases import decide
from unit.decide.given import NOW, USERS, edited, pod, rolling, rollout_of

USER = Settings(paused=False, strategy=USERS, min_ready_seconds=10, progress_deadline_seconds=600)
MOST = 2**31 - 1


def test_a_fence_leaves_the_youngest_pod_available_with_the_margin_to_spare() -> None:
    pods = [pod("v2-1", ready_for=100.0), pod("v2-2", ready_for=20.7)]
    assert fences.behind(pods, NOW) == 18
    assert MARGIN == 2


@pytest.mark.parametrize("age", [0.0, 1.0, MARGIN, -5.0])
def test_a_fence_behind_a_pod_that_is_too_young_is_none(age: float) -> None:
    assert fences.behind([pod("v2-1", ready_for=age)], NOW) == 0


def test_a_fence_behind_nobody_is_a_wall() -> None:
    assert fences.behind([], NOW) == WALL


def test_a_pod_that_is_not_ready_has_no_age() -> None:
    assert fences.youngest_age([pod("v2-1"), pod("v2-2", ready_for=None)], NOW) == 0


def test_nobody_is_of_any_age() -> None:
    assert fences.youngest_age([], NOW) == math.inf


@pytest.mark.parametrize(
    ("age", "fence", "missing"), [(5.0, 15.0, 12.0), (17.0, 15.0, 0.0), (16.5, 14.2, 0.5)]
)
def test_what_is_missing_to_a_fence_is_counted_with_the_margin_in_whole_seconds_of_the_fence(
    age: float, fence: float, missing: float
) -> None:
    assert fences.wait_for([pod("v2-1", ready_for=age)], NOW, fence) == pytest.approx(missing)


def test_once_nothing_is_missing_the_fence_can_be_as_high() -> None:
    pods = [pod("v2-1", ready_for=17.0)]
    assert fences.wait_for(pods, NOW, 15.0) == 0
    assert fences.behind(pods, NOW) == 15


def test_a_deadline_stays_as_far_above_the_fence_as_the_user_has_it() -> None:
    assert fences.deadline(USER, 50) == 650


def test_the_users_own_fence_has_the_users_own_deadline() -> None:
    assert fences.deadline(USER, 10) == 600


def test_a_user_without_a_deadline_has_none_under_a_fence_either() -> None:
    assert fences.deadline(replace(USER, progress_deadline_seconds=None), WALL) is None


def test_a_deadline_is_no_higher_than_kubernetes_can_count() -> None:
    assert fences.deadline(replace(USER, progress_deadline_seconds=MOST), WALL) == MOST
    assert WALL < MOST


def test_a_wall_is_nobodys_wish_and_neither_is_what_stands_beside_it() -> None:
    walled = replace(USER, paused=True, min_ready_seconds=WALL, progress_deadline_seconds=600 + WALL)
    assert fences.without_wall(walled) == replace(USER, min_ready_seconds=0)
    unbounded = replace(walled, progress_deadline_seconds=None)
    assert fences.without_wall(unbounded).progress_deadline_seconds is None


def test_what_is_less_than_a_wall_is_somebodys() -> None:
    patient = replace(USER, paused=True, min_ready_seconds=WALL - 1)
    assert fences.without_wall(patient) == patient


def test_given_a_hold_whose_records_are_both_lost_then_it_goes_on_and_is_given_back_without_a_wall() -> None:
    seen = rolling(3)
    lost = edited(replace(seen, memory=replace(seen.memory, ledger=None)), ledger=None)
    users = rollout_of(lost).users
    assert (users.paused, users.min_ready_seconds, users.progress_deadline_seconds) == (False, 0, 600)
    decision = decide(lost)
    assert decision.reason is Reason.SETTLING
    given_back = decide(replace(lost, deleting=True)).change
    assert given_back is not None
    assert given_back.settings == replace(users, strategy=given_back.settings.strategy)
