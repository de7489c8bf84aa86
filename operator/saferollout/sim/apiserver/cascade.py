"""Namespaces and CustomResourceDefinitions end after what is in them has ended."""

from __future__ import annotations

from saferollout.sim.resources import CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES, Resource
from saferollout.sim.store import Change, Object, Store

_HOLDS = {
    NAMESPACES.key: "kubernetes",
    CUSTOM_RESOURCE_DEFINITIONS.key: "customresourcecleanup.apiextensions.k8s.io",
}
"""The finalizer that keeps a container there until it is empty (that of namespaces is really in ``spec``)."""


class Cascade:
    """Empties containers that are being deleted, and lets them go once they are empty."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ending: dict[tuple[str, str], Resource] = {}
        store.subscribe(self._follow)

    def hold(self, resource: Resource, name: str) -> None:
        """Make a container wait for its contents; to be called before it is deleted."""
        finalizer = _HOLDS.get(resource.key)
        if finalizer is None or "deletionTimestamp" in self._store.get(resource, None, name)["metadata"]:
            return

        def held(obj: Object) -> None:
            obj["metadata"].setdefault("finalizers", []).append(finalizer)
            if resource == NAMESPACES:
                obj.setdefault("status", {})["phase"] = "Terminating"

        self._store.patch(resource, None, name, held)

    def _follow(self, change: Change) -> None:
        metadata = change.object["metadata"]
        if change.resource.key in _HOLDS:
            begins = "deletionTimestamp" in metadata and "deletionTimestamp" not in (change.old or {}).get(
                "metadata", {}
            )
            if change.type == "MODIFIED" and begins:
                self._ending[change.resource.key, metadata["name"]] = change.resource
                self._empty(change.resource, change.object)
                self._let_go(change.resource, metadata["name"])
        if change.type == "DELETED" and self._ending:
            for (_, name), resource in tuple(self._ending.items()):
                self._let_go(resource, name)

    def _empty(self, container: Resource, obj: Object) -> None:
        for resource, each in self._contents(container, obj):
            metadata = each["metadata"]
            self._store.delete(resource, metadata.get("namespace"), metadata["name"])

    def _let_go(self, container: Resource, name: str) -> None:
        obj = self._store.get(container, None, name)
        if self._contents(container, obj):
            return
        del self._ending[container.key, name]
        finalizer = _HOLDS[container.key]
        self._store.patch(
            container, None, name, lambda copy: copy["metadata"]["finalizers"].remove(finalizer)
        )

    def _contents(self, container: Resource, obj: Object) -> list[tuple[Resource, Object]]:
        name = obj["metadata"]["name"]
        if container == NAMESPACES:
            return [
                (resource, each)
                for resource in self._store.resources()
                if resource.namespaced
                for each in self._store.list(resource, name)
            ]
        resource = self._store.resource(obj["spec"]["group"], obj["spec"]["names"]["plural"])
        return [(resource, each) for each in self._store.list(resource)]
