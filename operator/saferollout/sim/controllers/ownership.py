"""Who owns what: the index that the controllers find their objects by."""

from __future__ import annotations

from saferollout.sim.resources import Resource
from saferollout.sim.store import Change, Object, Store


class Ownership:
    """Every object by the UIDs in its ownerReferences, kept up with the store.

    Create it before the controllers that use it, so that it is told of a change before they are.
    """

    def __init__(self, store: Store) -> None:
        self._dependents: dict[str, dict[str, tuple[Resource, Object]]] = {}
        for resource in store.resources():
            for obj in store.list(resource):
                self._observe(Change("ADDED", resource, obj, None))
        store.subscribe(self._observe)

    def dependents(self, uid: str) -> list[tuple[Resource, Object]]:
        """Everything that names ``uid`` as an owner, with its type, in order of creation."""
        return [*self._dependents.get(uid, {}).values()]

    def children(self, uid: str, resource: Resource) -> list[Object]:
        """The dependents of one type."""
        return [obj for kind, obj in self._dependents.get(uid, {}).values() if kind is resource]

    def _observe(self, change: Change) -> None:
        uid = change.object["metadata"]["uid"]
        owners = _owners(change.object)
        for owner in _owners(change.old) - (set() if change.type == "DELETED" else owners):
            self._dependents[owner].pop(uid, None)
            if not self._dependents[owner]:
                del self._dependents[owner]
        if change.type != "DELETED":
            for owner in owners:
                self._dependents.setdefault(owner, {})[uid] = (change.resource, change.object)


def _owners(obj: Object | None) -> set[str]:
    return {each["uid"] for each in (obj or {"metadata": {}})["metadata"].get("ownerReferences") or ()}
