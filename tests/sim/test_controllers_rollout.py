"""Deployments rolled out by the controllers alone: sizes, status, revisions."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferollout.sim.controllers.revisions import REVISION, REVISION_HISTORY
from saferollout.sim.controllers.sizes import size
from saferollout.sim.objects import annotations_of, condition_of
from saferollout.sim.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from saferollout.sim.store import Change, Object
from saferollout.sim.workload import READY, STARTUP
from simulated_cluster import WEB, Cluster


def test_a_rolling_update_ends_with_new_pods_only() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=10)
    cluster.settle()
    cluster.change(image="web:2")
    cluster.settle()
    assert cluster.sizes() == (0, 10)
    assert len(cluster.ready("web:2")) == 10
    assert cluster.pods("web:1") == []


def test_surge_rounds_up_and_unavailable_rounds_down() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=10, surge="25%", unavailable="25%")
    cluster.settle()
    cluster.change(image="web:2")
    cluster.run(0.5)
    assert cluster.sizes() == (8, 5)


def test_a_brake_delays_every_step_by_its_seconds_whatever_the_speed() -> None:
    cluster = Cluster(speed=100)
    cluster.deploy(replicas=2, minReadySeconds=10)
    cluster.run(30)
    cluster.change(image="web:2")
    cluster.run(9)
    assert cluster.sizes() == (2, 1)
    cluster.run(3)
    assert cluster.sizes() == (1, 2)


def test_going_back_uses_the_old_replica_set_and_gives_it_a_new_revision() -> None:
    cluster = Cluster()
    cluster.deploy()
    for image in ("web:1", "web:2", "web:1"):
        cluster.change(image=image)
        cluster.settle()
    assert cluster.sizes() == (6, 0)
    first = annotations_of(cluster.replica_sets()[0])
    assert first[REVISION] == annotations_of(cluster.deployment())[REVISION] == "3"
    assert first[REVISION_HISTORY] == "1"


def test_empty_replica_sets_beyond_the_limit_are_forgotten() -> None:
    cluster = Cluster()
    cluster.deploy(revisionHistoryLimit=2)
    for number in range(1, 7):
        cluster.change(image=f"web:{number}")
        cluster.settle()
    assert cluster.sizes() == (0, 0, 6)


def test_recreate_makes_no_new_pod_before_the_last_old_one_is_gone() -> None:
    cluster = Cluster()
    slow = {"lifecycle": {"preStop": {"sleep": {"seconds": 20}}}, "name": "web", "image": "web:1"}
    cluster.deploy(replicas=3, pod={"containers": [slow]}, strategy={"type": "Recreate"})
    cluster.settle()
    cluster.change(image="web:2")
    cluster.run(19)
    assert cluster.sizes() == (0,)
    cluster.run(30)
    assert cluster.sizes() == (0, 3)


def test_a_finished_rollout_says_so() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=3)
    cluster.settle()
    status = cluster.status()
    assert status["observedGeneration"] == cluster.deployment()["metadata"]["generation"]
    assert status["replicas"] == status["updatedReplicas"] == status["availableReplicas"] == 3
    assert reason(cluster, "Progressing") == "NewReplicaSetAvailable"
    assert reason(cluster, "Available") == "MinimumReplicasAvailable"


def test_a_rollout_without_progress_exceeds_its_deadline() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=3, progressDeadlineSeconds=60)
    cluster.settle()
    cluster.change(image="web:missing")
    cluster.run(59)
    assert reason(cluster, "Progressing") == "ReplicaSetUpdated"
    cluster.run(10)
    assert reason(cluster, "Progressing") == "ProgressDeadlineExceeded"


def test_a_deadline_does_not_run_while_paused() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=3, progressDeadlineSeconds=60)
    cluster.settle()
    cluster.change(image="web:missing")
    cluster.run(1)
    cluster.change(paused=True)
    cluster.settle()
    assert reason(cluster, "Progressing") == "DeploymentPaused"
    cluster.change(paused=False)
    cluster.run(1)
    assert reason(cluster, "Progressing") == "DeploymentResumed"
    cluster.settle()
    assert reason(cluster, "Progressing") == "ProgressDeadlineExceeded"


def test_every_progress_starts_the_deadline_anew() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=6, progressDeadlineSeconds=10, said={STARTUP: "5s"})
    cluster.settle()
    cluster.change(image="web:2")
    for _ in range(40):
        cluster.run(1)
        assert reason(cluster, "Progressing") in {"ReplicaSetUpdated", "NewReplicaSetAvailable"}
    assert cluster.sizes() == (0, 6)


def test_the_first_report_after_a_scaling_still_counts_the_pods_that_go() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=4)
    cluster.settle()
    seen = []

    def note(change: Change) -> None:
        if change.resource is REPLICA_SETS:
            reported = change.object["status"]
            if reported["observedGeneration"] == change.object["metadata"]["generation"]:
                seen.append((size(change.object), reported["replicas"]))

    cluster.store.subscribe(note)
    cluster.change(replicas=3)
    cluster.settle()
    assert seen[:2] == [(3, 4), (3, 3)]


def test_too_few_available_pods_are_said_to_be_too_few() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=3)
    cluster.settle()
    cluster.change(minReadySeconds=3600)
    cluster.run(1)
    assert reason(cluster, "Available") == "MinimumReplicasUnavailable"
    assert cluster.status()["readyReplicas"] == 3


def test_deleting_the_deployment_deletes_its_replica_sets_and_pods() -> None:
    cluster = Cluster()
    cluster.deploy()
    cluster.settle()
    cluster.store.delete(DEPLOYMENTS, *WEB)
    cluster.settle()
    assert cluster.store.list(REPLICA_SETS) == cluster.store.list(PODS) == []


def test_a_rollout_of_ten_pods_costs_little_time() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=10)
    cluster.settle()
    began = time.process_time()
    cluster.change(image="web:2")
    cluster.settle()
    assert time.process_time() - began < 0.5


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.integers(1, 9),
    surge=st.integers(0, 4),
    unavailable=st.integers(0, 4),
    seed=st.integers(0, 1000),
)
def test_a_rolling_update_stays_within_its_bounds(
    replicas: int, surge: int, unavailable: int, seed: int
) -> None:
    cluster = Cluster(seed=seed)
    cluster.deploy(replicas=replicas, surge=surge, unavailable=unavailable)
    cluster.settle()
    spare = min(replicas, unavailable if surge or unavailable else 1)

    def check(change: Change) -> None:
        if change.resource in {PODS, REPLICA_SETS}:
            assert sum(cluster.sizes()) <= replicas + surge
            assert len(cluster.ready()) >= replicas - spare

    cluster.store.subscribe(check)
    cluster.change(image="web:2")
    cluster.settle()
    assert cluster.sizes() == (0, replicas)


_IMAGES = st.sampled_from(["web:1", "web:2", "web:3", "web:broken"])
_EDITS = st.one_of(
    st.fixed_dictionaries({"paused": st.booleans()}),
    st.fixed_dictionaries({"replicas": st.integers(0, 8)}),
    st.fixed_dictionaries({"image": _IMAGES}),
    st.fixed_dictionaries({"minReadySeconds": st.sampled_from([0, 5, 100])}),
    st.fixed_dictionaries({"paused": st.just(value=False), "minReadySeconds": st.sampled_from([3, 20])}),
)


@settings(max_examples=60, deadline=None)
@given(edits=st.lists(st.tuples(_EDITS, st.floats(0, 30)), max_size=12), surge=st.integers(0, 3))
def test_whatever_was_done_to_it_a_resumed_deployment_ends_up_as_its_template_says(
    edits: list[tuple[Object, float]], surge: int
) -> None:
    cluster = Cluster()
    cluster.deploy(replicas=4, surge=surge)
    for edit, pause in edits:
        cluster.run(pause)
        cluster.change(**edit)
    cluster.change(paused=False, minReadySeconds=0)
    cluster.settle()
    wanted = cluster.deployment()["spec"]
    image = wanted["template"]["spec"]["containers"][0]["image"]
    assert len(cluster.ready(image)) == len(cluster.pods()) == wanted["replicas"]
    assert cluster.status().get("updatedReplicas", 0) == wanted["replicas"]


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.integers(1, 30), scaled=st.integers(1, 60), surge=st.integers(1, 6), stop=st.integers(0, 30)
)
def test_a_paused_rollout_is_scaled_to_exactly_its_replicas_and_surge(
    replicas: int, scaled: int, surge: int, stop: int
) -> None:
    cluster = Cluster()
    cluster.deploy(replicas=replicas, surge=surge)
    cluster.settle()
    cluster.change(image="web:2")
    cluster.run(0.5)
    new = math.ceil(stop * (replicas - 1) / 30)
    cluster.run_until(lambda: cluster.sizes()[1] >= new)
    cluster.change(paused=True, replicas=scaled, minReadySeconds=3600)
    cluster.run(1)
    sizes = cluster.sizes()
    assert sum(sizes) == scaled + surge or sorted(sizes) == [0, scaled]


def reason(cluster: Cluster, kind: str) -> str:
    found = condition_of(cluster.deployment(), kind)
    assert found is not None
    text: str = found["reason"]
    return text


@pytest.mark.parametrize("replicas", [1, 4])
def test_pods_lost_are_made_anew(replicas: int) -> None:
    cluster = Cluster()
    cluster.deploy(replicas=replicas)
    cluster.settle()
    cluster.outages.kill_pod((WEB[0], cluster.pods()[0]["metadata"]["name"]))
    cluster.settle()
    assert len(cluster.ready()) == size(cluster.replica_sets()[0]) == replicas


def test_pods_too_many_for_a_moment_are_made_and_taken_away_again() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=4, surge=3, unavailable=3)
    cluster.settle()
    cluster.change(image="web:missing")
    cluster.settle()
    assert cluster.sizes() == (1, 4)
    made: list[Change] = []
    cluster.store.subscribe(
        lambda each: made.append(each) if (each.resource, each.type) == (PODS, "ADDED") else None
    )
    cluster.change(replicas=7)
    cluster.settle()
    assert cluster.sizes() == (1, 7)
    assert len(made) == 5, "nine in proportion, of which two are more than replicas"


def test_an_old_replica_set_that_loses_pods_for_two_reasons_is_written_twice() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=4, surge=0, unavailable=3)
    cluster.settle()
    cluster.annotate(cluster.pods()[0], **{READY: "never"})
    cluster.run(5)
    seen: list[tuple[int, ...]] = []
    cluster.store.subscribe(
        lambda each: seen.append(cluster.sizes()) if each.resource is REPLICA_SETS else None
    )
    cluster.change(image="web:missing")
    cluster.settle()
    assert list(dict.fromkeys(seen)) == [(4, 0), (3, 0), (1, 0), (1, 3)]
