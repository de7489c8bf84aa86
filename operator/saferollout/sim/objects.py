"""Reading parts of Kubernetes objects, and making changed copies that share what did not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saferollout.sim.resources import Resource
from saferollout.sim.store import Object
from saferollout.sim.timestamps import timestamp

Key = tuple[str, str]
"""Namespace and name; the namespace of what has none is empty."""


def key_of(obj: Object) -> Key:
    """Namespace and name of an object."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def labels_of(obj: Object) -> dict[str, str]:
    """Labels, empty when there are none: not to be mutated. ``obj`` may be a pod template too."""
    found: dict[str, str] = (obj.get("metadata") or {}).get("labels") or {}
    return found


def annotations_of(obj: Object) -> dict[str, str]:
    """Annotations, empty when there are none: not to be mutated. ``obj`` may be a pod template too."""
    found: dict[str, str] = (obj.get("metadata") or {}).get("annotations") or {}
    return found


def is_deleting(obj: Object) -> bool:
    """Whether the end of the object has begun."""
    return "deletionTimestamp" in obj["metadata"]


def controller_uid(obj: Object) -> str | None:
    """UID of the owner that manages the object, ``None`` when nobody does."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            uid: str = reference["uid"]
            return uid
    return None


def owner_key(obj: Object, resource: Resource) -> Key | None:
    """Namespace and name of the owner of that type, ``None`` when there is none."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference["kind"] == resource.kind:
            return obj["metadata"].get("namespace", ""), reference["name"]
    return None


def controller_reference(owner: Object) -> Object:
    """The ownerReference that makes ``owner`` the controller of what carries it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition_of(obj: Object, kind: str) -> Object | None:
    """The condition of that type in ``status.conditions``."""
    return next((each for each in conditions_of(obj) if each["type"] == kind), None)


def conditions_of(obj: Object) -> list[Object]:
    """``status.conditions``, empty when there are none: not to be mutated."""
    found: list[Object] = (obj.get("status") or {}).get("conditions") or []
    return found


def put_condition(existing: list[Object], wanted: Object, now: float) -> list[Object]:
    """Return ``existing`` with one condition set; ``lastTransitionTime`` moves only with ``status``."""
    for at, each in enumerate(existing):
        if each["type"] == wanted["type"]:
            same = each["status"] == wanted["status"]
            since = each["lastTransitionTime"] if same else timestamp(now)
            return [*existing[:at], {**wanted, "lastTransitionTime": since}, *existing[at + 1 :]]
    return [*existing, {**wanted, "lastTransitionTime": timestamp(now)}]


def with_metadata(obj: Object, **changes: Any) -> Object:
    """Copy with other entries in ``metadata``."""
    return {**obj, "metadata": {**obj["metadata"], **changes}}


def with_spec(obj: Object, **changes: Any) -> Object:
    """Copy with other entries in ``spec``."""
    return {**obj, "spec": {**obj["spec"], **changes}}


def with_annotations(obj: Object, changes: Mapping[str, str]) -> Object:
    """Copy with more, or other, annotations."""
    return with_metadata(obj, annotations={**annotations_of(obj), **changes})


def selects(selector: Object | None, wanted: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches a set of labels; none matches nothing, an empty one everything."""
    if selector is None:
        return False
    if any(wanted.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression_holds(each, wanted) for each in selector.get("matchExpressions") or ())


def _expression_holds(expression: Object, wanted: Mapping[str, str]) -> bool:
    value = wanted.get(expression["key"])
    values: list[str] = expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None
