"""How pods start, answer, fail and stop."""

from __future__ import annotations

from typing import Any

import pytest

from saferollout.sim.kubelet import Kubelet
from saferollout.sim.objects import condition_of, key_of, put_condition
from saferollout.sim.outages import EVICTION, NODE_GRACE
from saferollout.sim.resources import NODES, PODS
from saferollout.sim.store import ApiError, Object
from saferollout.sim.workload import CRASH, READY, SERVES_WHILE_STOPPING, SHUTDOWN, STARTUP
from simulated_cluster import WEB, Cluster


def one_pod(
    *,
    image: str = "web:1",
    said: dict[str, str] | None = None,
    speed: float = 1.0,
    container: dict[str, Any] | None = None,
    **pod: Any,
) -> Cluster:
    """A cluster with a pod that was just created and placed."""
    cluster = Cluster(speed=speed)
    ports = [{"containerPort": 80}]
    containers = [{"name": "web", "image": image, "ports": ports, **(container or {})}]
    cluster.deploy(replicas=1, said=said, pod={"containers": containers, **pod})
    cluster.run_until(lambda: bool(cluster.pods()))
    return cluster


def only(cluster: Cluster) -> Object:
    (pod,) = cluster.store.list(PODS)
    return pod


def delete(cluster: Cluster, **options: Any) -> str:
    """Delete the pod and stop the ReplicaSet from replacing it; its address."""
    address: str = only(cluster)["status"]["podIP"]
    cluster.change(replicas=0)
    cluster.store.delete(PODS, *key_of(only(cluster)), **options)
    return address


def ready(pod: Object) -> Object:
    found = condition_of(pod, "Ready")
    assert found is not None
    return found


def answers(kubelet: Kubelet, address: str) -> tuple[bool, bool]:
    return kubelet.serves(address, 80), kubelet.healthy(address, 80)


def test_a_pod_answers_once_it_has_started() -> None:
    cluster = one_pod(said={STARTUP: "35s"})
    cluster.run(34)
    pod = only(cluster)
    assert pod["status"]["phase"] == "Running"
    assert ready(pod)["status"] == "False"
    assert answers(cluster.kubelet, pod["status"]["podIP"]) == (False, False)
    cluster.run(2)
    assert ready(only(cluster))["status"] == "True"
    assert answers(cluster.kubelet, pod["status"]["podIP"]) == (True, True)


def test_time_that_runs_faster_shortens_the_start() -> None:
    cluster = one_pod(said={STARTUP: "35s"}, speed=10)
    cluster.run(3.6)
    assert ready(only(cluster))["status"] == "True"


def test_nobody_answers_on_a_port_that_was_not_declared_or_an_address_without_a_pod() -> None:
    cluster = one_pod()
    cluster.run(10)
    address = only(cluster)["status"]["podIP"]
    assert not cluster.kubelet.serves(address, 81)
    assert not cluster.kubelet.serves("10.9.9.9", 80)


def test_a_pod_that_never_gets_ready_answers_nobody() -> None:
    cluster = one_pod(said={READY: "never"})
    cluster.run(60)
    pod = only(cluster)
    assert ready(pod)["reason"] == "ContainersNotReady"
    assert answers(cluster.kubelet, pod["status"]["podIP"]) == (False, False)


def test_a_silenced_pod_is_unready_until_it_is_revived() -> None:
    cluster = one_pod()
    cluster.run(10)
    cluster.outages.silence(key_of(only(cluster)))
    cluster.run(1)
    assert ready(only(cluster))["status"] == "False"
    assert not cluster.kubelet.serves(only(cluster)["status"]["podIP"], 80)
    cluster.outages.revive(key_of(only(cluster)))
    cluster.run(1)
    assert ready(only(cluster))["status"] == "True"


def test_a_broken_image_is_ready_and_fails_the_health_checks_of_load_balancers() -> None:
    cluster = one_pod(image="web:broken")
    cluster.run(10)
    assert ready(only(cluster))["status"] == "True"
    assert answers(cluster.kubelet, only(cluster)["status"]["podIP"]) == (True, False)


@pytest.mark.parametrize("how", [{"image": "web:crash"}, {"said": {CRASH: "after 1s"}}])
def test_a_crashing_pod_restarts_after_longer_and_longer_pauses(how: dict[str, Any]) -> None:
    cluster = one_pod(**how)
    seen: dict[int, float] = {}
    for _ in range(60):
        cluster.run(1)
        seen.setdefault(only(cluster)["status"]["containerStatuses"][0]["restartCount"], cluster.timeline.now)
    assert [round(seen[count + 1] - seen[count]) for count in (1, 2)] == [11, 21]
    (container,) = only(cluster)["status"]["containerStatuses"]
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert ready(only(cluster))["status"] == "False"


def test_a_pod_that_was_ready_is_not_while_it_is_crashed() -> None:
    cluster = one_pod(said={CRASH: "after 10s"})
    cluster.run(25)
    pod = only(cluster)
    assert ready(pod)["status"] == "False"
    assert not cluster.kubelet.serves(pod["status"]["podIP"], 80)
    cluster.run(10)
    assert ready(only(cluster))["status"] == "True"


def test_an_image_that_is_missing_is_said_to_be_so() -> None:
    cluster = one_pod(image="web:missing")
    reasons = set()
    for _ in range(20):
        cluster.run(1)
        (container,) = only(cluster)["status"]["containerStatuses"]
        reasons.add(container["state"]["waiting"]["reason"])
    assert reasons == {"ErrImagePull", "ImagePullBackOff"}
    assert only(cluster)["status"]["phase"] == "Pending"


def test_an_annotation_that_makes_no_sense_is_shown_and_followed_once_it_does() -> None:
    cluster = one_pod(said={STARTUP: "soon"})
    cluster.run(10)
    (container,) = only(cluster)["status"]["containerStatuses"]
    assert container["state"]["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": "'soon' is no duration such as 35s or 1m30s",
    }
    cluster.annotate(only(cluster), **{STARTUP: "1s"})
    cluster.run(2)
    assert ready(only(cluster))["status"] == "True"


def test_a_readiness_gate_holds_the_pod_back_until_its_condition_is_true() -> None:
    cluster = one_pod(readinessGates=[{"conditionType": "example.com/in-service"}])
    cluster.run(10)
    assert ready(only(cluster))["reason"] == "ReadinessGatesNotReady"
    for value in ("False", "True"):
        pod = only(cluster)
        gate = {"type": "example.com/in-service", "status": value}
        conditions = put_condition(pod["status"]["conditions"], gate, cluster.timeline.now)
        cluster.store.update_status(PODS, {**pod, "status": {**pod["status"], "conditions": conditions}})
        assert ready(only(cluster))["status"] == value


@pytest.mark.parametrize(
    "hook",
    [
        {"sleep": {"seconds": 20}},
        {"exec": {"command": ["sh", "-c", "sleep 20"]}},
        {"exec": {"command": ["sleep", "20"]}},
    ],
)
def test_a_pod_serves_through_prestop_and_is_gone_after_its_shutdown(hook: dict[str, Any]) -> None:
    cluster = one_pod(
        said={SHUTDOWN: "15s", SERVES_WHILE_STOPPING: "true"},
        container={"lifecycle": {"preStop": hook}},
        terminationGracePeriodSeconds=60,
    )
    cluster.run(10)
    address = delete(cluster)
    seen = []
    for _ in range(3):
        cluster.run(14)
        seen.append(answers(cluster.kubelet, address))
    assert seen == [(True, True), (True, False), (False, False)]
    assert cluster.store.list(PODS) == []


def test_a_pod_that_does_not_serve_while_stopping_refuses_from_sigterm_on() -> None:
    cluster = one_pod(said={SHUTDOWN: "15s"})
    cluster.run(10)
    address = delete(cluster)
    cluster.run(1)
    assert answers(cluster.kubelet, address) == (False, False)
    assert only(cluster)["metadata"]["deletionTimestamp"]


@pytest.mark.parametrize("crash", [{}, {CRASH: "after 45s"}])
def test_a_pod_stopped_while_it_starts_never_serves(crash: dict[str, str]) -> None:
    stopping = {SHUTDOWN: "15s", SERVES_WHILE_STOPPING: "true", STARTUP: "30s"}
    cluster = one_pod(said={**stopping, **crash})
    cluster.run(60 if crash else 10)
    address = delete(cluster)
    cluster.run(1)
    assert only(cluster)["metadata"]["deletionTimestamp"]
    assert answers(cluster.kubelet, address) == (False, False)


def test_the_grace_ends_a_pod_that_takes_longer() -> None:
    cluster = one_pod(
        said={SHUTDOWN: "1h"},
        container={"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}},
        terminationGracePeriodSeconds=20,
    )
    cluster.run(10)
    delete(cluster)
    cluster.run(19)
    assert only(cluster)
    cluster.run(2)
    assert cluster.store.list(PODS) == []


def test_a_prestop_that_uses_up_the_grace_leaves_two_seconds() -> None:
    cluster = one_pod(
        said={SHUTDOWN: "1h"},
        container={"lifecycle": {"preStop": {"sleep": {"seconds": 100}}}},
        terminationGracePeriodSeconds=20,
    )
    cluster.run(10)
    delete(cluster)
    cluster.run(21.5)
    assert only(cluster)
    cluster.run(1)
    assert cluster.store.list(PODS) == []


def test_a_second_deletion_shortens_the_grace() -> None:
    cluster = one_pod(said={SHUTDOWN: "1h"}, terminationGracePeriodSeconds=600)
    cluster.run(10)
    delete(cluster)
    cluster.run(10)
    cluster.store.delete(PODS, *key_of(only(cluster)), grace_seconds=15)
    cluster.run(6)
    assert cluster.store.list(PODS) == []


def test_a_killed_pod_is_gone_at_once() -> None:
    cluster = one_pod()
    cluster.run(10)
    pod = only(cluster)
    cluster.outages.kill_pod(key_of(pod))
    assert not cluster.kubelet.serves(pod["status"]["podIP"], 80)
    with pytest.raises(ApiError):
        cluster.pod(pod["metadata"]["name"])


def test_a_pod_deleted_before_it_runs_needs_no_grace() -> None:
    cluster = one_pod(image="web:missing", terminationGracePeriodSeconds=600)
    cluster.run(10)
    cluster.change(replicas=0)
    cluster.run(1)
    assert cluster.store.list(PODS) == []


def test_an_address_is_unique_and_comes_back_only_when_the_node_has_no_other() -> None:
    cluster = Cluster(nodes=1, room=500)
    cluster.deploy(replicas=30)
    cluster.settle()
    first = {each["status"]["podIP"] for each in cluster.pods()}
    assert len(first) == 30
    for _ in range(24):
        addresses = {each["status"]["podIP"] for each in cluster.pods()}
        for each in cluster.pods():
            cluster.outages.kill_pod(key_of(each))
        cluster.run(10)
        assert addresses.isdisjoint(each["status"]["podIP"] for each in cluster.pods())
    cluster.run(10)
    assert len({each["status"]["podIP"] for each in cluster.pods()}) == 30


def test_a_dead_node_is_found_out_late_and_its_pods_are_replaced_later_still() -> None:
    cluster = Cluster()
    cluster.deploy()
    cluster.settle()
    dead = cluster.pods()[0]
    address, node = dead["status"]["podIP"], dead["spec"]["nodeName"]
    cluster.outages.kill_node(node)
    assert not cluster.kubelet.serves(address, 80)
    assert len(cluster.ready()) == 6
    cluster.run(NODE_GRACE + 1)
    silent = condition_of(cluster.store.get(NODES, None, node), "Ready")
    assert silent is not None
    assert silent["status"] == "Unknown"
    assert len(cluster.ready()) == 5
    cluster.run(EVICTION + 10)
    assert len(cluster.ready()) == 6
    assert node not in {each["spec"]["nodeName"] for each in cluster.pods()}


def test_a_pod_placed_on_a_dead_node_does_not_start() -> None:
    cluster = Cluster()
    cluster.deploy(replicas=0)
    cluster.outages.kill_node("us-east-1a-0")
    cluster.change(replicas=6)
    cluster.run(30)
    assert len(cluster.pods()) == 6
    assert len(cluster.ready()) == 5
    cluster.run(NODE_GRACE + EVICTION)
    assert len(cluster.ready()) == 6


def test_pods_found_at_the_start_of_the_kubelet_are_run_too() -> None:
    cluster = one_pod()
    late = Kubelet(cluster.store, cluster.timeline)
    cluster.run(10)
    assert late.serves(only(cluster)["status"]["podIP"], 80)
    assert key_of(only(cluster))[0] == WEB[0]
