"""Rules of the API server on versions and ends of objects."""

from __future__ import annotations

from saferollout.sim.changes import Object
from saferollout.sim.resources import DEPLOYMENTS, PODS, Resource

_DEFAULT_GRACE = 30
_OUTSIDE_GENERATION = frozenset({"metadata", "status"})


def counts_as_generation(resource: Resource, new: Object, old: Object) -> bool:
    """Whether a change counts for ``generation``: of what is wanted, and of a Deployment's annotations.

    The latter is so for Deployments alone (kubernetes ``pkg/registry/apps/deployment/strategy.go``).
    """
    keys = (new.keys() | old.keys()) - _OUTSIDE_GENERATION
    if any(new.get(key) != old.get(key) for key in keys):
        return True
    annotations = (each["metadata"].get("annotations") or {} for each in (new, old))
    return resource.key == DEPLOYMENTS.key and next(annotations) != next(annotations)


def grace(resource: Resource, obj: Object, asked: int | None) -> int:
    """Seconds an object is given to end: only pods on nodes get any (``registry/core/pod/strategy.go``)."""
    spec = obj.get("spec") or {}
    ended = (obj.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    if resource.key != PODS.key or not spec.get("nodeName") or ended:
        return 0
    return spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE) if asked is None else asked


def is_held(metadata: Object) -> bool:
    """Whether an object that is being deleted still waits for a finalizer or its kubelet."""
    return bool(metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds"))
