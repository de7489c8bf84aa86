"""What the likeness of the controllers excuses as chance, and what it does not."""

from __future__ import annotations

from controlplane.likeness_play import races
from controlplane.likeness_scene import Picture, Pod


def pod(tag: str, number: int, node: str) -> Pod:
    return Pod(tag, number, node, ready=True, cost=0, name=f"web-{number}")


OLD = pod("v1", 1, "a-1")
NEW, OTHER_NEW = pod("v2", 2, "a-2"), pod("v2", 3, "a-1")


def without(*gone: Pod, fence: int = 0) -> Picture:
    left = tuple(each for each in (OLD, NEW, OTHER_NEW) if each not in gone)
    deployment = {"template": "v2", "paused": False, "fence": fence}
    new = {"size": sum(each.tag == "v2" for each in left), "fence": 0}
    return Picture(deployment, {"v2": new}, pods=left, gone=gone, steps=())


def test_when_two_shrink_then_it_is_chance_which_pod_goes_of_those_with_company_on_their_nodes() -> None:
    assert races([without(), without(OLD, NEW)], [without(), without(OLD, OTHER_NEW)], 1)


def test_when_one_shrinks_then_it_is_no_chance_which_pod_goes() -> None:
    assert not races([without(), without(NEW)], [without(), without(OTHER_NEW)], 1)


def test_when_two_shrink_then_it_is_no_chance_how_many_pods_go() -> None:
    here, there = without(OLD, OTHER_NEW), without(OLD)
    assert not races([without(), here], [without(), there], 1)


def test_when_a_fence_changes_that_a_replica_set_had_then_it_is_chance_how_many_pods_go() -> None:
    here, there = without(OLD, fence=60), without(OLD, NEW, fence=60)
    assert races([without(), here], [without(), there], 1)
