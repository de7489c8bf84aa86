"""``saferollout watch`` as a user runs it, on a served cluster in which nobody does anything."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from saferollout.api.crd import custom_resource_definition
from saferollout.api.names import GROUP, PLURAL
from saferollout.sim.resources import DEPLOYMENTS, PODS, REPLICA_SETS, Resource
from saferollout.sim.store import Object
from served_cluster import Outcome, ServedCluster, deployment

PATIENCE = 20.0
ACCOUNT = "arn:aws:elasticloadbalancing:us-east-1:123456789012"


@pytest.fixture
async def shop(cluster: ServedCluster) -> ServedCluster:
    """A Deployment of one serving pod, wrapped, and at rest."""
    await cluster.kubectl("create", "-f", "-", given=custom_resource_definition())
    rollout = {
        "apiVersion": "saferollout.dev/v1alpha1",
        "kind": "SafeRollout",
        "metadata": {"name": "web"},
        "spec": {
            "deploymentRef": {"name": "web"},
            "targetGroups": [{"arn": f"{ACCOUNT}:targetgroup/web/6d0ecf831eec9f09"}],
        },
    }
    made = await cluster.kubectl("create", "-f", "-", given=[deployment(), rollout])
    assert made.code == 0, made.err
    roll(cluster, "old")
    report(cluster, "old", phase="Idle", reason="Complete", message="revision old is complete")
    return cluster


def roll(cluster: ServedCluster, revision: str) -> None:
    """Do the controllers' part: a ReplicaSet of the present template, with one Ready pod."""
    web = cluster.store.get(DEPLOYMENTS, "default", "web")
    labels = {"app": "web", "pod-template-hash": revision}
    template = web["spec"]["template"]
    replica_set = cluster.store.create(
        REPLICA_SETS,
        {
            "metadata": {
                "namespace": "default",
                "name": f"web-{revision}",
                "labels": labels,
                "ownerReferences": [owner("Deployment", web)],
            },
            "spec": {"replicas": 1, "template": template | {"metadata": {"labels": labels}}},
        },
    )
    cluster.store.create(
        PODS,
        {
            "metadata": {
                "namespace": "default",
                "name": f"web-{revision}-1",
                "labels": labels | {"topology.kubernetes.io/zone": "us-east-1a"},
                "ownerReferences": [owner("ReplicaSet", replica_set)],
            },
            "spec": {"nodeName": "n1", "containers": [{"name": "web"}]},
            "status": {
                "phase": "Running",
                "conditions": [
                    {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                ],
            },
        },
    )
    generation = {"observedGeneration": web["metadata"]["generation"]}
    cluster.store.update_status(DEPLOYMENTS, {**web, "status": generation})


def owner(kind: str, of: Object) -> Object:
    meta = of["metadata"]
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def rollouts(cluster: ServedCluster) -> Resource:
    return cluster.store.resource(GROUP, PLURAL)


def report(cluster: ServedCluster, target: str, **status: Any) -> None:
    """Do the operator's part."""
    web = cluster.store.get(rollouts(cluster), "default", "web")
    written = {
        "observedGeneration": web["metadata"]["generation"],
        "revision": {"stable": "old", "target": target},
        "zones": [{"name": "us-east-1a", "serving": 1, "updated": 1}],
        "summary": {"step": "1/1", "updated": "1/1", "zones": "1a=1"},
    }
    cluster.store.update_status(rollouts(cluster), {**web, "status": written | status})


@asynccontextmanager
async def watching(cluster: ServedCluster, *arguments: str) -> AsyncIterator[Process]:
    process = await start(cluster.kubeconfig, *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def start(kubeconfig: Path, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "saferollout", "watch", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
    )


async def watch(kubeconfig: Path, *arguments: str) -> Outcome:
    """Run it to its end."""
    process = await start(kubeconfig, *arguments)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return Outcome(process.returncode or 0, out.decode(), err.decode())


async def line(process: Process) -> str:
    """Read the next line without its time of day."""
    assert process.stdout is not None
    read = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    return read.decode().strip().partition("  ")[2]


async def ended(process: Process) -> int:
    return await asyncio.wait_for(process.wait(), PATIENCE)


async def test_it_shows_a_rollout_at_rest_in_one_line_and_ends(shop: ServedCluster) -> None:
    seen = await watch(shop.kubeconfig, "web", "--once")
    assert seen.code == 0, seen.err
    assert seen.out.partition("  ")[2] == "Idle  step 1/1  1a=1  Complete  revision old is complete\n"


async def test_it_draws_the_picture_when_told_to(shop: ServedCluster) -> None:
    seen = await watch(shop.kubeconfig, "web", "--once", "-o", "live")
    assert "us-east-1a" in seen.out
    assert "●" in seen.out


async def test_json_is_one_object_on_one_line(shop: ServedCluster) -> None:
    seen = await watch(shop.kubeconfig, "web", "--once", "-o", "json")
    (written,) = seen.out.splitlines()
    record = json.loads(written)
    assert (record["done"], record["status"]["reason"]) == (True, "Complete")
    assert record["zones"][0]["marks"] == [{"pod": "web-old-1", "new": True, "state": "serving"}]


async def test_kubectl_finds_it_as_a_plugin(shop: ServedCluster) -> None:
    command = Path(sys.executable).with_name("kubectl-saferollout")
    assert command.exists()
    process = await shop.start_kubectl("saferollout", "watch", "web", "--once", "-n", "default")
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert b"Idle  step 1/1" in out, err


async def test_until_done_does_not_end_before_the_operator_has_noticed_the_new_template(
    shop: ServedCluster,
) -> None:
    await shop.kubectl("set", "image", "deployment/web", "web=web:2")
    async with watching(shop, "web", "--until-done") as process:
        assert "revision old is complete" in await line(process)
        roll(shop, "new")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 1.5)
        report(shop, "new", phase="Progressing", reason="WaitingForHealth", message="0 of 1 new pods serve")
        assert await line(process) == "Progressing  step 1/1  1a=1  WaitingForHealth  0 of 1 new pods serve"
        report(shop, "new", phase="Idle", reason="Complete", message="revision new is complete")
        assert await ended(process) == 0


async def test_until_done_ends_with_1_when_the_rollout_cannot_go_on(shop: ServedCluster) -> None:
    report(shop, "old", phase="Degraded", reason="AccessDenied", message="allow it")
    seen = await watch(shop.kubeconfig, "web", "--until-done")
    assert (seen.code, "AccessDenied" in seen.out) == (1, True)


async def test_it_ends_with_3_when_the_saferollout_is_deleted_meanwhile(shop: ServedCluster) -> None:
    async with watching(shop, "web") as process:
        assert "Complete" in await line(process)
        shop.store.remove(rollouts(shop), "default", "web")
        assert await ended(process) == 3
        assert process.stderr is not None
        assert b"SafeRollout web in namespace default has been deleted" in await process.stderr.read()


async def test_a_saferollout_that_does_not_exist_ends_with_3_and_a_sentence(shop: ServedCluster) -> None:
    seen = await watch(shop.kubeconfig, "nothing", "-n", "default")
    assert (seen.code, seen.out) == (3, "")
    assert seen.err == "error: there is no SafeRollout nothing in namespace default\n"


async def test_a_cluster_without_the_definition_ends_with_3_and_says_so(cluster: ServedCluster) -> None:
    seen = await watch(cluster.kubeconfig, "web")
    assert seen.code == 3
    assert "install the CustomResourceDefinition" in seen.err


async def test_a_cluster_that_is_not_there_ends_with_4_and_a_sentence(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    missing = await watch(kubeconfig, "web")
    assert (missing.code, missing.err) == (
        4,
        "error: no cluster is known: set KUBECONFIG\n",
    )
    wrong = await watch(kubeconfig, "web", "--kubeconfig", str(kubeconfig))
    assert wrong.code == 4
    assert "the kubeconfig is of no use" in wrong.err


async def test_a_server_that_does_not_listen_ends_with_4_and_a_sentence(cluster: ServedCluster) -> None:
    text = cluster.kubeconfig.read_text().replace(cluster.url, "http://127.0.0.1:9")
    cluster.kubeconfig.write_text(text)
    seen = await watch(cluster.kubeconfig, "web")
    assert seen.code == 4
    assert seen.err.startswith("error: the Kubernetes API at http://127.0.0.1:9 cannot be reached:")


async def test_a_signal_ends_it_as_shells_expect(shop: ServedCluster) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        async with watching(shop, "web") as process:
            assert "Complete" in await line(process)
            process.send_signal(number)
            assert await ended(process) == 128 + number
            assert process.stderr is not None
            assert await process.stderr.read() == b""
