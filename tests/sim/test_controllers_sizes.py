"""The arithmetic of the Deployment controller where it turns on one number."""

from __future__ import annotations

import pytest

from saferollout.sim.controllers.sizes import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    Bounds,
    bounds_of,
    grown,
    scaled,
    shrunk,
)
from saferollout.sim.store import Object


def replica_set(name: str, size: int, available: int | None = None, *, of: Bounds | None = None) -> Object:
    """A ReplicaSet, all available unless said otherwise. Those named earlier in the alphabet are older."""
    noted = {} if of is None else {DESIRED_REPLICAS: str(of.replicas), MAX_REPLICAS: str(of.ceiling)}
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": noted},
        "spec": {"replicas": size},
        "status": {"availableReplicas": size if available is None else available},
    }


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "bounds"),
    [
        (10, "25%", "25%", Bounds(10, 3, 2)),
        (1, "25%", "25%", Bounds(1, 1, 0)),
        (3, 0, 0, Bounds(3, 0, 1)),
        (3, "0%", "10%", Bounds(3, 0, 1)),
        (2, 1, 5, Bounds(2, 1, 2)),
        (7, "100%", "0%", Bounds(7, 7, 0)),
        (100, "7%", "29%", Bounds(100, 7, 29)),
    ],
)
def test_a_strategy_is_resolved_to_pods(
    replicas: int, surge: int | str, unavailable: int | str, bounds: Bounds
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    spec = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    assert bounds_of({"spec": spec}) == bounds


def test_what_is_not_said_is_one_replica_and_a_quarter() -> None:
    assert bounds_of({"spec": {}}) == Bounds(1, 1, 0)


@pytest.mark.parametrize(("new", "everything", "size"), [(0, 6, 1), (0, 8, 0), (5, 5, 6), (8, 8, 6)])
def test_the_new_replica_set_takes_the_room_there_is(new: int, everything: int, size: int) -> None:
    assert grown(Bounds(6, 1, 0), new, everything) == size


def test_unavailable_pods_go_before_the_oldest_ones() -> None:
    old = [replica_set("a", 4), replica_set("b", 2, available=1)]
    assert shrunk(Bounds(6, 1, 0), old, replica_set("c", 1)) == [("b", 1)]


def test_a_report_from_before_the_last_scaling_stops_the_shrinking() -> None:
    old = [replica_set("a", 3, available=4), replica_set("b", 3)]
    assert shrunk(Bounds(6, 1, 0), old, replica_set("c", 1)) == []


def test_a_late_report_is_not_noticed_once_enough_unavailable_pods_were_found() -> None:
    old = [replica_set("a", 3, available=2), replica_set("b", 3, available=4)]
    assert shrunk(Bounds(6, 1, 0), old, replica_set("c", 1)) == [("a", 2), ("a", 1)]


def test_of_two_equals_the_newer_gains_and_the_older_loses() -> None:
    before = Bounds(5, 1, 0)
    old, new = replica_set("a", 3, of=before), replica_set("b", 3, of=before)
    assert scaled(Bounds(6, 1, 0), new, [old], 6) == [("b", 4), ("a", 3)]
    assert scaled(Bounds(4, 1, 0), new, [old], 6) == [("a", 2), ("b", 3)]


def test_proportions_are_taken_of_what_each_was_sized_for() -> None:
    fresh, stale = Bounds(9, 1, 0), Bounds(4, 1, 0)
    sizes = scaled(Bounds(19, 1, 0), replica_set("b", 5, of=fresh), [replica_set("a", 4, of=stale)], 9)
    assert sizes == [("b", 10), ("a", 10)]


def test_a_recreated_deployment_that_is_paused_keeps_its_sizes() -> None:
    bounds = bounds_of({"spec": {"replicas": 2, "strategy": {"type": "Recreate"}}})
    assert scaled(bounds, replica_set("b", 1), [replica_set("a", 2)], 3) == []
