"""Deletion as a client asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from saferollout.sim.apiserver.cascade import Cascade
from saferollout.sim.apiserver.requests import DeleteOptions, Target
from saferollout.sim.errors import ApiError, about
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
        _check_preconditions(at, obj, options)
        if options.dry_run:
            return _done(at, obj)
        if options.orphan:
            self._orphan(obj["metadata"]["uid"], at.namespace)
        self.cascade.hold(resource, name)
        store.delete(resource, at.namespace, name, grace_seconds=options.grace)
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


def _check_preconditions(at: Target, obj: Object, options: DeleteOptions) -> None:
    metadata, kind = obj["metadata"], at.resource.kind
    for name, asked, found, since in (
        ("UID", options.uid, metadata["uid"], "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"], "modified"),
    ):
        if asked not in {None, found}:
            differs = (
                f"the {name} in the precondition ({asked}) does not match the {name} in record ({found})"
            )
            message = (
                f'Operation cannot be fulfilled on {kind} "{at.name}": {differs}. '
                f"The object might have been {since}"
            )
            raise ApiError(HTTPStatus.CONFLICT, "Conflict", message, about(at.resource, at.named, kind))


def _done(at: Target, obj: Object) -> dict[str, Any]:
    details = {**about(at.resource, at.named, at.resource.plural), "uid": obj["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
