"""Pods that go although they are wanted: what a budget allows, and who took them."""

from __future__ import annotations

from typing import Any

import pytest

from saferollout.sim.controllers.disruption import DELETION_TIMEOUT
from saferollout.sim.controllers.garbage import QUARANTINE
from saferollout.sim.objects import condition_of, is_deleting, key_of
from saferollout.sim.outages import EVICTION, NODE_GRACE
from saferollout.sim.resources import NODES, POD_DISRUPTION_BUDGETS, PODS
from saferollout.sim.store import Change, Object
from saferollout.sim.timestamps import timestamp
from served_cluster import PODS as PODS_PATH
from served_cluster import ServedCluster
from served_cluster import pod as a_pod
from simulated_cluster import WEB, Cluster

NUMBERS = ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")


def budgeted(cluster: Cluster, **spec: Any) -> None:
    """Have a budget for ``web``."""
    selector = {"selector": {"matchLabels": {"app": "web"}}}
    budget = {"metadata": {"namespace": WEB[0], "name": WEB[1]}, "spec": selector | spec}
    cluster.store.create(POD_DISRUPTION_BUDGETS, budget)


def numbers(cluster: Cluster) -> tuple[int, ...]:
    """What the status of the budget says."""
    status = cluster.store.get(POD_DISRUPTION_BUDGETS, *WEB)["status"]
    return tuple(status[each] for each in NUMBERS)


def why(pod: Object) -> tuple[str, str]:
    """Reason and message of the pod's condition DisruptionTarget."""
    found = condition_of(pod, "DisruptionTarget")
    assert found is not None
    assert found["status"] == "True"
    return found["reason"], found["message"]


def test_a_budget_counts_what_the_deployment_wants_and_not_the_surge_of_a_rollout() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=6, surge=3)
    cluster.settle()
    budgeted(cluster, maxUnavailable="50%")
    cluster.run(1)
    assert numbers(cluster) == (6, 6, 3, 3)
    cluster.change(image="web:2")
    cluster.run_until(lambda: len(cluster.ready()) > 6)
    cluster.run(0.1)
    assert numbers(cluster) == (6, len(cluster.ready()), 3, len(cluster.ready()) - 3)


def test_a_number_of_available_pods_is_held_against_the_pods_that_there_are() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=2)
    cluster.settle()
    budgeted(cluster, minAvailable=5)
    cluster.run(1)
    assert numbers(cluster) == (2, 2, 5, 0)


def test_a_pod_whose_eviction_was_granted_counts_as_gone_until_its_deletion_is_overdue() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=3)
    cluster.settle()
    budgeted(cluster, minAvailable=2)
    cluster.run(1)
    granted = {cluster.pods()[0]["metadata"]["name"]: timestamp(cluster.timeline.now)}
    cluster.store.patch(
        POD_DISRUPTION_BUDGETS, *WEB, lambda each: each["status"].update(disruptedPods=granted)
    )
    cluster.run(1)
    assert numbers(cluster) == (3, 2, 2, 0)
    cluster.run(DELETION_TIMEOUT)
    assert numbers(cluster) == (3, 3, 2, 1)


def test_pods_on_a_silent_node_are_told_to_go_and_stay_until_the_node_is_deleted() -> None:
    cluster = Cluster()
    cluster.deploy()
    cluster.settle()
    dead = cluster.pods()[0]
    node = dead["spec"]["nodeName"]
    cluster.outages.kill_node(node)
    cluster.run(NODE_GRACE + EVICTION + 1)
    going = cluster.pod(dead["metadata"]["name"])
    assert is_deleting(going)
    assert why(going) == ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
    cluster.run(3600)
    assert cluster.pod(dead["metadata"]["name"]) == going
    cluster.store.delete(NODES, None, node)
    cluster.run(QUARANTINE + 1)
    assert key_of(dead) not in map(key_of, cluster.store.list(PODS))


def test_pods_of_a_deleted_node_are_failed_ones_before_they_are_gone() -> None:
    cluster = Cluster()
    cluster.deploy()
    cluster.settle()
    dead = cluster.pods()[0]
    seen: list[Object] = []

    def follow(change: Change) -> None:
        if change.resource is PODS and key_of(change.object) == key_of(dead):
            seen.append(change.object)

    cluster.store.subscribe(follow)
    cluster.store.delete(NODES, None, dead["spec"]["nodeName"])
    cluster.run(QUARANTINE + 1)
    assert why(seen[-1]) == ("DeletionByPodGC", "PodGC: node no longer exists")
    assert seen[-1]["status"]["phase"] == "Failed"


NO_SCHEDULE = {"key": "mine", "value": "1", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("taint", "toleration", "placed"),
    [
        (NO_SCHEDULE, None, False),
        (NO_SCHEDULE | {"effect": "NoExecute"}, None, False),
        (NO_SCHEDULE | {"effect": "PreferNoSchedule"}, None, True),
        (NO_SCHEDULE, {"key": "mine", "operator": "Exists"}, True),
        (NO_SCHEDULE, {"operator": "Exists"}, True),
        (NO_SCHEDULE, {"key": "mine", "value": "1"}, True),
        (NO_SCHEDULE, {"key": "mine", "value": "2"}, False),
        (NO_SCHEDULE, {"key": "other", "operator": "Exists"}, False),
        (NO_SCHEDULE, {"key": "mine", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_a_taint_keeps_away_what_does_not_tolerate_it(
    taint: Object, toleration: Object | None, *, placed: bool
) -> None:
    cluster = Cluster()
    for node in cluster.store.list(NODES):
        cluster.store.patch(NODES, *key_of(node), lambda each: each["spec"].update(taints=[taint]))
    cluster.deploy(replicas=1, pod={"tolerations": [toleration]} if toleration else {})
    cluster.run(5)
    (pod,) = cluster.pods()
    assert bool(pod["spec"].get("nodeName")) is placed
    if not placed:
        verdict = condition_of(pod, "PodScheduled")
        assert verdict is not None
        assert verdict["message"] == "0/6 nodes are available: 6 node(s) had untolerated taint(s)."


async def test_eviction_is_found_where_kubectl_looks_for_it_and_takes_nothing_but_a_post(
    cluster: ServedCluster,
) -> None:
    listed = (await cluster.ask("GET", "/api/v1")).body["resources"]
    (entry,) = (each for each in listed if each["name"] == "pods/eviction")
    assert (entry["group"], entry["version"], entry["kind"], entry["verbs"]) == (
        "policy",
        "v1",
        "Eviction",
        ["create"],
    )
    await cluster.ask("POST", PODS_PATH, a_pod("web-1"))
    path = f"{PODS_PATH}/web-1/eviction"
    assert [(await cluster.ask(verb, path, {})).status for verb in ("GET", "PUT", "PATCH", "DELETE")] == [
        405
    ] * 4
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web-1"}}
    dry = await cluster.ask("POST", path, eviction, dryRun="All")
    assert (dry.status, (await cluster.ask("GET", f"{PODS_PATH}/web-1")).status) == (201, 200)
    other = eviction | {"deleteOptions": {"preconditions": {"uid": "another"}}}
    assert (await cluster.ask("POST", path, other)).status == 409
    done = await cluster.ask("POST", path, eviction)
    assert (done.status, done.body["status"]) == (201, "Success")
    assert (await cluster.ask("POST", path, eviction)).status == 404
