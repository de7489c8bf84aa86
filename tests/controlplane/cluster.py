"""A real control plane with what is around it: nodes, load balancers, and those who use them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controlplane import nodes
from controlplane.client import Client
from controlplane.mirror import Mirror
from controlplane.plane import ControlPlane
from saferollout.sim.loopback import serving
from saferollout.sim.resources import CUSTOM_RESOURCE_DEFINITIONS, NODES, PODS, REPLICA_SETS, SERVICES
from saferollout.sim.serve import elb_application
from saferollout.sim.target_group_bindings import DEFINITION, TARGET_GROUP_BINDINGS
from saferollout.sim.timeline import Timeline
from saferollout.sim.world import Site, WorldConfig


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a test needs of a cluster.

    ``mirror`` shows pods, nodes and ReplicaSets as they are now; ``elb`` is the URL of the ELBv2 endpoint,
    and of the control routes of ``site``.
    """

    client: Client
    mirror: Mirror
    site: Site
    elb: str


@asynccontextmanager
async def running(plane: ControlPlane, config: WorldConfig) -> AsyncIterator[Cluster]:
    """Give a control plane nodes, run the pods that it binds to them, and register them as targets.

    It is the embedded cluster's own site, on the real cluster. ``config.speed`` shortens what is the site's
    (start-up, health checks, draining), and nothing that is the control plane's.
    """
    timeline = Timeline(time.time(), speed=config.speed)
    followed = (NODES, PODS, REPLICA_SETS, SERVICES, TARGET_GROUP_BINDINGS)
    async with Client(plane) as client:
        await client.create(CUSTOM_RESOURCE_DEFINITIONS, DEFINITION)
        await nodes.join(client, config)
        mirror = Mirror(timeline, client, followed)
        site = Site(config, mirror)
        tasks = [asyncio.create_task(each) for each in (timeline.drive(), mirror.follow())]
        try:
            async with serving(elb_application(site)) as elb:
                yield Cluster(client, mirror, site, elb)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome
