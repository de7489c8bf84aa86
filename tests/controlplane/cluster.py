"""A real control plane with nodes: the embedded cluster's own kubelet runs its pods."""

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
from saferollout.sim.kubelet import Kubelet
from saferollout.sim.resources import NODES, PODS, REPLICA_SETS, Resource
from saferollout.sim.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a test needs of a cluster: a client, what is there now, and the kubelets to make trouble with."""

    client: Client
    mirror: Mirror
    kubelet: Kubelet


@asynccontextmanager
async def running(
    plane: ControlPlane, *, speed: float = 1.0, followed: tuple[Resource, ...] = (NODES, PODS, REPLICA_SETS)
) -> AsyncIterator[Cluster]:
    """Give a control plane nodes, and run the pods that it binds to them.

    ``speed`` shortens what is the kubelet's (start-up, grace), and nothing that is the control plane's.
    ``followed`` are the types that the mirror shows.
    """
    timeline = Timeline(time.time(), speed=speed)
    async with Client(plane) as client:
        mirror = Mirror(timeline, client, followed)
        kubelet = Kubelet(mirror, timeline)
        await nodes.join(client)
        tasks = [
            asyncio.create_task(each)
            for each in (timeline.drive(), mirror.follow(), nodes.keep_alive(client))
        ]
        try:
            yield Cluster(client, mirror, kubelet)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome
