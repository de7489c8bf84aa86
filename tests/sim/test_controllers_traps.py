"""What a paused or fenced Deployment does: the traps of the Deployment controller."""

from __future__ import annotations

from saferollout.sim.controllers.ranking import DELETION_COST
from saferollout.sim.objects import key_of
from simulated_cluster import Cluster

NEVER = 3600
"""A fence, in seconds, that no pod of a test reaches."""


def halfway(*, old: int, new: int, replicas: int = 6) -> Cluster:
    """A rollout paused in a stable state, every pod long available."""
    cluster = Cluster()
    cluster.deploy(replicas=replicas)
    cluster.settle()
    cluster.change(image="web:2")
    cluster.run_until(lambda: cluster.sizes() == (old, new))
    cluster.change(paused=True)
    cluster.run(30)
    assert cluster.sizes() == (old, new)
    return cluster


def release(cluster: Cluster, *, fence: int) -> None:
    """One step: un-paused for six seconds behind a fence, then paused and given time to come of age."""
    cluster.change(paused=False, minReadySeconds=fence)
    cluster.run(6)
    cluster.change(paused=True)
    cluster.run(30)


def test_a_pause_between_the_halves_of_a_step_puts_the_old_pod_back() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=6, surge=1)
    cluster.settle()
    cluster.change(image="web:2")
    cluster.run_until(lambda: cluster.sizes() == (4, 2))
    cluster.change(paused=True)
    cluster.settle()
    assert cluster.sizes() == (5, 2)


def test_a_pause_between_the_halves_of_a_third_template_leaves_it_without_a_pod() -> None:
    cluster = halfway(old=5, new=2)
    cluster.change(image="web:3", paused=False)
    cluster.run_until(lambda: cluster.sizes() == (4, 2, 0))
    cluster.change(paused=True)
    cluster.settle()
    assert cluster.sizes() == (5, 2, 0)


def test_a_paused_deployment_with_all_its_surge_stays_as_it_is() -> None:
    cluster = halfway(old=4, new=3)
    cluster.settle()
    assert cluster.sizes() == (4, 3)


def test_a_paused_deployment_with_one_replica_set_is_scaled_to_its_replicas() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=3, paused=False)
    cluster.settle()
    cluster.change(paused=True, replicas=5)
    cluster.settle()
    assert cluster.sizes() == (5,)


def test_a_paused_deployment_makes_no_replica_set_for_a_new_template() -> None:
    cluster = Cluster()
    cluster.deploy()
    cluster.settle()
    cluster.change(paused=True, image="web:2")
    cluster.settle()
    assert cluster.sizes() == (6,)


def test_the_last_old_pod_escapes_the_pause_once_all_new_ones_are_available() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=6)
    cluster.settle()
    cluster.change(image="web:2")
    cluster.run_until(lambda: cluster.sizes() == (1, 6))
    cluster.change(paused=True)
    cluster.run(0.5)
    assert cluster.sizes() == (1, 6)
    cluster.run_until(lambda: len(cluster.ready("web:2")) == 6)
    cluster.run(0.5)
    assert cluster.sizes() == (0, 6)


def test_a_fence_in_the_patch_that_resumes_moves_exactly_one_step() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(paused=False, minReadySeconds=25)
    cluster.run(6)
    assert cluster.sizes() == (3, 4)
    assert len(cluster.ready()) == 7


def test_without_a_fence_the_same_six_seconds_move_more_than_one_step() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(paused=False)
    cluster.run(6)
    assert cluster.sizes()[1] > 4


def test_a_fence_beyond_the_age_of_the_new_pods_moves_nothing_once_it_is_reported() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(minReadySeconds=NEVER)
    cluster.run(1)
    cluster.change(paused=False)
    cluster.run(60)
    assert cluster.sizes() == (4, 3)


def test_a_fence_in_the_patch_that_resumes_is_reported_too_late_to_stop_the_step_of_that_patch() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(paused=False, minReadySeconds=NEVER)
    cluster.run(60)
    assert cluster.sizes() == (3, 4)


def test_a_fence_is_copied_to_the_new_replica_set_only_and_while_paused_too() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(minReadySeconds=NEVER)
    cluster.run(1)
    assert [each["spec"].get("minReadySeconds", 0) for each in cluster.replica_sets()] == [0, NEVER]
    assert cluster.status()["availableReplicas"] == 4
    assert len(cluster.ready()) == 7


def test_one_replica_is_held_by_a_large_fence_though_its_successor_is_ready() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=1)
    cluster.settle()
    cluster.change(image="web:2", paused=True)
    cluster.run(1)
    cluster.change(paused=False, minReadySeconds=NEVER)
    cluster.run(60)
    assert cluster.sizes() == (1, 1)
    assert len(cluster.ready("web:2")) == 1
    cluster.change(paused=True)
    cluster.run(60)
    assert cluster.sizes() == (1, 1)


def test_lifting_the_fence_while_paused_retires_the_last_old_pods() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=4, surge=4)
    cluster.settle()
    cluster.change(image="web:2", minReadySeconds=NEVER)
    cluster.run(30)
    cluster.change(paused=True)
    cluster.settle()
    assert cluster.sizes() == (4, 4)
    cluster.change(minReadySeconds=0)
    cluster.run(1)
    assert cluster.sizes() == (0, 4)


def test_a_fence_left_on_a_superseded_replica_set_sends_its_pods_first() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(minReadySeconds=NEVER)
    cluster.run(1)
    cluster.change(image="web:3")
    seen = []
    for _ in range(3):
        release(cluster, fence=20)
        seen.append(cluster.sizes())
    assert seen == [(4, 2, 1), (4, 1, 2), (4, 0, 3)]


def test_without_a_fence_left_the_oldest_replica_set_shrinks_first() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(image="web:3")
    release(cluster, fence=20)
    assert cluster.sizes() == (3, 3, 1)


def test_without_spare_capacity_a_release_takes_one_away_and_adds_one() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=2, surge=0, unavailable=1)
    cluster.settle()
    cluster.change(image="web:2", minReadySeconds=20)
    cluster.run(6)
    cluster.change(paused=True)
    cluster.settle()
    assert cluster.sizes() == (1, 1)
    release(cluster, fence=20)
    assert cluster.sizes() == (0, 2)


def test_scaling_in_mid_rollout_makes_old_pods_too() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(replicas=9)
    cluster.settle()
    assert cluster.sizes() == (6, 4)


def test_scaling_is_proportional_when_not_paused_too() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=6)
    cluster.settle()
    cluster.change(image="web:2")
    cluster.run_until(lambda: cluster.sizes() == (4, 3))
    cluster.run(0.5)
    cluster.change(replicas=9)
    cluster.run(0.1)
    assert cluster.sizes() == (6, 4)


def test_scaling_a_paused_rollout_to_nothing_and_back_starts_the_newest_only() -> None:
    cluster = halfway(old=4, new=3)
    cluster.change(replicas=0)
    cluster.run(60)
    assert cluster.sizes() == (0, 0)
    cluster.change(replicas=6)
    cluster.run(60)
    assert cluster.sizes() == (0, 6)


def test_costs_choose_which_pods_of_the_shrinking_replica_set_go() -> None:
    cluster = halfway(old=4, new=3)
    chosen = cluster.pods("web:1")[2]["metadata"]["name"]
    for each in cluster.pods("web:1"):
        cost = "-100" if each["metadata"]["name"] == chosen else "100"
        cluster.annotate(each, **{DELETION_COST: cost})
    release(cluster, fence=25)
    left = {each["metadata"]["name"] for each in cluster.pods("web:1")}
    assert len(left) == 3
    assert chosen not in left


def test_costs_do_not_choose_between_replica_sets() -> None:
    cluster = halfway(old=4, new=3)
    for each in cluster.pods("web:2"):
        cluster.annotate(each, **{DELETION_COST: "-100"})
    cluster.change(image="web:3")
    release(cluster, fence=20)
    assert cluster.sizes() == (3, 3, 1)


def test_an_unready_pod_goes_before_any_cost() -> None:
    cluster = halfway(old=4, new=3)
    cheap, silent = cluster.pods("web:1")[:2]
    cluster.annotate(cheap, **{DELETION_COST: "-100"})
    cluster.outages.silence(key_of(silent))
    cluster.run(1)
    release(cluster, fence=25)
    left = {each["metadata"]["name"] for each in cluster.pods("web:1")}
    assert silent["metadata"]["name"] not in left
    assert cheap["metadata"]["name"] in left
