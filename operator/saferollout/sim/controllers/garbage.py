"""The garbage collectors: what nobody owns any more goes, and what a namespace or a node held goes with it.

Deletion in the background only (``propagationPolicy: Background``, the default of kubectl and of apps/v1).
"""

from __future__ import annotations

from contextlib import suppress

from saferollout.sim.controllers.ownership import Ownership
from saferollout.sim.controllers.queue import REACTION
from saferollout.sim.disruption import ORPHANED, disrupted
from saferollout.sim.objects import key_of, with_metadata
from saferollout.sim.resources import NAMESPACES, NODES, PODS
from saferollout.sim.store import ApiError, Change, Store
from saferollout.sim.timeline import Timeline

QUARANTINE = 40.0
"""Seconds of the simulation that pods stay after their Node was deleted (``pkg/controller/podgc``)."""


class GarbageCollector:
    """Deletes the dependents of what is gone, unless another owner is left; empties namespaces and nodes."""

    def __init__(self, store: Store, timeline: Timeline, ownership: Ownership) -> None:
        self._store = store
        self._timeline = timeline
        self._ownership = ownership
        store.subscribe(self._observe)

    def _observe(self, change: Change) -> None:
        if change.type != "DELETED":
            return
        gone = change.object["metadata"]
        if change.resource is NAMESPACES:
            self._timeline.after(REACTION, lambda: self._empty(gone["name"]))
        elif change.resource is NODES:
            self._timeline.after_scaled(QUARANTINE, lambda: self._clear(gone["name"]))
        elif self._ownership.dependents(gone["uid"]):
            self._timeline.after(REACTION, lambda: self._collect(gone["uid"]))

    def _collect(self, owner: str) -> None:
        for resource, obj in self._ownership.dependents(owner):
            references = obj["metadata"]["ownerReferences"]
            left = [each for each in references if each["uid"] != owner]
            with suppress(ApiError):  # somebody else was faster
                if left:
                    self._store.update(resource, with_metadata(obj, ownerReferences=left))
                else:
                    self._store.delete(resource, *key_of(obj))

    def _empty(self, namespace: str) -> None:
        for resource in self._store.resources():
            if resource.namespaced:
                for obj in self._store.list(resource, namespace):
                    with suppress(ApiError):  # its owner's deletion was faster
                        self._store.delete(resource, *key_of(obj))

    def _clear(self, node: str) -> None:
        """End the pods of a node that was deleted, as failed ones (``podgc``)."""
        for pod in self._store.list(PODS):
            if pod["spec"].get("nodeName") == node:
                failed = disrupted(pod, ORPHANED, self._timeline.now, phase="Failed")
                self._store.update_status(PODS, failed)
                self._store.remove(PODS, *key_of(pod))
