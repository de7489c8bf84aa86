"""Where pods go, and what they say when they can go nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferollout.sim.nodes import new_node
from saferollout.sim.objects import condition_of, key_of, labels_of
from saferollout.sim.resources import NODES, PODS
from saferollout.sim.store import Object
from simulated_cluster import WEB, ZONE, Cluster

SELECTOR = {"matchLabels": {"app": "web"}}


def spread(topology: str = ZONE, *, skew: int = 1, **more: Any) -> dict[str, Any]:
    constraint = {"topologyKey": topology, "maxSkew": skew, "labelSelector": SELECTOR}
    return {"topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule", **constraint, **more}]}


def cordon(cluster: Cluster, zone: str) -> None:
    for node in cluster.store.list(NODES):
        if labels_of(node)[ZONE] == zone:
            cluster.store.patch(
                NODES, None, node["metadata"]["name"], lambda each: each["spec"].update(unschedulable=True)
            )


def pending(cluster: Cluster) -> list[Object]:
    return [each for each in cluster.pods() if not each["spec"].get("nodeName")]


def verdict(pod: Object) -> Object:
    found = condition_of(pod, "PodScheduled")
    assert found is not None
    return found


def test_pods_that_ask_for_nothing_are_spread_over_zones_and_nodes() -> None:
    cluster = Cluster(nodes=2)
    cluster.deploy(replicas=6)
    cluster.settle()
    assert set(cluster.zones().values()) == {2}
    assert len({each["spec"]["nodeName"] for each in cluster.pods()}) == 6


def test_a_pod_carries_the_zone_of_its_node() -> None:
    cluster = Cluster()
    cluster.deploy()
    cluster.settle()
    nodes = {each["metadata"]["name"]: labels_of(each)[ZONE] for each in cluster.store.list(NODES)}
    assert all(labels_of(each)[ZONE] == nodes[each["spec"]["nodeName"]] for each in cluster.pods())


def test_a_node_selector_is_obeyed() -> None:
    cluster = Cluster()
    cluster.deploy(pod={"nodeSelector": {ZONE: "us-east-1b"}})
    cluster.settle()
    assert cluster.zones() == {"us-east-1b": 6}


def test_a_pod_that_must_be_spread_waits_for_its_zone_and_says_why() -> None:
    cluster = Cluster()
    cordon(cluster, "us-east-1c")
    cluster.deploy(replicas=3, pod=spread())
    cluster.settle()
    (waiting,) = pending(cluster)
    assert waiting["status"]["phase"] == "Pending"
    assert verdict(waiting)["status"] == "False"
    assert verdict(waiting)["reason"] == "Unschedulable"
    assert verdict(waiting)["message"] == (
        "0/6 nodes are available: 4 node(s) didn't match pod topology spread constraints, "
        "2 node(s) were unschedulable."
    )


def test_a_pod_that_should_be_spread_goes_elsewhere_instead_of_waiting() -> None:
    cluster = Cluster()
    cordon(cluster, "us-east-1c")
    cluster.deploy(replicas=3, pod=spread(whenUnsatisfiable="ScheduleAnyway"))
    cluster.settle()
    assert pending(cluster) == []


def test_a_waiting_pod_is_placed_when_a_node_comes() -> None:
    cluster = Cluster()
    cordon(cluster, "us-east-1c")
    cluster.deploy(replicas=3, pod=spread())
    cluster.settle()
    assert len(pending(cluster)) == 1
    cluster.store.create(NODES, new_node("us-east-1c-9", "us-east-1c"))
    cluster.run(10)
    assert len(cluster.ready()) == 3


def test_a_full_node_takes_no_more_until_a_pod_has_really_gone() -> None:
    cluster = Cluster(nodes=1, room=2)
    slow = {"name": "web", "image": "web:1", "lifecycle": {"preStop": {"sleep": {"seconds": 20}}}}
    cluster.deploy(replicas=6, surge=1, pod={"containers": [slow]})
    cluster.settle()
    cluster.change(image="web:2")
    cluster.run(30)
    (waiting,) = pending(cluster)
    assert "3 Too many pods" in verdict(waiting)["message"]
    cluster.outages.kill_pod((WEB[0], cluster.ready("web:1")[0]["metadata"]["name"]))
    cluster.run(1)
    assert cluster.pod(waiting["metadata"]["name"])["spec"].get("nodeName")


def test_spreading_by_revision_counts_the_pods_of_that_revision_only() -> None:
    cluster = Cluster(nodes=1)
    cluster.deploy(replicas=3, surge=3, pod=spread(matchLabelKeys=["pod-template-hash"]))
    cluster.settle()
    cordon(cluster, "us-east-1c")
    cluster.change(image="web:2", minReadySeconds=3600)
    cluster.settle()
    assert len(cluster.ready("web:2")) == 2
    assert len(pending(cluster)) == 1


def test_a_pod_on_its_way_out_no_longer_counts_for_its_zone() -> None:
    cluster = Cluster()
    slow = {"name": "web", "image": "web:1", "lifecycle": {"preStop": {"sleep": {"seconds": 20}}}}
    cluster.deploy(replicas=3, pod={"containers": [slow], **spread()})
    cluster.settle()
    leaving = next(each for each in cluster.pods() if labels_of(each)[ZONE] == "us-east-1b")
    cluster.store.delete(PODS, *key_of(leaving))
    cluster.run(5)
    assert set(cluster.zones().values()) == {1}


def test_equal_nodes_fill_up_evenly() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=6, pod=spread())
    cluster.settle()
    assert len({each["spec"]["nodeName"] for each in cluster.pods()}) == 6


@settings(max_examples=40, deadline=None)
@given(replicas=st.integers(1, 12), skew=st.integers(1, 3), rollouts=st.integers(0, 2))
def test_zones_never_differ_by_more_than_the_skew_when_pods_are_placed(
    replicas: int, skew: int, rollouts: int
) -> None:
    cluster = Cluster()
    cluster.deploy(replicas=replicas, pod=spread(skew=skew, matchLabelKeys=["pod-template-hash"]))
    cluster.settle()
    for number in range(rollouts):
        cluster.change(image=f"web:{number + 2}")
        cluster.settle()
    zones = [cluster.zones()[zone] for zone in ("us-east-1a", "us-east-1b", "us-east-1c")]
    assert sum(zones) == replicas
    assert max(zones) - min(zones) <= skew


@pytest.mark.parametrize("deleted", ["us-east-1a-0", "us-east-1b-1"])
def test_a_deleted_node_takes_its_pods_along_and_they_are_made_elsewhere(deleted: str) -> None:
    cluster = Cluster()
    cluster.deploy()
    cluster.settle()
    (lost,) = [each for each in cluster.pods() if each["spec"]["nodeName"] == deleted]
    cluster.store.delete(NODES, None, deleted)
    cluster.settle()
    assert lost["metadata"]["uid"] not in {each["metadata"]["uid"] for each in cluster.store.list(PODS)}
    assert len(cluster.ready()) == 6


def test_a_pod_of_another_scheduler_is_left_to_that() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=1, pod={"schedulerName": "another"})
    cluster.settle()
    assert len(pending(cluster)) == 1
