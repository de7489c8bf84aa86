"""What the operator knows of the cluster: four caches, the ways between them, and who is to be told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kubernetes.aio.client import ApiClient

from saferollout.decide.workload import FINISHED, Deployment, Pod, ReplicaSet
from saferollout.observe import records
from saferollout.observe.backoff import Backoff
from saferollout.observe.index import Groups, Lookup
from saferollout.observe.informer import Gap, Informer, OptionalInformer, UnlessForbiddenInformer, run_all
from saferollout.observe.vanished import Vanished

BINDING_APIS = ("elbv2.k8s.aws/v1beta1", "eks.amazonaws.com/v1")
"""Where TargetGroupBindings are: those of the AWS Load Balancer Controller, and those of EKS Auto Mode."""


class Cluster:
    """Deployments, ReplicaSets, pods and Nodes, of all namespaces or of those given.

    All look-ups are answered from memory; ``gap`` tells how far that can be relied on.
    """

    def __init__(self, api: ApiClient, namespaces: Sequence[str] = ()) -> None:
        scopes = [f"/namespaces/{namespace}" for namespace in namespaces] or [""]
        self._deployments = [
            Informer(api, f"/apis/apps/v1{scope}/deployments", records.deployment) for scope in scopes
        ]
        self._replica_sets = [
            Informer(api, f"/apis/apps/v1{scope}/replicasets", records.replica_set) for scope in scopes
        ]
        self._pods = [Informer(api, f"/api/v1{scope}/pods", records.pod) for scope in scopes]
        self._nodes = _nodes(api, namespaces)
        self._services = [Informer(api, f"/api/v1{scope}/services", records.service) for scope in scopes]
        self._bindings = [
            OptionalInformer(
                api,
                f"/apis/{group}{scope}/targetgroupbindings",
                records.binding,
                backoff=Backoff(first=0.5, most=30.0),
            )
            for group in BINDING_APIS
            for scope in scopes
        ]
        self._informers: Sequence[Informer[Any]] = [
            *self._deployments,
            *self._replica_sets,
            *self._pods,
            self._nodes,
            *self._services,
            *self._bindings,
        ]

        self._deployment = Lookup[tuple[str, str], Deployment](lambda each: (each.namespace, each.name))
        self._deployment_by_uid = Lookup[str, Deployment](lambda each: each.uid)
        self._replica_set = Lookup[str, ReplicaSet](lambda each: each.uid)
        self._replica_sets_of = Groups[str, ReplicaSet](lambda each: each.owner)
        self._pods_of = Groups[str, Pod](lambda each: each.owner or None)
        self._pod_at = Lookup[str, Pod](_own_address)
        self._node = Lookup[str, records.Node](lambda each: each.name)
        self._services_in = Groups[str, records.Service](lambda each: each.namespace)
        self._bindings_in = Groups[str, records.Binding](lambda each: each.namespace)
        self._vanished = Vanished()
        self._wakes: dict[tuple[str, str], list[asyncio.Event]] = {}
        self._connect()

    def _connect(self) -> None:
        """Keep the look-ups up first, then tell whom it concerns."""
        for deployments in self._deployments:
            deployments.listen(self._deployment.update)
            deployments.listen(self._deployment_by_uid.update)
            deployments.listen(self._deployment_changed)
        for replica_sets in self._replica_sets:
            replica_sets.listen(self._replica_set.update)
            replica_sets.listen(self._replica_sets_of.update)
            replica_sets.listen(self._replica_set_changed)
        for pods in self._pods:
            pods.listen(self._pods_of.update)
            pods.listen(self._pod_at.update)
            pods.listen(self._pod_changed)
        self._nodes.listen(self._node.update)
        for services in self._services:
            services.listen(self._services_in.update)
            services.listen(self._way_changed)
        for bindings in self._bindings:
            bindings.listen(self._bindings_in.update)
            bindings.listen(self._way_changed)

    async def run(self) -> None:
        """Keep everything up to date until cancelled."""
        await run_all(self._informers)

    async def synced(self) -> None:
        """Wait until everything has been listed once."""
        for informer in self._informers:
            await informer.synced()

    @property
    def gap(self) -> Gap | None:
        """The longest time for which something has not been known, ``None`` while all is up to date."""
        gaps = (each.gap for each in self._informers if each.gap is not None)
        return min(gaps, key=lambda gap: (gap.listed, gap.since), default=None)

    def deployment(self, namespace: str, name: str) -> Deployment | None:
        """The Deployment of that name."""
        return self._deployment.get((namespace, name))

    def replica_sets(self, deployment: Deployment) -> tuple[ReplicaSet, ...]:
        """The ReplicaSets the Deployment controls, oldest first."""
        return tuple(
            sorted(self._replica_sets_of.get(deployment.uid), key=lambda each: (each.created_at, each.name))
        )

    def pods(self, replica_sets: Iterable[ReplicaSet]) -> tuple[Pod, ...]:
        """The pods of these ReplicaSets, oldest first, placed in the zone of their Node if need be."""
        found = [self._placed(pod) for each in replica_sets for pod in self._pods_of.get(each.uid)]
        return tuple(sorted(found, key=lambda each: (each.created_at, each.name)))

    def vanished(self, replica_sets: Iterable[ReplicaSet]) -> tuple[Pod, ...]:
        """The pods of these ReplicaSets that were gone within the last minute."""
        owners = {each.uid for each in replica_sets}
        return tuple(self._placed(pod) for pod in self._vanished.lately() if pod.owner in owners)

    def versions(self, pods: Iterable[Pod]) -> dict[str, int]:
        """The newest known resourceVersion of each of these pods, by name: for what is written on them."""
        newest = (informer.records.get(pod.uid) for pod in pods for informer in self._pods)
        return {pod.name: pod.version for pod in newest if pod is not None}

    def pod_at(self, address: str) -> Pod | None:
        """The live pod that has this address for its own (not its Node's)."""
        return self._pod_at.get(address)

    def services(self, namespace: str) -> tuple[records.Service, ...]:
        """The Services in a namespace."""
        return self._services_in.get(namespace)

    def bindings(self, namespace: str) -> tuple[records.Binding, ...]:
        """The TargetGroupBindings in a namespace."""
        return self._bindings_in.get(namespace)

    @contextmanager
    def waking(self, namespace: str, name: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the Deployment, a ReplicaSet or a pod of it changes.

        Also when anything changes on the way from the namespace's pods to target groups.

        Whoever waits for it clears it, before looking.
        """
        wake = asyncio.Event()
        self._wakes.setdefault((namespace, name), []).append(wake)
        try:
            yield wake
        finally:
            others = self._wakes[namespace, name]
            others.remove(wake)
            if not others:
                del self._wakes[namespace, name]

    def _placed(self, pod: Pod) -> Pod:
        node = None if pod.node is None else self._node.get(pod.node)
        if node is None:
            return pod
        return replace(pod, zone=pod.zone or node.zone, instance=node.instance, node_goes=node.goes)

    def _deployment_changed(self, old: Deployment | None, new: Deployment | None) -> None:
        changed = new or old
        if changed is not None:
            self._wake(changed)

    def _replica_set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        for owner in {each.owner for each in (old, new) if each is not None}:
            deployment = self._deployment_by_uid.get(owner)
            if deployment is not None:
                self._wake(deployment)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and new is None:
            self._vanished.add(old)
        for owner in {each.owner for each in (old, new) if each is not None}:
            replica_set = self._replica_set.get(owner)
            if replica_set is not None:
                self._replica_set_changed(None, replica_set)

    def _way_changed(
        self, old: records.Service | records.Binding | None, new: records.Service | records.Binding | None
    ) -> None:
        namespaces = {each.namespace for each in (old, new) if each is not None}
        for (namespace, _), wakes in self._wakes.items():
            if namespace in namespaces:
                for wake in wakes:
                    wake.set()

    def _wake(self, deployment: Deployment) -> None:
        for wake in self._wakes.get((deployment.namespace, deployment.name), ()):
            wake.set()


def _nodes(api: ApiClient, namespaces: Sequence[str]) -> Informer[records.Node]:
    """Return the cache of Nodes. Who watches namespaces may have no rights beyond them.

    Without Nodes a pod's zone is that of its own label, or what ELBv2 says of its target, or unknown, and
    then nothing is done.
    """
    path = "/api/v1/nodes"
    if not namespaces:
        return Informer(api, path, records.node)
    return UnlessForbiddenInformer(api, path, records.node, backoff=Backoff(first=0.5, most=30.0))


def _own_address(pod: Pod) -> str | None:
    """The address that is this pod's and nobody else's, as long as it lives."""
    shared = pod.host_network or pod.terminating or pod.phase in FINISHED
    return None if shared else pod.ip
