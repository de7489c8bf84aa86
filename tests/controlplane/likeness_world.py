"""The two clusters that are held against each other, behind one face: the hand that operations move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from controlplane.client import Client
from controlplane.likeness_scene import Pod, Scene
from saferollout.sim.controllers import Controllers
from saferollout.sim.objects import conditions_of, with_annotations, with_metadata, with_spec
from saferollout.sim.resources import DEPLOYMENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS
from saferollout.sim.store import Object, Store
from saferollout.sim.timeline import Timeline

NODES = tuple(f"us-east-1{zone}-{number}" for zone in "abc" for number in (1, 2))
"""Where pods can be."""

QUIET = 0.8
"""Seconds without a change, when all is reported, that make a quiet point of the real controllers."""

PATIENCE = 90.0
"""Seconds in which a quiet point must have come."""

_SETTLED = 10.0
"""Seconds of virtual time that the embedded controllers are given: they take tenths of one."""


class World(Protocol):
    """One Deployment in a cluster, and the hand that changes it. ``began`` is in seconds since the epoch."""

    scene: Scene
    began: float

    async def create(self, deployment: Object) -> None:
        """Create the Deployment."""

    async def patch(self, spec: Mapping[str, Any]) -> None:
        """Replace entries of the Deployment's spec, in one write."""

    async def bind(self, pod: Pod, node: int, annotations: Mapping[str, str]) -> None:
        """Give a pod one of `NODES`, counted around, and annotations with it."""

    async def report(self, pod: Pod, status: Object) -> None:
        """Write a pod's status as a kubelet does."""

    async def annotate(self, pod: Pod, name: str, value: str) -> None:
        """Annotate a pod."""

    async def delete(self, pod: Pod) -> None:
        """Delete a pod."""

    async def settle(self) -> None:
        """Let the controllers do what they do until there is nothing left to do.

        Raises:
            AssertionError: They do not come to rest.
        """


class Embedded:
    """The Deployment among the embedded controllers, in virtual time."""

    def __init__(self, seed: int = 0) -> None:
        self.scene = Scene()
        self.began = 1_700_000_000.0
        self._timeline = Timeline(self.began)
        self._store = Store(self._timeline, seed=seed)
        self._store.subscribe(self.scene.observe)
        self._controllers = Controllers(self._store, self._timeline)

    async def create(self, deployment: Object) -> None:
        """Create the Deployment."""
        self._deployment = self._store.create(DEPLOYMENTS, with_metadata(deployment, namespace="likeness"))

    async def patch(self, spec: Mapping[str, Any]) -> None:
        """Replace entries of its spec."""
        name = self._deployment["metadata"]["name"]
        current = self._store.get(DEPLOYMENTS, "likeness", name)
        self._store.update(DEPLOYMENTS, with_spec(current, **spec))

    async def bind(self, pod: Pod, node: int, annotations: Mapping[str, str]) -> None:
        """Bind a pod."""
        bound = with_spec(self._stored(pod), nodeName=NODES[node % len(NODES)])
        self._store.update(PODS, with_annotations(bound, annotations))

    async def report(self, pod: Pod, status: Object) -> None:
        """Write a pod's status, conditions merged by type."""
        stored = self._stored(pod)
        said = {each["type"]: each for each in (*conditions_of(stored), *status.get("conditions", ()))}
        merged = {**stored["status"], **status, "conditions": [*said.values()]}
        self._store.update_status(PODS, {**stored, "status": merged})

    async def annotate(self, pod: Pod, name: str, value: str) -> None:
        """Annotate a pod."""
        self._store.update(PODS, with_annotations(self._stored(pod), {name: value}))

    async def delete(self, pod: Pod) -> None:
        """Delete a pod."""
        self._store.delete(PODS, "likeness", pod.name)

    async def settle(self) -> None:
        """Let time pass."""
        self._timeline.run_until(self._timeline.now + _SETTLED)
        assert self.scene.is_quiet(self._timeline.now), "the embedded controllers have not come to rest"

    def _stored(self, pod: Pod) -> Object:
        return self._store.get(PODS, "likeness", pod.name)


class Released:
    """The Deployment among the released controllers, in a namespace to itself."""

    def __init__(self, client: Client, namespace: str, scene: Scene) -> None:
        self.scene = scene
        self.began = float(int(time.time()))
        self._client = client
        self._namespace = namespace
        self._written: list[Object] = []

    async def create(self, deployment: Object) -> None:
        """Create the namespace, and the Deployment when there is the service account that its pods need."""
        await self._client.create(NAMESPACES, {"metadata": {"name": self._namespace}})
        while not await self._client.list(SERVICE_ACCOUNTS, self._namespace):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
        mine = with_metadata(deployment, namespace=self._namespace)
        self._deployment = await self._client.create(DEPLOYMENTS, mine)
        self._written = [self._deployment]

    async def patch(self, spec: Mapping[str, Any]) -> None:
        """Replace entries of its spec, but not in the second in which the newest ReplicaSet was made.

        Two of the same second would be told apart by their names, which are hashes.
        """
        await asyncio.sleep(max(0.0, self.scene.newest + 1.0 - time.time()))
        name = self._deployment["metadata"]["name"]
        written = await self._client.patch(DEPLOYMENTS, self._namespace, name, change={"spec": spec})
        self._written.append(written)

    async def bind(self, pod: Pod, node: int, annotations: Mapping[str, str]) -> None:
        """Bind a pod."""
        target = {"apiVersion": "v1", "kind": "Node", "name": NODES[node % len(NODES)]}
        metadata = {"name": pod.name, "namespace": self._namespace, "annotations": annotations}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        await self._client.create(PODS, binding, pod.name, "binding")

    async def report(self, pod: Pod, status: Object) -> None:
        """Write a pod's status."""
        await self._change(pod, "status", change={"status": status})

    async def annotate(self, pod: Pod, name: str, value: str) -> None:
        """Annotate a pod."""
        await self._change(pod, change={"metadata": {"annotations": {name: value}}})

    async def delete(self, pod: Pod) -> None:
        """Delete a pod, and wait until that is seen."""
        await self._client.delete(PODS, self._namespace, pod.name)
        await self._until(lambda: all(each.name != pod.name for each in self.scene.pods), "it is still there")

    async def settle(self) -> None:
        """Wait for a quiet point."""
        seen, since = self.scene.changed, time.monotonic()

        def quiet() -> bool:
            nonlocal seen, since
            if self.scene.changed != seen:
                seen, since = self.scene.changed, time.monotonic()
            return time.monotonic() - since >= QUIET and self.scene.is_quiet(time.time())

        await self._until(lambda: all(map(self.scene.has_seen, self._written)), "writes were not seen")
        self._written.clear()
        await self._until(quiet, f"no rest in {self._namespace}: {self.scene.sizes}")

    async def _change(self, pod: Pod, *rest: str, change: Object) -> None:
        name = (self._namespace, pod.name, *rest)
        self._written.append(await self._client.patch(PODS, *name, change=change, kind="strategic-merge"))

    async def _until(self, true: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, complaint
            await asyncio.sleep(0.05)
