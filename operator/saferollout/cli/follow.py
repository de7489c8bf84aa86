"""Follows one SafeRollout through watches of the Kubernetes API: a scene whenever something changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from typing import Any

from kubernetes.aio.client import ApiClient, ApiException, CustomObjectsApi

from saferollout.api.names import GROUP, KIND, PLURAL, VERSION
from saferollout.api.recall import read_status
from saferollout.cli import scene
from saferollout.cli.scene import Entry, Scene, Workload
from saferollout.observe.cluster import Cluster
from saferollout.observe.informer import Informer
from saferollout.observe.saferollouts import SafeRollouts
from saferollout.reach import FAILURES, TIMEOUT, UnreachableError, why

BURST = 0.1
"""Seconds within which changes are one change: a step is a dozen writes."""

LOOK = 1.0
"""Seconds between two looks at whether everything is still up to date."""

WORTH_SAYING = 3.0
"""Seconds without news after which it is said."""

LOST = 30.0
"""Seconds without the API server after which it is given up."""


class NotFoundError(Exception):
    """There is no such SafeRollout, or none any more. The message is a sentence for people."""


async def deployment_of(api: ApiClient, namespace: str, name: str) -> str:
    """Ask which Deployment a SafeRollout wraps.

    Raises:
        NotFoundError: There is no such SafeRollout, or the cluster knows none at all.
        UnreachableError: The API server does not answer, or refuses.
    """
    try:
        found: Any = await CustomObjectsApi(api).get_namespaced_custom_object(
            GROUP, VERSION, namespace, PLURAL, name, _request_timeout=TIMEOUT
        )
    except FAILURES as error:
        if isinstance(error, ApiException) and error.status == HTTPStatus.NOT_FOUND:
            raise NotFoundError(_not_found(error, namespace, name)) from error
        raise UnreachableError(why(error, api.configuration.host)) from error
    return str(found["spec"]["deploymentRef"]["name"])


def _not_found(error: ApiException, namespace: str, name: str) -> str:
    if name in str(error.body):
        return f"there is no SafeRollout {name} in namespace {namespace}"
    return "this cluster knows no SafeRollouts: install the CustomResourceDefinition first"


class Follower:
    """Has the caches of everything that concerns one SafeRollout."""

    def __init__(self, api: ApiClient, namespace: str, name: str, deployment: str) -> None:
        self._host = api.configuration.host
        self._namespace, self._name, self._deployment = namespace, name, deployment
        self._rollouts = SafeRollouts(api, [namespace])
        self._cluster = Cluster(api, [namespace])
        subjects = {(KIND, name), ("Deployment", deployment)}
        self._events = Informer[Entry](
            api, f"/api/v1/namespaces/{namespace}/events", lambda raw: scene.entry(raw, subjects)
        )

    async def scenes(self) -> AsyncGenerator[Scene, None]:
        """Give the scene as it is, and again whenever it has changed.

        Raises:
            NotFoundError: The SafeRollout has been deleted.
            UnreachableError: The API server has not answered for long.
        """
        async with self._running():
            await self._synced()
            with self._waking() as wake:
                shown = None
                while True:
                    wake.clear()
                    if (current := self._scene()) != shown:
                        shown = current
                        yield current
                    with suppress(TimeoutError):
                        await asyncio.wait_for(wake.wait(), LOOK)
                        await asyncio.sleep(BURST)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        parts: tuple[Any, ...] = (self._rollouts, self._cluster, self._events)
        tasks = [asyncio.create_task(each.run()) for each in parts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _synced(self) -> None:
        """Wait for the first lists. What may not be listed (Nodes, by some users) is done without."""
        try:
            await asyncio.wait_for(self._rollouts.synced(), TIMEOUT)
        except TimeoutError as error:
            message = f"SafeRollouts in namespace {self._namespace} could not be listed at {self._host}"
            raise UnreachableError(message) from error
        with suppress(TimeoutError):
            await asyncio.wait_for(
                asyncio.gather(self._cluster.synced(), self._events.synced()), WORTH_SAYING
            )

    @contextmanager
    def _waking(self) -> Iterator[asyncio.Event]:
        with (
            self._cluster.waking(self._namespace, self._deployment) as wake,
            self._rollouts.waking(self._namespace, self._name, wake),
        ):
            self._events.listen(lambda _old, _new: wake.set())
            yield wake

    def _scene(self) -> Scene:
        found = self._rollouts.get(self._namespace, self._name)
        if found is None:
            raise NotFoundError(f"SafeRollout {self._name} in namespace {self._namespace} has been deleted")
        workload = self._workload()
        status = read_status(found.status)
        return Scene(
            namespace=found.namespace,
            name=found.name,
            deployment=self._deployment,
            status=status,
            zones=scene.zones(workload, status),
            events=tuple(sorted(self._events.records.values(), key=lambda each: (each.at, each.uid))),
            observed=status.observed_generation == found.generation,
            current=workload.followed_by(status),
            trouble=self._trouble(),
        )

    def _workload(self) -> Workload:
        deployment = self._cluster.deployment(self._namespace, self._deployment)
        if deployment is None:
            return Workload()
        replica_sets = self._cluster.replica_sets(deployment)
        return Workload(deployment, replica_sets, self._cluster.pods(replica_sets))

    def _trouble(self) -> str:
        gap = self._cluster.gap
        missing = 0.0 if gap is None else time.time() - gap.since
        if gap is None or missing < WORTH_SAYING:
            return ""
        if gap.listed and missing > LOST:
            raise UnreachableError(f"the Kubernetes API at {self._host} is lost: {gap.trouble}")
        return f"{gap.path}: {gap.trouble}"
