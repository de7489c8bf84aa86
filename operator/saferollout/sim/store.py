"""What etcd and the registry of the API server do: objects, versions, deletion, and who is told of it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable

import orjson

from saferollout.sim.changes import Announcer, Change, Object
from saferollout.sim.errors import STALE, ApiError, already_exists, conflict, not_found, not_served
from saferollout.sim.lifecycle import counts_as_generation, grace, is_held
from saferollout.sim.resources import BUILT_IN, Resource
from saferollout.sim.timeline import Timeline
from saferollout.sim.timestamps import timestamp

__all__ = ["ApiError", "Change", "Object", "Store"]

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of generated names: no vowels and no look-alikes (kubernetes apimachinery ``pkg/util/rand``)."""

_GIVEN_ONCE = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


class Store:
    """All objects of the cluster, one global ``resourceVersion``, and the listeners of every write.

    Names, uids and versions follow from ``seed`` and the order of the writes, so a run can be repeated.
    """

    def __init__(self, timeline: Timeline, *, seed: int = 0) -> None:
        self.timeline = timeline
        self.version = 0
        self._random = random.Random(seed)  # noqa: S311 - names that can be repeated, not secrets
        self._resources = {(each.group, each.plural): each for each in BUILT_IN}
        self._objects: dict[str, dict[tuple[str, str], Object]] = {each.key: {} for each in BUILT_IN}
        self._announcer = Announcer()

    def resources(self) -> tuple[Resource, ...]:
        """Every served type."""
        return tuple(self._resources.values())

    def resource(self, group: str, plural: str) -> Resource:
        """Look a served type up.

        Raises:
            ApiError: ``NotFound``, as for an unknown path.
        """
        try:
            return self._resources[group, plural]
        except KeyError:
            raise not_served() from None

    def register(self, resource: Resource) -> None:
        """Serve a type, or serve it differently; its objects stay."""
        self._resources[resource.group, resource.plural] = resource
        self._objects.setdefault(resource.key, {})

    def unregister(self, resource: Resource) -> None:
        """Serve a type no longer. Its objects are forgotten."""
        self._resources.pop((resource.group, resource.plural), None)
        self._objects.pop(resource.key, None)

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """Return the stored object itself: not to be mutated.

        Raises:
            ApiError: ``NotFound``.
        """
        try:
            return self._objects[resource.key][namespace or "", name]
        except KeyError:
            raise not_found(resource, name) from None

    def list(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        """Return all objects of a type, or those of one namespace, in order of creation."""
        objects = self._objects[resource.key]
        if namespace is None:
            return [*objects.values()]
        return [each for (home, _), each in objects.items() if home == namespace]

    def create(self, resource: Resource, obj: Object) -> Object:
        """Store a new object, giving it what only the server gives.

        Raises:
            ApiError: ``AlreadyExists``.
        """
        created = self.preview_create(resource, obj)
        metadata = created["metadata"]
        metadata["resourceVersion"] = self._next_version()
        self._objects[resource.key][metadata.get("namespace") or "", metadata["name"]] = created
        self._announcer.tell(Change("ADDED", resource, created, None))
        return created

    def preview_create(self, resource: Resource, obj: Object) -> Object:
        """Return what `create` would store, without a version (a dry run).

        Raises:
            ApiError: ``AlreadyExists``.
        """
        metadata = dict(obj.get("metadata") or {})
        objects = self._objects[resource.key]
        namespace = metadata.get("namespace") or ""
        name = metadata.get("name") or self._generated(metadata, objects, namespace)
        if (namespace, name) in objects:
            raise already_exists(resource, name)
        for given in (*_GIVEN_ONCE, "resourceVersion", "selfLink"):
            metadata.pop(given, None)
        metadata |= {
            "name": name,
            "uid": str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            "creationTimestamp": timestamp(self.timeline.now),
        }
        if resource.counts_generations:
            metadata["generation"] = 1
        return {"apiVersion": resource.api_version, "kind": resource.kind, **obj, "metadata": metadata}

    def update(self, resource: Resource, obj: Object) -> Object:
        """Replace an object; writing what is there already writes nothing.

        ``generation`` grows when anything but metadata and status differs, for Deployments with annotations
        too. Taking the last finalizer off an object that is being deleted ends it.

        Raises:
            ApiError: ``NotFound``, or ``Conflict`` when ``resourceVersion`` or ``uid`` is given and outdated.
        """
        current = self._current(resource, obj)
        updated = self.preview_update(resource, obj)
        if updated is current:
            return current
        updated["metadata"]["resourceVersion"] = self._next_version()
        return self._replace(resource, current, updated)

    def preview_update(self, resource: Resource, obj: Object) -> Object:
        """Return what `update` would store, at the present version (a dry run); what is stored, if the same.

        Raises:
            ApiError: As `update`.
        """
        current = self._current(resource, obj)
        before = current["metadata"]
        after = dict(obj["metadata"])
        for given in (*_GIVEN_ONCE, "resourceVersion"):
            if given in before:
                after[given] = before[given]
            else:
                after.pop(given, None)
        updated = {**obj, "metadata": after}
        if updated == current:
            return current
        if "generation" in after and counts_as_generation(resource, updated, current):
            after["generation"] += 1
        return updated

    def update_status(self, resource: Resource, obj: Object) -> Object:
        """Replace ``status``, and the annotations if ``obj`` has any; ``generation`` stays.

        Raises:
            ApiError: ``NotFound``, or ``Conflict`` as in `update`.
        """
        current = self._current(resource, obj)
        before = current["metadata"]
        annotations = obj["metadata"].get("annotations") or before.get("annotations")
        if obj.get("status") == current.get("status") and annotations == before.get("annotations"):
            return current
        after = {**before, "resourceVersion": self._next_version()}
        if annotations:
            after["annotations"] = annotations
        return self._replace(resource, current, {**current, "metadata": after, "status": obj.get("status")})

    def patch(
        self, resource: Resource, namespace: str | None, name: str, mutate: Callable[[Object], None]
    ) -> Object:
        """Let ``mutate`` change a copy of the object, spec or status or both, and store that.

        Raises:
            ApiError: ``NotFound``.
        """
        copy: Object = orjson.loads(orjson.dumps(self.get(resource, namespace, name)))
        mutate(copy)
        return self.update(resource, copy)

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Begin the end of an object; where nothing holds it, that is all of it.

        A scheduled pod is marked with its grace period, and the kubelet has the last word (`remove`).
        Finalizers hold everything. A second deletion can only shorten the grace.

        Raises:
            ApiError: ``NotFound``, or ``Conflict`` when it is no longer the object with ``uid``.
        """
        current = self.get(resource, namespace, name)
        metadata = current["metadata"]
        self.check_preconditions(resource, current, {"name": name, "uid": uid})
        seconds = grace(resource, current, grace_seconds)
        if seconds == 0 and not metadata.get("finalizers"):
            self.remove(resource, namespace, name)
            return
        if "deletionTimestamp" in metadata and seconds >= metadata.get("deletionGracePeriodSeconds", 0):
            return
        after = {
            **metadata,
            "resourceVersion": self._next_version(),
            "deletionTimestamp": timestamp(self.timeline.now + seconds),
            "deletionGracePeriodSeconds": seconds,
        }
        if "generation" in after:
            after["generation"] += 1
        self._replace(resource, current, {**current, "metadata": after})

    def remove(self, resource: Resource, namespace: str | None, name: str) -> None:
        """End an object now, whatever its finalizers and grace.

        Raises:
            ApiError: ``NotFound``.
        """
        last = self.get(resource, namespace, name)
        del self._objects[resource.key][namespace or "", name]
        gone = {**last, "metadata": {**last["metadata"], "resourceVersion": self._next_version()}}
        self._announcer.tell(Change("DELETED", resource, gone, last))

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Have every change told to ``listener``, at once and in order.

        A write that a listener makes is told when the present change has been told to all.
        """
        self._announcer.add(listener)

    def _current(self, resource: Resource, obj: Object) -> Object:
        """Find what ``obj`` is to replace."""
        metadata = obj["metadata"]
        current = self.get(resource, metadata.get("namespace"), metadata["name"])
        self.check_preconditions(resource, current, metadata)
        return current

    def check_preconditions(self, resource: Resource, current: Object, wanted: Object) -> None:
        """Hold metadata that a writer sent against the object as it is.

        Raises:
            ApiError: ``Conflict``, it gives a ``uid`` or ``resourceVersion`` and it is another.
        """
        known = current["metadata"]
        if (uid := wanted.get("uid")) and uid != known["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {known['uid']}"
            raise conflict(resource, known["name"], why)
        if (version := wanted.get("resourceVersion")) and version != known["resourceVersion"]:
            raise conflict(resource, known["name"], STALE)

    def _replace(self, resource: Resource, current: Object, updated: Object) -> Object:
        metadata = updated["metadata"]
        namespace, name = metadata.get("namespace"), metadata["name"]
        self._objects[resource.key][namespace or "", name] = updated
        self._announcer.tell(Change("MODIFIED", resource, updated, current))
        if "deletionTimestamp" in metadata and not is_held(metadata):
            self.remove(resource, namespace, name)
        return updated

    def _next_version(self) -> str:
        self.version += 1
        return str(self.version)

    def _generated(self, metadata: Object, taken: dict[tuple[str, str], Object], namespace: str) -> str:
        stem = metadata.get("generateName") or ""
        while (namespace, name := stem + "".join(self._random.choices(_SUFFIX_LETTERS, k=5))) in taken:
            continue
        return name
