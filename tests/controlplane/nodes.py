"""Nodes that a real control plane believes in: made, and ready.

They renew no lease: which of them falls silent, and when, is the site's to say (`saferollout.sim.outages`).
The controllers are told not to find out by themselves (`controlplane.flags`).
"""

from __future__ import annotations

import asyncio

from controlplane.client import Client
from saferollout.sim.nodes import new_node
from saferollout.sim.resources import NODES
from saferollout.sim.world import WorldConfig

WAKES = 30.0
"""Seconds in which the control plane takes the taints off nodes that are new."""


async def join(client: Client, config: WorldConfig) -> None:
    """Create the nodes of a site, and have them Ready."""
    for zone in config.zones:
        for number in range(1, config.nodes_per_zone + 1):
            name = f"{zone}-{number}"
            node = new_node(name, zone, pods=config.pods_per_node)
            await client.create(NODES, node)
            await client.patch(NODES, None, name, "status", change={"status": node["status"]})


async def schedulable(client: Client) -> None:
    """Wait until no node has a taint."""
    async with asyncio.timeout(WAKES):
        while any(node["spec"].get("taints") for node in await client.list(NODES)):  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(0.2)
