"""Deletion as a client asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saferollout.sim.apiserver.cascade import Cascade
from saferollout.sim.apiserver.requests import DeleteOptions, Target
from saferollout.sim.errors import STALE, ApiError, conflict
from saferollout.sim.store import Object, Store


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes objects. What they own is left to the garbage collector, unless it is to be orphaned."""

    store: Store
    cascade: Cascade

    def delete(self, at: Target, options: DeleteOptions) -> dict[str, Any]:
        """Answer a DELETE: the object if it is still ending, else a Status.

        Raises:
            ApiError: There is no such object, or it is not the one that was meant.
        """
        store, resource, name = self.store, at.resource, at.named
        obj = store.get(resource, at.namespace, name)
        if options.resource_version not in {None, obj["metadata"]["resourceVersion"]}:
            raise conflict(resource, name, STALE)
        if options.dry_run:
            return _done(at, obj)
        if options.orphan:
            self._orphan(obj["metadata"]["uid"], at.namespace)
        self.cascade.hold(resource, name)
        store.delete(resource, at.namespace, name, grace_seconds=options.grace, uid=options.uid)
        try:
            return store.get(resource, at.namespace, name)
        except ApiError:
            return _done(at, obj)

    def _orphan(self, owner: str, namespace: str | None) -> None:
        """Let what ``owner`` (a uid) owns stay when it goes."""
        for resource in self.store.resources():
            for obj in self.store.list(resource, namespace):
                references = obj["metadata"].get("ownerReferences") or []
                kept = [each for each in references if each["uid"] != owner]
                if len(kept) < len(references):
                    metadata = {**obj["metadata"], "ownerReferences": kept}
                    self.store.update(resource, {**obj, "metadata": metadata})


def _done(at: Target, obj: Object) -> dict[str, Any]:
    details = {
        "name": at.name,
        "group": at.resource.group,
        "kind": at.resource.plural,
        "uid": obj["metadata"]["uid"],
    }
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
