"""Nodes that a real control plane believes in: made, ready, and renewing their leases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp

from controlplane.client import Client
from saferollout.sim.errors import ApiError
from saferollout.sim.nodes import new_node
from saferollout.sim.resources import LEASES, NODES
from saferollout.sim.store import Object
from saferollout.sim.world import WorldConfig

LEASE_NAMESPACE = "kube-node-lease"
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
            for lease in await client.list(LEASES, LEASE_NAMESPACE):
                name = lease["metadata"]["name"]
                await client.patch(LEASES, LEASE_NAMESPACE, name, change={"spec": {"renewTime": _now()}})
        except (ApiError, aiohttp.ClientError, TimeoutError):
            continue  # the API server is away; the next heartbeat will do


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
