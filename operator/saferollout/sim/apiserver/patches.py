"""The three classic patches, as pure functions: nothing given to them is changed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson

from saferollout.sim.apiserver.shapes import Shape, item_key
from saferollout.sim.errors import ApiError
from saferollout.sim.store import Object


def merge_patch(current: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(current: Object, operations: list[dict[str, Any]]) -> Object:
    """Apply a JSON patch (RFC 6902).

    Raises:
        ApiError: ``Invalid``, an operation has no place to act on, or a test fails.
    """
    document = {"": orjson.loads(orjson.dumps(current))}
    for operation in operations:
        try:
            _operate(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            message = "the server rejected our request due to an error in our request"
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message) from error
    result: Object = document[""]
    return result


def _operate(document: dict[str, Any], operation: dict[str, Any]) -> None:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            _add(document, path, operation["value"])
        case "remove":
            _remove(document, path)
        case "replace":
            _remove(document, path)
            _add(document, path, operation["value"])
        case "move":
            _add(document, path, _remove(document, _pointer(operation["from"])))
        case "copy":
            _add(document, path, orjson.loads(orjson.dumps(_find(document, _pointer(operation["from"])))))
        case "test":
            if _find(document, path) != operation["value"]:
                raise ValueError("testing value failed")
        case unknown:
            raise ValueError(f"unknown operation {unknown}")


def _pointer(written: str) -> list[str]:
    """Split a JSON pointer; its first part, empty, is the whole document."""
    return [part.replace("~1", "/").replace("~0", "~") for part in written.split("/")]


def _find(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _add(document: Any, path: list[str], value: Any) -> None:
    parent, last = _find(document, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    elif int(last) > len(parent):
        raise IndexError("list index out of range")
    else:
        parent.insert(int(last), value)


def _remove(document: Any, path: list[str]) -> Any:
    parent, last = _find(document, path[:-1]), path[-1]
    return parent.pop(int(last)) if isinstance(parent, list) else parent.pop(last)


_DELETE_FROM_LIST = "$deleteFromPrimitiveList/"


def strategic_merge_patch(current: Object, patch: Object, shape: Shape) -> Object:
    """Apply a strategic merge patch: lists with keys merge item by item, directives start with ``$``.

    ``$setElementOrder`` is not followed: merged lists keep their order, new items go to the end.
    """
    directive = patch.get("$patch")
    kept = {} if directive in {"replace", "delete"} else dict(current)
    if (retained := patch.get("$retainKeys")) is not None:
        kept = {name: value for name, value in kept.items() if name in retained}
    for name, value in patch.items():
        if name.startswith(_DELETE_FROM_LIST):
            target = name.removeprefix(_DELETE_FROM_LIST)
            kept[target] = [each for each in kept.get(target, ()) if each not in value]
        elif name.startswith("$"):
            continue
        elif value is None:
            kept.pop(name, None)
        elif isinstance(value, dict):
            before = kept.get(name)
            kept[name] = strategic_merge_patch(
                before if isinstance(before, dict) else {}, value, shape.member(name)
            )
        elif isinstance(value, list):
            kept[name] = _merge_lists(kept.get(name) or [], value, shape.member(name))
        else:
            kept[name] = value
    return kept


def _merge_lists(current: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    if shape.is_set:
        return [*current, *(each for each in patch if each not in current)]
    items = [each for each in patch if not (isinstance(each, dict) and each.get("$patch") == "replace")]
    keys = next((found for each in items if (found := shape.keys(each))), None)
    if keys is None or len(items) < len(patch):
        return items
    keys = keys[:1]  # a strategic patch tells ports apart by number only, unlike server-side apply
    merged = {item_key(each, keys): each for each in current}
    for item in items:
        key = item_key(item, keys)
        if item.get("$patch") == "delete":
            merged.pop(key, None)
        else:
            merged[key] = strategic_merge_patch(merged.get(key, {}), item, shape.element())
    return list(merged.values())
