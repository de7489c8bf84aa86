"""Nodes in zones that a real control plane believes in: made, ready, and renewing their leases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp

from controlplane.client import Client
from saferollout.sim.errors import ApiError
from saferollout.sim.resources import LEASES, NODES
from saferollout.sim.store import Object

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
LEASE_NAMESPACE = "kube-node-lease"
HEARTBEAT = 10.0
"""Seconds between renewals, as a kubelet's; after forty the node counts as gone."""


async def join(client: Client, *, zones: tuple[str, ...] = ZONES, per_zone: int = 1, pods: int = 110) -> None:
    """Create nodes that have room for that many pods each, and have them Ready."""
    for zone in zones:
        for number in range(per_zone):
            name = f"node-{zone[-1]}{number}"
            await client.create(NODES, _node(name, zone))
            await client.patch(NODES, None, name, "status", change={"status": _status(pods)})
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


async def stop(client: Client, name: str) -> None:
    """Let a node fall silent: no heartbeat comes of it any more."""
    try:
        await client.delete(LEASES, LEASE_NAMESPACE, name)
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _node(name: str, zone: str) -> Object:
    labels = {
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": zone[:-1],
    }
    instance = f"i-{name.encode().hex():0>17}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"aws:///{zone}/{instance}"},
    }


def _status(pods: int) -> Object:
    resources = {"cpu": "64", "memory": "256Gi", "pods": str(pods)}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "lastTransitionTime": _now()[:-8] + "Z",
    }
    return {"capacity": resources, "allocatable": resources, "conditions": [ready]}


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
