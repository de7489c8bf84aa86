"""Writes: every one goes through admission, then ownership of fields, then the store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Literal

from saferollout.sim.apiserver.admission import Admission
from saferollout.sim.apiserver.apply import Application
from saferollout.sim.apiserver.customresources import CustomResources
from saferollout.sim.apiserver.ownership import Manager, Ownership
from saferollout.sim.apiserver.patches import json_patch, merge_patch, strategic_merge_patch
from saferollout.sim.apiserver.policies import Policies, Write
from saferollout.sim.apiserver.requests import (
    Target,
    WriteOptions,
    fitting,
    method_not_allowed,
    unsupported_media_type,
)
from saferollout.sim.apiserver.scale import scale_of, scaled
from saferollout.sim.errors import ApiError
from saferollout.sim.resources import NODES
from saferollout.sim.store import Object, Store
from saferollout.sim.timestamps import timestamp

APPLY = frozenset({"application/apply-patch+yaml", "application/apply-patch"})


@dataclass(frozen=True, slots=True)
class Written:
    """What a write answers with."""

    object: Object
    created: bool = False
    warnings: tuple[str, ...] = ()


class Writer:
    """Creates, replaces, patches and applies."""

    def __init__(
        self, store: Store, admission: Admission, policies: Policies, custom: CustomResources
    ) -> None:
        self._store = store
        self._admission = admission
        self._policies = policies
        self._custom = custom

    def create(self, at: Target, body: Any, options: WriteOptions) -> Written:
        """Answer a POST.

        Raises:
            ApiError: The object is refused, or its name is taken.
        """
        if at.name is not None or (at.resource.namespaced and at.namespace is None):
            raise method_not_allowed()
        return self._create(at, _part(at, fitting(at, body)), None, options)

    def replace(self, at: Target, body: Any, options: WriteOptions) -> Written:
        """Answer a PUT.

        Raises:
            ApiError: There is no such object, it has changed, or its new state is refused.
        """
        if at.subresource == "scale":
            current = self._store.get(at.resource, at.namespace, at.named)
            return self._update(at, current, scaled(current, body), options)
        new = fitting(at, body)
        current = self._store.get(at.resource, at.namespace, at.named)
        self._store.check_preconditions(at.resource, current, new["metadata"])
        return self._update(at, current, new, options)

    def patch(self, at: Target, content_type: str, patch: Any, options: WriteOptions) -> Written:
        """Answer a PATCH; an apply patch may create.

        Raises:
            ApiError: There is no such object, it has changed, the patch does not fit, others own what is
                applied, or the new state is refused.
        """
        if content_type in APPLY:
            if not options.manager:
                raise _unnamed()
            return self._apply(at, fitting(at, patch), options)
        current = self._store.get(at.resource, at.namespace, at.named)
        if at.subresource == "scale":
            new = scaled(current, self._patched(at, scale_of(current), content_type, patch))
        else:
            new = fitting(at, self._patched(at, current, content_type, patch))
        return self._update(at, current, new, options)

    def _patched(self, at: Target, current: Object, content_type: str, patch: Any) -> Object:
        match content_type:
            case "application/json-patch+json":
                return json_patch(current, patch)
            case "application/merge-patch+json":
                merged: Object = merge_patch(current, patch)
                return merged
            case "application/strategic-merge-patch+json" if not self._custom.definition(at.resource):
                return strategic_merge_patch(current, patch, self._custom.shape(at.resource))
        raise unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        )

    def _apply(self, at: Target, wanted: Object, options: WriteOptions) -> Written:
        if wanted["metadata"].get("managedFields"):
            message = "metadata.managedFields must be nil"
            raise ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)
        if at.subresource == "scale":
            raise method_not_allowed()
        manager = self._manager(at, options, "Apply")
        wanted = _part(at, wanted)
        apply = Application(manager, wanted, self._custom.shape(at.resource), self._now(), options.force)
        try:
            current = self._store.get(at.resource, at.namespace, at.named)
        except ApiError:
            if at.subresource:
                raise
            applied = apply.onto({"metadata": {}})
            return self._create(at, applied.object, applied.ownership, options)
        applied = apply.onto(current)
        return self._update(at, current, applied.object, options, applied.ownership)

    def _create(self, at: Target, obj: Object, ownership: Ownership | None, options: WriteOptions) -> Written:
        """Store a new object; without ``ownership`` all of it is its creator's."""
        admitted = self._admission.admit(at.resource, obj, None, options.unknown_fields)
        claimed = _part(at, admitted.object)
        ownership = ownership or self._claimed(at, options, Ownership({}, {}), None, claimed)
        new = self._by_policies(at, admitted.object, None, options)
        store = self._store.preview_create if options.dry_run else self._store.create
        stored = store(at.resource, _owned(new, ownership))
        return Written(stored, created=True, warnings=admitted.warnings)

    def _update(
        self,
        at: Target,
        current: Object,
        wanted: Object,
        options: WriteOptions,
        ownership: Ownership | None = None,
    ) -> Written:
        """Store ``wanted`` in place of ``current``; without ``ownership`` it is an ordinary write."""
        confined = _confined(at, current, wanted)
        admitted = self._admission.admit(at.resource, confined, current, options.unknown_fields)
        new = admitted.object
        if ownership is None:
            told = new if "managedFields" in new["metadata"] else current
            ownership = self._claimed(at, options, Ownership.read(told), current, new)
        new = self._by_policies(at, new, current, options)
        store = self._store.preview_update if options.dry_run else self._store.update
        stored = store(at.resource, _owned(new, ownership))
        answer = scale_of(stored) if at.subresource == "scale" else stored
        return Written(answer, warnings=admitted.warnings)

    def _by_policies(self, at: Target, obj: Object, old: Object | None, options: WriteOptions) -> Object:
        """Do to the object what admission policies say. What they write comes to be owned by nobody."""
        if at.subresource:
            return obj  # the policies served here are about whole objects
        write = Write(at.resource, options.user, obj, old, options.dry_run)
        mutated = self._policies.mutated(write, self._custom.shape(at.resource))
        if mutated != obj:
            mutated = self._admission.admit(at.resource, mutated, old, "Ignore").object
        self._policies.check(replace(write, new=mutated))
        return mutated

    def _claimed(
        self, at: Target, options: WriteOptions, ownership: Ownership, old: Object | None, new: Object
    ) -> Ownership:
        manager, shape = self._manager(at, options, "Update"), self._custom.shape(at.resource)
        return ownership.updated(manager, old, new, shape, self._now())

    def _manager(self, at: Target, options: WriteOptions, operation: Literal["Apply", "Update"]) -> Manager:
        return Manager(options.manager or options.agent, operation, at.resource.api_version, at.subresource)

    def _now(self) -> str:
        return timestamp(self._store.timeline.now)


def _unnamed() -> ApiError:
    problem = "Required value: is required for apply patch"
    cause = {"reason": "FieldValueRequired", "message": problem, "field": "fieldManager"}
    message = f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {problem}'
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, {"causes": [cause]})


def _part(at: Target, obj: Object) -> Object:
    """Return the part of ``obj`` that a write to ``at`` is about: status alone, or all but status."""
    if at.subresource == "status":
        return {name: obj[name] for name in ("apiVersion", "kind", "metadata", "status") if name in obj}
    if "status" not in at.resource.subresources or at.resource == NODES:
        return obj  # nodes come with the status that the kubelet gives them
    return {name: value for name, value in obj.items() if name != "status"}


def _confined(at: Target, current: Object, wanted: Object) -> Object:
    """Return ``wanted`` with everything that a write to ``at`` cannot reach as it is in ``current``."""
    if at.subresource == "status":
        reached = {
            name: wanted["metadata"][name]
            for name in ("managedFields", "resourceVersion", "uid")
            if name in wanted["metadata"]
        }
        kept, changed = current, wanted
        metadata = {**current["metadata"], **reached}
    elif "status" in at.resource.subresources:
        kept, changed = wanted, current
        metadata = wanted["metadata"]
    else:
        return wanted
    status = {"status": changed["status"]} if "status" in changed else {}
    return {**{name: kept[name] for name in kept if name != "status"}, "metadata": metadata, **status}


def _owned(obj: Object, ownership: Ownership) -> Object:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    if managed := ownership.write():
        metadata["managedFields"] = managed
    return {**obj, "metadata": metadata}
