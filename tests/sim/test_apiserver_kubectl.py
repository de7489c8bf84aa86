"""What people do with kubectl, done with kubectl."""

from __future__ import annotations

import asyncio
import json

from saferollout.sim.resources import NODES
from served_cluster import DEPLOYMENTS, PODS, ServedCluster, deployment, pod

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}


async def test_applies_what_is_new_leaves_what_is_the_same_and_changes_what_differs(
    cluster: ServedCluster,
) -> None:
    said = [
        (await cluster.kubectl("apply", "-f", "-", given=[each, SERVICE])).out
        for each in (deployment(), deployment(), deployment(image="web:2"))
    ]
    assert said == [
        "deployment.apps/web created\nservice/web created\n",
        "deployment.apps/web unchanged\nservice/web unchanged\n",
        "deployment.apps/web configured\nservice/web unchanged\n",
    ]


async def test_keeps_what_apply_does_not_mention_and_drops_what_it_no_longer_does(
    cluster: ServedCluster,
) -> None:
    await cluster.kubectl("apply", "-f", "-", given=deployment(minReadySeconds=5))
    await cluster.ask(
        "PATCH", f"{DEPLOYMENTS}/web", {"spec": {"paused": True}}, content_type="application/merge-patch+json"
    )
    applied = await cluster.kubectl("apply", "-f", "-", given=deployment())
    spec = (await cluster.ask("GET", f"{DEPLOYMENTS}/web")).body["spec"]
    assert (applied.code, spec["paused"], "minReadySeconds" in spec) == (0, True, False)


async def test_prints_tables_of_every_type_people_look_at(cluster: ServedCluster) -> None:
    node = {
        "metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "us-east-1a"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    cluster.store.create(NODES, node)
    status = {
        "phase": "Running",
        "podIP": "10.0.0.7",
        "containerStatuses": [{"ready": True, "restartCount": 2}],
    }
    await cluster.ask("POST", PODS, pod("web-1", node="node-1"))
    await cluster.ask("PUT", f"{PODS}/web-1/status", pod("web-1") | {"status": status})
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    await cluster.ask("POST", "/api/v1/namespaces/default/services", SERVICE)
    rows = {
        kind: (await cluster.kubectl("get", kind, "-o", "wide", "--no-headers")).out.split()
        for kind in ("pods", "deployments", "nodes", "services")
    }
    age = rows["pods"].pop(4)
    assert age.endswith("s")
    assert rows["pods"] == ["web-1", "1/1", "Running", "2", "10.0.0.7", "node-1", "<none>", "<none>"]
    assert rows["deployments"][:4] == ["web", "0/3", "0", "0"]
    assert rows["deployments"][5:] == ["web,side", "web:1,side:1", "app=web"]
    assert rows["nodes"][:3] == ["node-1", "Ready", "<none>"]
    assert rows["nodes"][-2] == "us-east-1a"
    assert rows["services"][1] == "ClusterIP"
    assert rows["services"][4] == "80/TCP"


async def test_gets_everything_at_once(cluster: ServedCluster) -> None:
    await cluster.kubectl("apply", "-f", "-", given=[deployment(), SERVICE])
    got = await cluster.kubectl("get", "all", "-o", "name")
    assert set(got.out.split()) == {"service/web", "deployment.apps/web"}


async def test_says_that_there_is_no_such_thing(cluster: ServedCluster) -> None:
    missing = await cluster.kubectl("get", "deployment", "nope")
    assert missing.err == 'Error from server (NotFound): deployments.apps "nope" not found\n'


async def test_diffs_against_what_the_server_would_make_of_it(cluster: ServedCluster) -> None:
    await cluster.kubectl("apply", "-f", "-", given=deployment())
    same = await cluster.kubectl("diff", "-f", "-", given=deployment())
    other = await cluster.kubectl("diff", "-f", "-", given=deployment(image="web:2"))
    assert (same.code, same.out) == (0, "")
    assert other.code == 1
    changed = [
        line[1:].strip(" -").split() for line in other.out.splitlines() if line.startswith(("-  ", "+  "))
    ]
    assert changed == [["generation:", "1"], ["generation:", "2"], ["image:", "web:1"], ["image:", "web:2"]]


async def test_patches_in_all_three_ways(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    image = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:2"}]}}}}
    for kind, patch in (
        ("strategic", image),
        ("merge", {"metadata": {"labels": {"tier": "front"}}}),
        ("json", [{"op": "replace", "path": "/spec/replicas", "value": 7}]),
    ):
        done = await cluster.kubectl("patch", "deployment", "web", "--type", kind, "-p", json.dumps(patch))
        assert done.out == "deployment.apps/web patched\n"
    found = (await cluster.ask("GET", f"{DEPLOYMENTS}/web")).body
    images = [each["image"] for each in found["spec"]["template"]["spec"]["containers"]]
    assert (images, found["metadata"]["labels"], found["spec"]["replicas"]) == (
        ["web:1", "side:2"],
        {"tier": "front"},
        7,
    )


async def test_scales_sets_images_labels_and_annotates(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    for command in (
        ("scale", "deployment/web", "--replicas=9", "--current-replicas=3"),
        ("set", "image", "deployment/web", "web=web:5"),
        ("label", "deployment/web", "tier=front"),
        ("annotate", "deployment/web", "saferollout.dev/action=approve"),
        ("rollout", "restart", "deployment/web"),
    ):
        assert (await cluster.kubectl(*command)).err == ""
    found = (await cluster.ask("GET", f"{DEPLOYMENTS}/web")).body
    template = found["spec"]["template"]
    assert found["spec"]["replicas"] == 9
    assert template["spec"]["containers"][0]["image"] == "web:5"
    assert found["metadata"]["labels"] == {"tier": "front"}
    assert found["metadata"]["annotations"]["saferollout.dev/action"] == "approve"
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


async def test_waits_for_a_condition_that_comes_later(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    waiting = asyncio.create_task(
        cluster.kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=20s")
    )
    await asyncio.sleep(0.3)
    status = {"conditions": [{"type": "Available", "status": "True"}]}
    await cluster.ask("PUT", f"{DEPLOYMENTS}/web/status", deployment() | {"status": status})
    assert (await waiting).out == "deployment.apps/web condition met\n"


async def test_follows_a_rollout_to_its_end(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    following = asyncio.create_task(cluster.kubectl("rollout", "status", "deployment/web", "--timeout=20s"))
    await asyncio.sleep(0.3)
    status = {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    await cluster.ask("PUT", f"{DEPLOYMENTS}/web/status", deployment() | {"status": status})
    assert (await following).out.endswith('deployment "web" successfully rolled out\n')


async def test_watches_rows_as_they_change(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    process = await cluster.start_kubectl("get", "deployments", "-w", "--no-headers")
    assert process.stdout is not None
    try:
        first = await asyncio.wait_for(process.stdout.readline(), 10)
        await cluster.kubectl("scale", "deployment/web", "--replicas=5")
        second = await asyncio.wait_for(process.stdout.readline(), 10)
    finally:
        process.kill()
        await process.wait()
    assert [line.split()[:2] for line in (first, second)] == [[b"web", b"0/3"], [b"web", b"0/5"]]


async def test_deletes_and_waits_for_the_kubelets_last_word(cluster: ServedCluster) -> None:
    await cluster.ask("POST", PODS, pod("web-1", node="node-1"))
    deleting = asyncio.create_task(cluster.kubectl("delete", "pod", "web-1"))
    await asyncio.sleep(0.5)
    status = await cluster.kubectl("get", "pods", "--no-headers")
    assert status.out.split()[2] == "Terminating"
    assert not deleting.done()
    forced = await cluster.kubectl("delete", "pod", "web-1", "--force", "--grace-period=0")
    assert forced.code == 0
    assert (await deleting).out.startswith('pod "web-1" deleted')


async def test_deletes_a_namespace_after_what_is_in_it(cluster: ServedCluster) -> None:
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await cluster.kubectl(
        "apply", "-f", "-", given=[shop, deployment() | {"metadata": {"name": "web", "namespace": "shop"}}]
    )
    held = {"metadata": {"finalizers": ["example.org/hold"]}}
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    await cluster.ask("PATCH", path, held, content_type="application/merge-patch+json")
    await cluster.kubectl("delete", "namespace", "shop", "--wait=false")
    listed = await cluster.kubectl("get", "namespace", "shop", "--no-headers")
    late = await cluster.kubectl("apply", "-n", "shop", "-f", "-", given=SERVICE)
    await cluster.ask(
        "PATCH", path, {"metadata": {"finalizers": None}}, content_type="application/merge-patch+json"
    )
    gone = await cluster.kubectl("get", "namespace", "shop")
    assert listed.out.split()[1] == "Terminating"
    assert "because it is being terminated" in late.err
    assert "NotFound" in gone.err


async def test_describes_with_events(cluster: ServedCluster) -> None:
    created = (await cluster.ask("POST", DEPLOYMENTS, deployment())).body
    event = {
        "metadata": {"name": "web.1"},
        "involvedObject": {
            "kind": "Deployment",
            "name": "web",
            "namespace": "default",
            "uid": created["metadata"]["uid"],
        },
        "type": "Normal",
        "reason": "Released",
        "message": "step 1/3",
    }
    await cluster.ask("POST", "/api/v1/namespaces/default/events", event)
    described = await cluster.kubectl("describe", "deployment", "web")
    assert "Released" in described.out
    assert "step 1/3" in described.out
