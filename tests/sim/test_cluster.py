"""The caches together: ways between objects, who is woken, and the snapshot made of it all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

import kube_objects as raw
from kube_endpoint import KubeEndpoint, client, status, until
from saferollout.api.reasons import Reason
from saferollout.decide.answers import Target, TargetGroup, TargetState
from saferollout.decide.memory import Draining, Memory
from saferollout.decide.observation import Observation, Problem
from saferollout.decide.policy import Policy
from saferollout.observe.cluster import Cluster
from saferollout.observe.snapshot import snapshot
from saferollout.sim.loopback import serving

DEPLOYMENTS, REPLICA_SETS = "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets"
PODS, NODES = "/api/v1/pods", "/api/v1/nodes"


@pytest.fixture
def endpoint() -> KubeEndpoint:
    endpoint = KubeEndpoint()
    endpoint.put(NODES, raw.node("n1", "a"), raw.node("n2", None))
    endpoint.put(DEPLOYMENTS, raw.deployment())
    endpoint.put(REPLICA_SETS, raw.replica_set("a"), raw.replica_set("other", owner="uid-other"))
    endpoint.put(PODS, raw.pod("p1"), raw.pod("p2", "uid-other", ip="10.0.0.2"))
    return endpoint


@pytest.fixture
async def cluster(endpoint: KubeEndpoint) -> AsyncIterator[Cluster]:
    async with serving(endpoint.application()) as host, client(host) as api:
        cluster = Cluster(api)
        task = asyncio.create_task(cluster.run())
        await asyncio.wait_for(cluster.synced(), 15)
        await until(lambda: cluster.gap is None)
        yield cluster
        task.cancel()
        await asyncio.wait([task])


def looking(cluster: Cluster, begun: Observation | None = None, name: str = "web") -> Observation:
    return snapshot(cluster, "shop", name, begun or Observation(now=time.time(), name="web", policy=Policy()))


async def test_a_deployment_is_found_with_what_it_controls(cluster: Cluster) -> None:
    seen = looking(cluster)
    assert seen.deployment is not None
    assert seen.deployment.uid == "uid-web"
    assert [each.name for each in seen.replica_sets] == ["a"]
    assert [each.name for each in seen.pods] == ["p1"]
    assert seen.problems == ()


async def test_a_pod_is_in_the_zone_of_its_node_unless_it_knows_its_own(
    endpoint: KubeEndpoint, cluster: Cluster
) -> None:
    own = raw.pod("q1", metadata={"labels": {"topology.kubernetes.io/zone": "own"}})
    endpoint.put(PODS, own, raw.pod("q2", nodeName="n2"), raw.pod("q3", nodeName="n3"))
    await until(lambda: len(looking(cluster).pods) == 4)
    assert {each.name: each.zone for each in looking(cluster).pods} == {
        "p1": "a",
        "q1": "own",
        "q2": None,
        "q3": None,
    }


async def test_an_address_is_that_of_the_live_pod_that_has_it(
    endpoint: KubeEndpoint, cluster: Cluster
) -> None:
    terminating = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    endpoint.put(PODS, raw.pod("p1", metadata=terminating))
    endpoint.put(PODS, raw.pod("heir", None), raw.pod("guest", "uid-other", ip="10.9.9.9", hostNetwork=True))
    endpoint.delete(PODS, "uid-p1")
    endpoint.put(PODS, raw.pod("last", None, ip="10.0.0.3"))
    await until(lambda: cluster.pod_at("10.0.0.3") is not None)
    heir = cluster.pod_at("10.0.0.1")
    assert heir is not None
    assert heir.name == "heir", "not lost when its predecessor goes"
    assert cluster.pod_at("10.9.9.9") is None, "a Node's address is no pod's"


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (DEPLOYMENTS, raw.deployment(paused=True)),
        (REPLICA_SETS, raw.replica_set("a", replicas=4)),
        (REPLICA_SETS, raw.replica_set("b", image="web:2")),
        (PODS, raw.pod("p1", ip="10.0.0.7")),
        (PODS, raw.pod("p9")),
    ],
)
async def test_whoever_watches_a_deployment_is_woken_by_what_concerns_it(
    path: str, changed: raw.Raw, endpoint: KubeEndpoint, cluster: Cluster
) -> None:
    with cluster.waking("shop", "web") as wake, cluster.waking("shop", "web") as another:
        endpoint.put(path, changed)
        await asyncio.wait_for(wake.wait(), 15)
        assert another.is_set()


@pytest.mark.parametrize(
    ("path", "uid"), [(PODS, "uid-p1"), (REPLICA_SETS, "uid-a"), (DEPLOYMENTS, "uid-web")]
)
async def test_a_deletion_wakes_too(path: str, uid: str, endpoint: KubeEndpoint, cluster: Cluster) -> None:
    with cluster.waking("shop", "web") as wake:
        endpoint.delete(path, uid)
        await asyncio.wait_for(wake.wait(), 15)


async def test_nobody_is_woken_by_what_is_not_his(endpoint: KubeEndpoint, cluster: Cluster) -> None:
    with cluster.waking("shop", "web") as wake:
        endpoint.put(DEPLOYMENTS, raw.deployment("another"))
        endpoint.put(REPLICA_SETS, raw.replica_set("other", owner="uid-other", replicas=9))
        endpoint.put(PODS, raw.pod("p2", "uid-other", ip="10.0.0.8"), raw.pod("p7", None, ip="10.0.0.9"))
        await until(lambda: cluster.pod_at("10.0.0.9") is not None)
        assert not wake.is_set()


async def test_a_deployment_that_is_not_there_is_a_problem(cluster: Cluster) -> None:
    begun = Observation(1e9, "web", Policy(), problems=(Problem(Reason.INVALID_SPEC, "before"),))
    found = looking(cluster, begun, "missing").problems
    assert [problem.reason for problem in found] == [Reason.INVALID_SPEC, Reason.DEPLOYMENT_NOT_FOUND]
    assert "shop/missing" in found[1].message


async def test_caches_that_lost_touch_are_a_problem_after_a_while(
    endpoint: KubeEndpoint, cluster: Cluster
) -> None:
    endpoint.refusals.extend(web.json_response(status(403, "forbidden"), status=403) for _ in range(100))
    endpoint.disconnect()
    await until(lambda: cluster.gap is not None and "403" in cluster.gap.trouble)
    assert looking(cluster).problems == ()
    later = Observation(time.time() + 10, "web", Policy())
    (problem,) = looking(cluster, later).problems
    assert problem.reason is Reason.CACHE_STALE
    assert "403 forbidden" in problem.message


async def test_nothing_is_called_missing_before_everything_has_been_listed() -> None:
    async with client("http://127.0.0.1:1") as api:
        (problem,) = looking(Cluster(api)).problems
        assert problem.reason is Reason.CACHE_STALE


async def test_namespaces_can_be_chosen(endpoint: KubeEndpoint) -> None:
    async with serving(endpoint.application()) as host, client(host) as api:
        task = asyncio.create_task((cluster := Cluster(api, ["shop", "pay"])).run())
        await asyncio.wait_for(cluster.synced(), 15)
        task.cancel()
    assert {path for path, _ in endpoint.requests} >= {
        "/apis/apps/v1/namespaces/shop/deployments",
        "/apis/apps/v1/namespaces/pay/replicasets",
        "/api/v1/namespaces/pay/pods",
        "/api/v1/nodes",
    }


async def test_draining_targets_at_addresses_of_others_are_told_apart(cluster: Cluster) -> None:
    def draining(address: str) -> Target:
        return Target(address, 80, TargetState.DRAINING)

    own, others, nobodys = "10.0.0.1", "10.0.0.2", "10.0.0.99"
    begun = Observation(
        now=time.time(),
        name="web",
        policy=Policy(),
        target_groups=(TargetGroup("arn", "web", targets=(draining(own), draining(nobodys))),),
        memory=Memory(draining=(Draining("arn", others, 80, "gone", None, 0.0),)),
    )
    assert looking(cluster, begun).foreign == {others}


async def test_a_pod_whose_zone_nobody_tells_is_where_elbv2_takes_it_to_be(
    endpoint: KubeEndpoint, cluster: Cluster
) -> None:
    def zone(*targets: Target, kind: str = "ip") -> str | None:
        group = TargetGroup("arn:tg", "tg", kind, targets, asked_at=time.time())
        begun = Observation(now=time.time(), name="web", policy=Policy(), target_groups=(group,))
        return looking(cluster, begun).pods[0].zone

    (there,) = looking(cluster).pods
    known = Target(there.ip or "", 8080, TargetState.HEALTHY, zone="b")
    assert zone(known) == "a", "its Node tells"
    endpoint.delete(NODES, raw.node("n1", "a")["metadata"]["uid"])
    await until(lambda: looking(cluster).pods[0].zone is None)
    assert zone(known) == "b"
    assert zone(Target("10.9.9.9", 8080, TargetState.HEALTHY, zone="b")) is None
    assert zone(known, kind="instance") is None
