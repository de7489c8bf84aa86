"""What is around the real cluster is what is around the embedded one: nodes, pods that live, targets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import boto3
import pytest
import pytest_asyncio

from controlplane.cluster import Cluster
from controlplane.fixtures import SITE
from controlplane.plane import ControlPlane
from controlplane.subject import NAME, Subject, is_ready
from saferollout.sim.resources import NODES, PODS, SERVICES
from saferollout.sim.target_group_bindings import TARGET_GROUP_BINDINGS
from saferollout.sim.workload import READY

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

ARN = SITE.target_groups[0].arn
ZONE = "topology.kubernetes.io/zone"

Targets = Callable[[], dict[str, str]]


@pytest.fixture
def targets(real_cluster: Cluster) -> Targets:
    """What boto3 is told of the target group: state by address."""
    client = boto3.client(
        "elbv2",
        endpoint_url=real_cluster.elb,
        region_name="us-east-1",
        aws_access_key_id="anybody",
        aws_secret_access_key="anything",  # noqa: S106 - the endpoint does not check it
    )

    def ask() -> dict[str, str]:
        told = client.describe_target_health(TargetGroupArn=ARN)["TargetHealthDescriptions"]
        return {each["Target"]["Id"]: each["TargetHealth"]["State"] for each in told}

    return ask


@pytest_asyncio.fixture(loop_scope="session")
async def bound(real_cluster: Cluster, subject: Subject) -> AsyncIterator[Subject]:
    """A Deployment behind the target group."""
    metadata = {"name": NAME, "namespace": subject.namespace}
    service = {"metadata": metadata, "spec": {"selector": {"app": NAME}, "ports": [{"port": 80}]}}
    spec = {"targetGroupARN": ARN, "targetType": "ip", "serviceRef": {"name": NAME, "port": 80}}
    await real_cluster.client.create(SERVICES, service)
    binding = {"apiVersion": TARGET_GROUP_BINDINGS.api_version, "kind": TARGET_GROUP_BINDINGS.kind}
    await real_cluster.client.create(TARGET_GROUP_BINDINGS, {**binding, "metadata": metadata, "spec": spec})
    await subject.create(3)
    yield subject


async def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not await asyncio.to_thread(true):
        assert time.monotonic() < deadline, "it never was"
        await asyncio.sleep(0.2)


async def test_pods_are_healthy_targets_until_they_go_and_then_drain(
    real_cluster: Cluster, bound: Subject, targets: Targets
) -> None:
    def addresses() -> set[str]:
        return {each["status"]["podIP"] for each in bound.pods("v1") if is_ready(each)}

    await eventually(lambda: targets() == dict.fromkeys(addresses(), "healthy"))
    (victim, *_) = bound.pods("v1")
    gone = victim["status"]["podIP"]
    await real_cluster.client.delete(PODS, bound.namespace, victim["metadata"]["name"])
    await eventually(lambda: targets().get(gone) == "draining")
    await eventually(lambda: len(addresses()) == 3 and targets() == dict.fromkeys(addresses(), "healthy"))


async def test_nodes_and_pods_are_spread_over_three_zones(real_cluster: Cluster, subject: Subject) -> None:
    await subject.create(6)
    nodes = {each["metadata"]["name"]: each for each in await real_cluster.client.list(NODES)}
    assert {each["metadata"]["labels"][ZONE] for each in nodes.values()} == set(SITE.zones)
    for pod in subject.pods("v1"):
        node = nodes[pod["spec"]["nodeName"]]
        assert node["spec"]["providerID"].startswith(f"aws:///{pod['metadata']['labels'][ZONE]}/i-")
    assert {each["metadata"]["labels"][ZONE] for each in subject.pods("v1")} == set(SITE.zones)


async def test_a_pod_that_falls_silent_is_not_ready_until_it_is_revived(
    real_cluster: Cluster, subject: Subject
) -> None:
    await subject.create(1)
    (pod,) = subject.ready("v1")
    real_cluster.site.outages.silence((subject.namespace, pod))
    await subject.until(lambda: not subject.available)
    stored = await real_cluster.client.get(PODS, subject.namespace, pod)
    assert stored["metadata"]["annotations"][READY] == "never"
    real_cluster.site.outages.revive((subject.namespace, pod))
    await subject.until(lambda: subject.available == 1)
    stored = await real_cluster.client.get(PODS, subject.namespace, pod)
    assert READY not in stored["metadata"]["annotations"]


async def test_pods_go_on_when_the_api_server_was_away(
    plane: ControlPlane, real_cluster: Cluster, subject: Subject
) -> None:
    await subject.create(2, startup="3s")
    await subject.patch("v2")
    await subject.until(lambda: subject.sizes == {"v1": 2, "v2": 1})
    plane.parts["kube-apiserver"].kill()
    await asyncio.sleep(4)
    plane.parts["kube-apiserver"].start()
    await asyncio.to_thread(plane.wait_ready)
    await subject.becomes({"v2": 2})
    stored = await real_cluster.client.list(PODS, subject.namespace)
    assert {each["metadata"]["name"] for each in stored if is_ready(each)} >= subject.ready("v2")
