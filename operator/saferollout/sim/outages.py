"""What can go wrong, on purpose: faults for tests and rehearsals."""

from __future__ import annotations

from functools import partial

from saferollout.sim.disruption import TAINTED, disrupted
from saferollout.sim.kubelet import Kubelet
from saferollout.sim.objects import (
    Key,
    conditions_of,
    is_deleting,
    key_of,
    put_condition,
    with_annotations,
    with_metadata,
)
from saferollout.sim.resources import NODES, PODS, Resource
from saferollout.sim.store import ApiError, Object, Store
from saferollout.sim.timeline import Timeline
from saferollout.sim.workload import READY

NODE_GRACE = 50.0
"""Seconds until a silent node is noticed (kube-controller-manager ``--node-monitor-grace-period``)."""

EVICTION = 300.0
"""Seconds that pods stay on a node that is not ready (``tolerationSeconds`` of the default tolerations)."""

_SILENT = {
    "type": "Ready",
    "status": "Unknown",
    "reason": "NodeStatusUnknown",
    "message": "Kubelet stopped posting node status.",
}


class Outages:
    """Breaks things in a simulated cluster. Seconds are the simulation's own."""

    def __init__(self, store: Store, timeline: Timeline, kubelet: Kubelet) -> None:
        self._store = store
        self._timeline = timeline
        self._kubelet = kubelet

    def kill_node(self, name: str) -> None:
        """End a node without notice: nothing on it answers from now on, and Kubernetes finds out later.

        The node and its pods are unready after `NODE_GRACE`. `EVICTION` after that the pods are told to go;
        with nobody there to end them they stay on their way out until the Node is deleted.
        """
        self._kubelet.kill_node(name)
        self._timeline.after_scaled(NODE_GRACE, partial(self._find_out, name))
        self._timeline.after_scaled(NODE_GRACE + EVICTION, partial(self._evict, name))

    def kill_pod(self, pod: Key) -> None:
        """End a pod at once, as ``kubectl delete --force`` does.

        Raises:
            ApiError: ``NotFound``.
        """
        self._store.delete(PODS, *pod, grace_seconds=0)

    def silence(self, pod: Key) -> None:
        """Let a pod run on and answer nobody: neither probes, nor health checks, nor requests.

        Raises:
            ApiError: ``NotFound``.
        """
        self._store.update(PODS, with_annotations(self._store.get(PODS, *pod), {READY: "never"}))

    def revive(self, pod: Key) -> None:
        """Let a silenced pod answer again.

        Raises:
            ApiError: ``NotFound``.
        """
        found = self._store.get(PODS, *pod)
        said = {key: value for key, value in found["metadata"]["annotations"].items() if key != READY}
        self._store.update(PODS, with_metadata(found, annotations=said))

    def _find_out(self, node: str) -> None:
        """What the node lifecycle controller does when the heartbeats are missing."""
        try:
            self._doubt(NODES, self._store.get(NODES, None, node), _SILENT)
        except ApiError:
            return  # the Node was deleted in the meantime
        for pod in self._pods_on(node):
            self._doubt(PODS, pod, {"type": "Ready", "status": "False"})

    def _doubt(self, resource: Resource, obj: Object, verdict: Object) -> None:
        conditions = put_condition(conditions_of(obj), verdict, self._timeline.now)
        self._store.update_status(resource, {**obj, "status": {**obj["status"], "conditions": conditions}})

    def _evict(self, node: str) -> None:
        """What the taint manager does when the toleration of its pods is over."""
        for pod in self._pods_on(node):
            if not is_deleting(pod):
                self._store.update_status(PODS, disrupted(pod, TAINTED, self._timeline.now))
                self._store.delete(PODS, *key_of(pod))

    def _pods_on(self, node: str) -> list[Object]:
        return [each for each in self._store.list(PODS) if each["spec"].get("nodeName") == node]
