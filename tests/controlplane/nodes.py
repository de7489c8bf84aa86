"""Nodes that a real control plane believes in: made, ready, and renewing their leases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp

from controlplane.client import Client
from saferollout.sim.errors import ApiError
from saferollout.sim.nodes import new_node
from saferollout.sim.objects import condition_of
from saferollout.sim.resources import LEASES, NODES
from saferollout.sim.store import Object
from saferollout.sim.world import WorldConfig

LEASE_NAMESPACE = "kube-node-lease"
WAKES = 30.0
"""Seconds in which the control plane takes the taints off nodes that are back."""

HEARTBEAT = 10.0
"""Seconds between renewals, as a kubelet's; after fifty without one a node counts as gone."""


async def join(client: Client, config: WorldConfig) -> None:
    """Create the nodes of a site, and have them Ready."""
    for zone in config.zones:
        for number in range(1, config.nodes_per_zone + 1):
            name = f"{zone}-{number}"
            node = new_node(name, zone, pods=config.pods_per_node)
            await client.create(NODES, node)
            await client.patch(NODES, None, name, "status", change={"status": node["status"]})
            await client.create(LEASES, _lease(name))


async def keep_alive(client: Client) -> None:
    """Renew the lease of every node that joined, until cancelled."""
    while True:
        await asyncio.sleep(HEARTBEAT)
        try:
            await _renew(client)
        except (ApiError, aiohttp.ClientError, TimeoutError):
            continue  # the API server is away; the next heartbeat will do


async def awake(client: Client) -> None:
    """Have every node Ready and without a taint.

    Between the tests of one event loop those of others run, and nobody renews the leases meanwhile.
    """
    await _renew(client)
    for node in await client.list(NODES):
        ready = condition_of(node, "Ready")
        if ready is None or ready["status"] != "True":
            status = {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}
            await client.patch(
                NODES,
                None,
                node["metadata"]["name"],
                "status",
                change={"status": status},
                kind="strategic-merge",
            )
    async with asyncio.timeout(WAKES):
        while any(node["spec"].get("taints") for node in await client.list(NODES)):  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(0.2)


async def _renew(client: Client) -> None:
    for lease in await client.list(LEASES, LEASE_NAMESPACE):
        name = lease["metadata"]["name"]
        await client.patch(LEASES, LEASE_NAMESPACE, name, change={"spec": {"renewTime": _now()}})


def _lease(name: str) -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": LEASE_NAMESPACE},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": _now()},
    }


def _now() -> str:
    """The time as leases have it, with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
