"""Which of several old ReplicaSets goes first, and the walls that see to it."""

from __future__ import annotations

from dataclasses import replace

from saferollout.decide.decision import Fence
from saferollout.decide.fences import WALL
from saferollout.decide.memory import Memory
from saferollout.decide.observation import Observation
from saferollout.decide.superseded import first_to_go, notes_left, walls_left, walls_to_write
from unit.decide.given import edited, fresh, replica_set, rollout_of, with_states


def three_revisions(superseded: int = 1, stable: str = "v1") -> Observation:
    """Stable ``v1``, target ``v2``, and some pods of a ``v3`` that came between."""
    return replace(fresh(6, new=2, old=4, superseded=superseded), memory=Memory(stable=stable))


def walled(seen: Observation, *names: str) -> Observation:
    return replace(
        seen,
        replica_sets=tuple(
            replace(each, min_ready_seconds=WALL, available=0) if each.name in names else each
            for each in seen.replica_sets
        ),
    )


def first(seen: Observation) -> list[str]:
    return [each.name for each in first_to_go(rollout_of(seen))]


def test_one_old_replica_set_needs_no_wall() -> None:
    assert first(replace(fresh(), memory=Memory(stable="v1"))) == []


def test_a_superseded_replica_set_goes_before_the_stable_one() -> None:
    assert first(three_revisions()) == ["v3"]


def test_the_stable_one_goes_first_if_it_is_the_one_whose_pods_do_not_serve() -> None:
    assert first(with_states(three_revisions(), v1_2="unhealthy")) == []


def test_a_superseded_one_whose_pods_do_not_serve_goes_first_in_any_case() -> None:
    assert first(with_states(three_revisions(), v1_2="unhealthy", v3_1="unhealthy")) == ["v3"]


def test_a_wall_is_written_where_one_is_missing() -> None:
    assert walls_to_write(rollout_of(three_revisions())) == (Fence("v3", WALL),)
    assert walls_to_write(rollout_of(walled(three_revisions(), "v3"))) == ()


def test_a_wall_that_is_in_the_way_comes_down_to_what_the_user_has() -> None:
    seen = edited(walled(three_revisions(), "v1", "v3"), min_ready_seconds=7)
    assert walls_to_write(rollout_of(seen)) == (Fence("v1", 7),)


def test_at_the_end_every_wall_is_taken_down_but_the_targets_own() -> None:
    seen = walled(three_revisions(), "v2", "v3")
    assert walls_left(rollout_of(seen)) == (Fence("v3", 0),)


def test_a_copy_of_the_ledger_is_taken_off_without_touching_the_fence() -> None:
    noted = replica_set("v1", 0, noted=True, min_ready_seconds=7)
    seen = replace(three_revisions(), replica_sets=(noted, replica_set("v2", 2)))
    assert notes_left(rollout_of(seen)) == (Fence("v1", 7),)
