"""A Deployment as the tests of the real controllers see it: how many pods each template has, and had."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from controlplane.client import Client
from controlplane.mirror import Mirror
from saferollout.sim.objects import condition_of, controller_uid, is_deleting
from saferollout.sim.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from saferollout.sim.store import Change, Object
from saferollout.sim.workload import STARTUP

Sizes = dict[str, int]
"""Pods wanted by image tag, oldest template first, without the empty ones: ``{"v1": 4, "v2": 2}``."""

NAME = "web"
PATIENCE = 30.0
"""Seconds in which an expected state must have come about."""


class Subject:
    """One Deployment, in a namespace to itself. Its templates differ by the tag of their image."""

    def __init__(self, client: Client, mirror: Mirror, namespace: str) -> None:
        self.namespace = namespace
        self.history: list[Sizes] = []
        self._client = client
        self._mirror = mirror
        mirror.subscribe(self._record)

    async def create(
        self, replicas: int, *, surge: int = 1, unavailable: int = 0, startup: str = "1s"
    ) -> None:
        """Create the Deployment with template ``v1`` and wait until every pod is available."""
        labels = {"app": NAME}
        pods = {
            "metadata": {"labels": labels, "annotations": {STARTUP: startup}},
            "spec": {
                "containers": [{"name": NAME, "image": f"{NAME}:v1"}],
                "terminationGracePeriodSeconds": 1,
            },
        }
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
            "template": pods,
        }
        metadata = {"name": NAME, "namespace": self.namespace}
        await self._client.create(DEPLOYMENTS, {"metadata": metadata, "spec": spec})
        await self.until(lambda: self.available == replicas)

    async def patch(self, image: str | None = None, **spec: Any) -> None:
        """Change the spec in one patch, and the template with it when an image tag is given."""
        change: Object = {"spec": spec}
        if image:
            container = {"name": NAME, "image": f"{NAME}:{image}"}
            change["spec"]["template"] = {"spec": {"containers": [container]}}
        await self._client.patch(DEPLOYMENTS, self.namespace, NAME, change=change, kind="strategic-merge")

    async def pause_at(self, sizes: Sizes) -> None:
        """Let the rollout run as far as these sizes, pause it there, and wait until its pods are Ready."""
        await self.until(lambda: self.sizes == sizes)
        await self.patch(paused=True)
        await self.becomes(sizes)

    async def annotate(self, pod: str, annotation: str, value: str) -> None:
        """Write an annotation of one of the pods."""
        change = {"metadata": {"annotations": {annotation: value}}}
        await self._client.patch(PODS, self.namespace, pod, change=change)

    async def resize(self, tag: str, replicas: int) -> None:
        """Write the size of a template's ReplicaSet, behind the back of the Deployment controller."""
        name = self.replica_set(tag)["metadata"]["name"]
        await self._client.patch(REPLICA_SETS, self.namespace, name, change={"spec": {"replicas": replicas}})

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: It was not within `PATIENCE`. The message tells the sizes there were instead.
        """
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"not so after {PATIENCE:.0f} s: {self.history[-12:]}"
            await asyncio.sleep(0.02)

    async def becomes(self, sizes: Sizes) -> None:
        """Wait until each template has as many pods wanted as said, and as many present and Ready."""
        await self.until(
            lambda: self.sizes == sizes and all(len(self.ready(tag)) == n for tag, n in sizes.items())
        )

    async def stays(self, seconds: float) -> None:
        """Wait, and fail when the sizes change meanwhile."""
        before = len(self.history)
        await asyncio.sleep(seconds)
        assert self.history[before:] == [], f"{self.history[before - 1 :]}"

    @property
    def sizes(self) -> Sizes:
        """Pods wanted by template, as the ReplicaSets say it."""
        by_age = sorted(self._replica_sets(), key=lambda each: str(each["metadata"]["creationTimestamp"]))
        return {_tag(each): each["spec"]["replicas"] for each in by_age if each["spec"]["replicas"]}

    @property
    def available(self) -> int:
        """Pods that the ReplicaSets count as available."""
        return sum((each.get("status") or {}).get("availableReplicas", 0) for each in self._replica_sets())

    def replica_set(self, tag: str) -> Object:
        """Return the ReplicaSet of a template."""
        return {_tag(each): each for each in self._replica_sets()}[tag]

    def pods(self, tag: str) -> Sequence[Object]:
        """Return the pods of a template that are not going, oldest first."""
        owner = self.replica_set(tag)["metadata"]["uid"]
        mine = [each for each in self._mirror.list(PODS, self.namespace) if controller_uid(each) == owner]
        return [each for each in mine if not is_deleting(each)]

    def ready(self, tag: str) -> set[str]:
        """Return the names of a template's Ready pods."""
        return {each["metadata"]["name"] for each in self.pods(tag) if is_ready(each)}

    def counted(self, tag: str) -> int:
        """Return how many pods of a template its ReplicaSet counts as Ready: `ready` may be ahead of it."""
        status = self.replica_set(tag).get("status") or {}
        return int(status.get("readyReplicas", 0))

    def _replica_sets(self) -> list[Object]:
        return self._mirror.list(REPLICA_SETS, self.namespace)

    def _record(self, change: Change) -> None:
        mine = change.object["metadata"].get("namespace") == self.namespace
        if change.resource is REPLICA_SETS and mine and (not self.history or self.history[-1] != self.sizes):
            self.history.append(self.sizes)


def is_ready(pod: Object) -> bool:
    """Whether a pod says that it is Ready."""
    ready = condition_of(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def _tag(replica_set: Object) -> str:
    image: str = replica_set["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.rpartition(":")[2]
