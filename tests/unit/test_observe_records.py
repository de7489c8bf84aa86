"""What is read of raw API objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import kube_objects as raw
from saferollout.api.names import LAST_APPLIED_ANNOTATION
from saferollout.decide.workload import ContainerPort, Disruption, Leave, Strategy
from saferollout.observe import records

CREATED = 1767225600.0


def test_a_replica_set_of_the_same_template_has_the_same_digest() -> None:
    deployment = records.deployment(raw.deployment())
    replica_set = records.replica_set(raw.replica_set("a"))
    assert replica_set is not None
    assert deployment.template == replica_set.template


@pytest.mark.parametrize(
    "other",
    [
        raw.template("web:2"),
        raw.template(tier="front"),
        raw.template() | {"metadata": {"labels": {"app": "web"}, "annotations": {"restartedAt": "now"}}},
    ],
)
def test_any_other_template_has_another_digest(other: dict[str, Any]) -> None:
    assert records.template_digest(other) != records.template_digest(raw.template())


def test_the_order_of_keys_is_no_difference() -> None:
    backwards = dict(reversed(raw.template().items()))
    assert records.template_digest(backwards) == records.template_digest(raw.template())


def test_a_deployment_is_read_as_written() -> None:
    found = records.deployment(
        raw.deployment(
            paused=True,
            minReadySeconds=7,
            progressDeadlineSeconds=600,
            strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "30%", "maxUnavailable": 0}},
        )
    )
    assert (found.namespace, found.name, found.uid) == ("shop", "web", "uid-web")
    assert (found.generation, found.observed_generation, found.replicas) == (2, 1, 3)
    assert (found.paused, found.min_ready_seconds, found.progress_deadline_seconds) == (True, 7, 600)
    assert found.strategy == Strategy("RollingUpdate", "30%", 0)
    assert found.ledger is None
    assert not found.deleting


def test_what_a_deployment_leaves_out_is_what_the_api_takes_for_it() -> None:
    found = records.deployment({"metadata": raw.meta("web"), "spec": {"template": raw.template()}})
    assert (found.replicas, found.paused, found.min_ready_seconds, found.observed_generation) == (
        1,
        False,
        0,
        0,
    )
    assert found.progress_deadline_seconds is None
    assert found.strategy == Strategy("RollingUpdate", "25%", "25%")


def test_recreate_has_no_numbers() -> None:
    found = records.deployment(raw.deployment(strategy={"type": "Recreate"}))
    assert found.strategy == Strategy("Recreate")


def test_the_ledger_and_a_deletion_under_way_are_seen() -> None:
    deployment = raw.deployment()
    deployment["metadata"] |= {
        "annotations": {"saferollout.dev/ledger": "{}"},
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }
    found = records.deployment(deployment)
    assert found.ledger == "{}"
    assert found.deleting


def test_who_else_writes_a_field_is_who_wrote_it_last_and_never_the_operator() -> None:
    deployment = raw.deployment()
    deployment["metadata"]["managedFields"] = [
        written("kubectl-create", "2026-01-01T00:00:00Z", "strategy", "paused"),
        written("argocd-controller", "2026-01-02T00:00:00Z", "strategy"),
        written("saferollout", "2026-01-03T00:00:00Z", "strategy", "minReadySeconds"),
        written("scaler", "2026-01-04T00:00:00Z", "paused") | {"subresource": "scale"},
        {"manager": "somebody"},
    ]
    found = records.deployment(deployment)
    assert dict(found.writers) == {
        "strategy": "argocd-controller",
        "paused": "kubectl-create",
        "": "argocd-controller",
    }


def written(manager: str, at: str, *fields: str, operation: str = "Update") -> dict[str, Any]:
    """An entry of ``managedFields``."""
    spec: dict[str, Any] = {f"f:{name}": {} for name in fields}
    return {"manager": manager, "operation": operation, "time": at, "fieldsV1": {"f:spec": spec}}


@pytest.mark.parametrize(
    ("metadata", "declared"),
    [
        ({}, False),
        ({"managedFields": [written("kubectl-create", "", "progressDeadlineSeconds")]}, False),
        ({"managedFields": [written("flux", "", "progressDeadlineSeconds", operation="Apply")]}, True),
        ({"managedFields": [written("flux", "", "strategy", operation="Apply")]}, False),
        ({"annotations": {LAST_APPLIED_ANNOTATION: '{"spec":{"progressDeadlineSeconds":600}}'}}, True),
        ({"annotations": {LAST_APPLIED_ANNOTATION: '{"spec":{"replicas":3}}'}}, False),
    ],
)
def test_a_deadline_is_declared_by_who_applies_it_and_not_by_who_got_the_default(
    metadata: dict[str, Any], *, declared: bool
) -> None:
    deployment = raw.deployment()
    deployment["metadata"] |= metadata
    assert records.deployment(deployment).deadline_declared is declared


def test_a_replica_set_counts_what_it_is_told_to_have() -> None:
    found = records.replica_set(raw.replica_set("a", minReadySeconds=5))
    assert found is not None
    assert (found.replicas, found.available, found.min_ready_seconds) == (3, 2, 5)
    assert (found.hash, found.owner, found.created_at) == ("a", "uid-web", CREATED)


def test_a_replica_set_of_nobody_is_left_out() -> None:
    lonely = raw.replica_set("a")
    del lonely["metadata"]["ownerReferences"]
    assert records.replica_set(lonely) is None


def test_a_pod_is_read_whole() -> None:
    metadata = {
        "labels": {"topology.kubernetes.io/zone": "a"},
        "annotations": {
            "controller.kubernetes.io/pod-deletion-cost": "-5",
            "saferollout.dev/cost-before": "",
        },
    }
    found = records.pod(raw.pod("p", metadata=metadata))
    assert found is not None
    assert (found.name, found.uid, found.owner, found.node, found.zone) == ("p", "uid-p", "uid-a", "n1", "a")
    assert (found.ip, found.ports, found.phase) == ("10.0.0.1", (ContainerPort(80),), "Running")
    assert (found.created_at, found.ready_since) == (CREATED, CREATED + 60)
    assert (found.restarts, found.terminating) == (2, False)
    assert (found.deletion_cost, found.cost_before) == ("-5", "")


def test_ports_of_sidecars_count_and_those_of_other_init_containers_do_not() -> None:
    sidecar = {"name": "proxy", "restartPolicy": "Always", "ports": [{"containerPort": 8443}]}
    once = {"name": "setup", "ports": [{"containerPort": 9999}]}
    found = records.pod(raw.pod("p", initContainers=[sidecar, once]))
    assert found is not None
    assert [port.number for port in found.ports] == [80, 8443]


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_pod_that_is_not_ready_has_no_ready_since(status: str) -> None:
    unready = raw.pod("p")
    unready["status"]["conditions"][1]["status"] = status
    found = records.pod(unready)
    assert found is not None
    assert found.ready_since is None


def test_a_pod_that_has_only_been_created_is_read() -> None:
    found = records.pod(raw.pod("p") | {"status": {}})
    assert found is not None
    assert (found.phase, found.ip, found.ready_since, found.restarts) == ("Pending", None, None, 0)


def test_of_other_pods_only_the_address_is_kept() -> None:
    found = records.pod(raw.pod("p", None))
    assert found is not None
    assert (found.owner, found.ip, found.node, found.ports) == ("", "10.0.0.1", None, ())


def test_pods_without_an_address_of_their_own_are_left_out_unless_a_replica_set_has_them() -> None:
    finished = raw.pod("p", None)
    finished["status"]["phase"] = "Succeeded"
    assert records.pod(finished) is None
    assert records.pod(raw.pod("p", None, hostNetwork=True)) is None
    kept = records.pod(raw.pod("p", hostNetwork=True))
    assert kept is not None
    assert kept.host_network


@pytest.mark.parametrize(
    ("reason", "by"),
    [
        ("EvictionByEvictionAPI", Disruption.EVICTION),
        ("DeletionByTaintManager", Disruption.TAINT),
        ("TerminationByKubelet", Disruption.KUBELET),
        ("x\n# HELP", Disruption.OTHER),
        (None, Disruption.OTHER),
    ],
)
def test_a_pod_that_somebody_takes_says_who_as_far_as_that_is_known(reason: str | None, by: str) -> None:
    found = records.pod(disrupted(raw.pod("p"), reason))
    assert found is not None
    assert (found.disruption, found.disrupted_at) == (by, CREATED + 120)


def test_a_pod_that_is_no_longer_to_go_is_taken_by_nobody() -> None:
    found = records.pod(disrupted(raw.pod("p"), "PreemptionByScheduler", status="False"))
    assert found is not None
    assert (found.disruption, found.disrupted_at) == (None, None)


@pytest.mark.parametrize(
    ("asked_before", "by"), [(0, Disruption.EVICTION), (1, Disruption.EVICTION), (2, None), (30, None)]
)
def test_a_pod_that_was_on_its_way_out_when_it_was_evicted_is_not_lost_by_that(
    asked_before: int, by: Disruption | None
) -> None:
    grace = 40
    deletion = datetime.fromtimestamp(CREATED + 120 - asked_before + grace, tz=UTC)
    ending = {"deletionTimestamp": deletion.isoformat(), "deletionGracePeriodSeconds": grace}
    found = records.pod(disrupted(raw.pod("p", metadata=ending), "EvictionByEvictionAPI"))
    assert found is not None
    assert found.disruption is by


def disrupted(pod: dict[str, Any], reason: str | None, status: str = "True") -> dict[str, Any]:
    """The pod with the condition, as of 00:02."""
    at = "2026-01-01T00:02:00Z"
    condition = {"type": "DisruptionTarget", "status": status, "reason": reason, "lastTransitionTime": at}
    pod["status"]["conditions"].append(condition)
    return pod


@pytest.mark.parametrize(
    ("spec", "goes"),
    [
        ({}, False),
        ({"unschedulable": True}, True),
        ({"taints": [{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]}, True),
        ({"taints": [{"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}]}, True),
        ({"taints": [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}]}, False),
    ],
)
def test_a_node_goes_when_it_is_cordoned_or_about_to_be_drained(spec: dict[str, Any], goes: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert records.node({**raw.node("n1", "a"), "spec": spec}).goes is goes


def test_a_node_that_is_being_deleted_goes() -> None:
    node = raw.node("n1", "a")
    node["metadata"]["deletionTimestamp"] = "2026-01-01T00:02:00Z"
    assert records.node(node).goes


def test_a_node_has_a_zone_or_none() -> None:
    assert records.node(raw.node("n1", "a")).zone == "a"
    assert records.node(raw.node("n1", None)).zone is None


@pytest.mark.parametrize(
    ("provider", "instance"),
    [
        ("aws:///us-east-1a/i-0123456789abcdef0", "i-0123456789abcdef0"),
        ("aws:///us-east-1a/0123456789-abc/fargate-ip-10-0-1-1.ec2.internal", None),
        ("kind://docker/kind/kind-worker", None),
        (None, None),
    ],
)
def test_a_node_is_an_instance_or_none(provider: str | None, instance: str | None) -> None:
    found = records.node({**raw.node("n1", "a"), "spec": {"providerID": provider} if provider else {}})
    assert found.instance == instance


@pytest.mark.parametrize(
    ("hook", "seconds"),
    [
        ({"sleep": {"seconds": 40}}, 40),
        ({"exec": {"command": ["sh", "-c", "sleep 90 && nginx -s quit"]}}, 90),
        ({"exec": {"command": ["/bin/sleep", "5"]}}, 5),
        ({"httpGet": {"path": "/drain"}}, 0),
        ({}, 0),
    ],
)
def test_how_long_a_pre_stop_hook_sleeps(hook: dict[str, Any], seconds: float) -> None:
    raw_deployment = raw.deployment("web")
    (container,) = raw_deployment["spec"]["template"]["spec"]["containers"]
    container["lifecycle"] = {"preStop": hook}
    assert records.deployment(raw_deployment).leave == Leave(seconds, 30)


def test_a_pod_has_ended_when_its_last_container_has() -> None:
    first = {"state": {"terminated": {"finishedAt": "2026-11-22T10:00:00Z"}}}
    last = {"state": {"terminated": {"finishedAt": "2026-11-22T10:00:07Z"}}}
    running: dict[str, Any] = {"state": {"running": {}}}

    def ended_at(*statuses: Any) -> float | None:
        raw_pod = raw.pod("p")
        raw_pod["status"]["containerStatuses"] = list(statuses)
        found = records.pod(raw_pod)
        assert found is not None
        return found.ended_at

    assert ended_at(first, last) == datetime(2026, 11, 22, 10, 0, 7, tzinfo=UTC).timestamp()
    assert ended_at(first, running) is None
    assert ended_at() is None


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({}, ""),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}, "ImagePullBackOff"),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                    }
                ]
            },
            "crashes (OOMKilled, exit code 137)",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"running": {}},
                        "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
                    }
                ]
            },
            "crashes (Error, exit code 1)",
        ),
        ({"initContainerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}, "ErrImagePull"),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes are available.",
                    }
                ]
            },
            "Unschedulable: 0/3 nodes are available.",
        ),
    ],
)
def test_what_keeps_a_pod_from_starting_is_read(status: dict[str, Any], trouble: str) -> None:
    found = records.pod(raw.pod("p") | {"status": status})
    assert found is not None
    assert found.trouble == trouble


def test_why_a_replica_set_gets_no_pods_is_read() -> None:
    refused = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota",
    }
    found = records.replica_set(raw.replica_set("a") | {"status": {"conditions": [refused]}})
    assert found is not None
    assert found.failure == "FailedCreate: exceeded quota"


def test_when_a_pod_was_sent_away_is_told_by_when_it_has_to_be_gone_and_how_long_it_has() -> None:
    metadata = {"deletionTimestamp": "2026-01-01T00:01:00Z", "deletionGracePeriodSeconds": 60}
    found = records.pod(raw.pod("p", metadata=metadata))
    assert found is not None
    assert found.deleted_at == CREATED
