"""Label and field selectors, as they are written in a query."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from saferollout.sim.errors import ApiError
from saferollout.sim.resources import EVENTS, NAMESPACES, NODES, PODS, SECRETS, Resource
from saferollout.sim.store import Object

Selector = Callable[[Object], bool]
"""Whether an object is selected."""

Labels = dict[str, str]

_REQUIREMENT = re.compile(r"[^,()]+(?:\([^()]*\))?")
_MEMBERSHIP = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_COMPARISON = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<operator>==|=|!=)\s*(?P<value>\S*)")
_EXISTENCE = re.compile(r"(?P<absent>!?)\s*(?P<key>[^=!\s]+)")

_SELECTABLE: dict[str, frozenset[str]] = {
    PODS.key: frozenset({"spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"}),
    NODES.key: frozenset({"spec.unschedulable"}),
    NAMESPACES.key: frozenset({"status.phase"}),
    SECRETS.key: frozenset({"type"}),
    EVENTS.key: frozenset(
        {f"involvedObject.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")}
        | {"reason", "reportingComponent", "source", "type"}
    ),
}
_ALWAYS_SELECTABLE = frozenset({"metadata.name", "metadata.namespace"})


def label_selector(written: str) -> Selector:
    """Read ``a=b,c!=d,e in (f,g),h notin (i),j,!k``.

    Raises:
        ApiError: ``BadRequest``, it cannot be read.
    """
    requirements = [_requirement(part.strip()) for part in _REQUIREMENT.findall(written) if part.strip()]

    def selected(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(holds(labels) for holds in requirements)

    return selected


def field_selector(resource: Resource, written: str) -> Selector:
    """Read ``metadata.name=web,status.phase!=Running``; as on the real server, few fields can be named.

    Raises:
        ApiError: ``BadRequest``, it cannot be read or the field is not one to select by.
    """
    terms = [_field_term(resource, part.strip()) for part in written.split(",") if part.strip()]
    return lambda obj: all(holds(obj) for holds in terms)


def _requirement(written: str) -> Callable[[Labels], bool]:
    if match := _MEMBERSHIP.fullmatch(written):
        key, wanted = match["key"], match["operator"] == "in"
        values = {value.strip() for value in match["values"].split(",")}
        return lambda labels: (labels.get(key) in values) == wanted
    if match := _COMPARISON.fullmatch(written):
        key, value, wanted = match["key"], match["value"], match["operator"] != "!="
        return lambda labels: (labels.get(key) == value) == wanted
    if match := _EXISTENCE.fullmatch(written):
        key, wanted = match["key"], not match["absent"]
        return lambda labels: (key in labels) == wanted
    message = f"unable to parse requirement: {written!r} is not a label selector"
    raise ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def _field_term(resource: Resource, written: str) -> Selector:
    match = _COMPARISON.fullmatch(written)
    if match is None:
        message = f"invalid field selector: {written!r}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)
    if match["key"] not in _ALWAYS_SELECTABLE | _SELECTABLE.get(resource.key, frozenset()):
        raise ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", _not_selectable(resource, match["key"]))
    path, value, wanted = match["key"].split("."), match["value"], match["operator"] != "!="
    return lambda obj: (_text_at(obj, path) == value) == wanted


def _not_selectable(resource: Resource, key: str) -> str:
    if resource.key in _SELECTABLE:
        return f"field label not supported: {key}"
    return f'"{key}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _text_at(obj: Object, path: list[str]) -> str:
    """What is at ``path`` as selectors compare it: absent is empty, ``true`` in lower case."""
    found: object = obj
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if found is None:
        return ""
    return str(found).lower() if isinstance(found, bool) else str(found)
