"""The client libraries and kopf, as they come.

Their types ask for models where they take manifests too, and say of every field that it may be absent.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import kopf
import pytest
from kubernetes import client, config, watch
from kubernetes.aio import client as aio_client
from kubernetes.aio import config as aio_config

from served_cluster import WIDGET_DEFINITION, WIDGETS, ServedCluster, config_map, deployment, widget


async def test_the_client_creates_reads_replaces_patches_and_deletes(cluster: ServedCluster) -> None:
    def use(apps: Any) -> list[int]:
        created = apps.create_namespaced_deployment("default", deployment())
        created.spec.replicas = 5
        replaced = apps.replace_namespaced_deployment("web", "default", created)
        patched = apps.patch_namespaced_deployment("web", "default", {"spec": {"replicas": 6}})
        with pytest.raises(client.ApiException, match="Conflict"):
            apps.replace_namespaced_deployment("web", "default", created)
        scale = apps.read_namespaced_deployment_scale("web", "default")
        apps.delete_namespaced_deployment("web", "default")
        assert apps.list_namespaced_deployment("default").items == []
        return [each.spec.replicas for each in (replaced, patched, scale)]

    api_client = config.new_client_from_config(str(cluster.kubeconfig))
    assert await asyncio.to_thread(use, client.AppsV1Api(api_client)) == [5, 6, 6]


async def test_the_client_pages_and_watches(cluster: ServedCluster) -> None:
    def use(core: Any) -> tuple[list[str], list[tuple[str, str]]]:
        for number in range(3):
            core.create_namespaced_config_map("default", config_map(f"c{number}"))
        page = core.list_namespaced_config_map("default", limit=2)
        rest = core.list_namespaced_config_map("default", limit=2, _continue=page.metadata._continue)
        core.delete_namespaced_config_map("c1", "default")
        stream = watch.Watch().stream(
            core.list_namespaced_config_map,
            "default",
            resource_version=rest.metadata.resource_version,
            timeout_seconds=1,
        )
        seen = [(each["type"], each["object"].metadata.name) for each in stream]
        return [each.metadata.name for each in (*page.items, *rest.items)], seen

    api_client = config.new_client_from_config(str(cluster.kubeconfig))
    names, seen = await asyncio.to_thread(use, client.CoreV1Api(api_client))
    assert names == ["c0", "c1", "c2"]
    assert seen == [("DELETED", "c1")]


async def test_the_asyncio_client_holds_a_lease(cluster: ServedCluster) -> None:
    async with await aio_config.new_client_from_config(str(cluster.kubeconfig)) as api_client:
        leases: Any = aio_client.CoordinationV1Api(api_client)
        spec = {"holderIdentity": "me", "leaseDurationSeconds": 15}
        held = await leases.create_namespaced_lease("default", {"metadata": {"name": "op"}, "spec": spec})
        held.spec.holder_identity = "you"
        taken = await leases.replace_namespaced_lease("op", "default", held)
        with pytest.raises(aio_client.ApiException) as refused:
            await leases.replace_namespaced_lease("op", "default", held)
    assert (taken.spec.holder_identity, refused.value.status) == ("you", 409)


async def test_a_kopf_daemon_starts_with_its_object_and_ends_with_it(cluster: ServedCluster) -> None:
    registry = kopf.OperatorRegistry()
    begun, ended = asyncio.Event(), asyncio.Event()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=cluster.url)

    @kopf.daemon("example.org", "v1", "widgets", registry=registry)
    async def follow(stopped: kopf.DaemonStopped, body: kopf.Body, **_: Any) -> None:
        kopf.event(body, type="Normal", reason="Following", message="from now on")
        begun.set()
        await stopped.wait()
        ended.set()

    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await cluster.ask("POST", definitions, WIDGET_DEFINITION)
    ready, stop = asyncio.Event(), asyncio.Event()
    settings = kopf.OperatorSettings()
    running = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=settings,
            ready_flag=ready,
            stop_flag=stop,
            namespaces=["default"],
            standalone=True,
        )
    )
    try:
        await asyncio.wait_for(ready.wait(), 10)
        await cluster.ask("POST", WIDGETS, widget())
        created_at = time.monotonic()
        await asyncio.wait_for(begun.wait(), 10)
        assert time.monotonic() - created_at < 2
        deleted = await cluster.kubectl("delete", "widget", "one")
        await asyncio.wait_for(ended.wait(), 10)
        assert deleted.out.startswith('widget.example.org "one" deleted')
    finally:
        stop.set()
        await running
    events = await cluster.ask("GET", "/api/v1/namespaces/default/events")
    assert [each["reason"] for each in events.body["items"]] == ["Following"]
