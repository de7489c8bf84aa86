"""Sets of fields, as ``metadata.managedFields`` writes them (``FieldsV1``).

A path is a tuple of steps in that notation: ``f:spec`` a field, ``k:{"name":"web"}`` a list item by its keys,
``v:"x"`` a member of a set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from saferollout.sim.apiserver.shapes import Shape, item_key
from saferollout.sim.store import Object

Path = tuple[str, ...]
Fields = frozenset[Path]

PRESENT = object()
"""The value of a list item as such, apart from the fields in it."""

_UNOWNED = frozenset({("f:apiVersion",), ("f:kind",)}) | {
    ("f:metadata", f"f:{name}")
    for name in (
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    )
}


def owned_values(obj: Object, shape: Shape) -> dict[Path, Any]:
    """Return every field of ``obj`` that a manager can own, with its value."""
    metadata = {name: value for name, value in obj.get("metadata", {}).items() if name != "managedFields"}
    leaves = dict(_leaves({**obj, "metadata": metadata}, shape, ()))
    return {path: value for path, value in leaves.items() if path not in _UNOWNED and path != ("f:metadata",)}


def _leaves(value: Any, shape: Shape, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and not shape.atomic:
        for name, member in value.items():
            yield from _leaves(member, shape.member(name), (*path, f"f:{name}"))
    elif isinstance(value, list) and value and shape.is_set:
        for member in value:
            yield (*path, member_step(member)), PRESENT
    elif isinstance(value, list) and value and (keys := shape.keys(value[0])):
        for item in value:
            step = (*path, item_step(item, keys))
            yield step, PRESENT
            yield from _leaves(item, shape.element(), step)
    else:
        yield path, value


def item_step(item: dict[str, Any], keys: tuple[str, ...]) -> str:
    """Write the step to a list item, ``k:{"name":"web"}``."""
    return f"k:{_written(dict(zip(keys, item_key(item, keys), strict=True)))}"


def member_step(member: Any) -> str:
    """Write the step to a member of a set, ``v:"x"``."""
    return f"v:{_written(member)}"


def _written(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def read_fields(written: dict[str, Any]) -> Fields:
    """Read ``fieldsV1``."""
    return frozenset(_read(written, ()))


def _read(node: dict[str, Any], path: Path) -> Iterator[Path]:
    if path and (not node or "." in node):
        yield path
    for step, child in node.items():
        if step != ".":
            yield from _read(child, (*path, step))


def write_fields(fields: Fields) -> dict[str, Any]:
    """Write ``fieldsV1``."""
    root: dict[str, Any] = {}
    for path in sorted(fields):  # a list item before the fields in it
        node = root
        for depth, step in enumerate(path):
            if step not in node:
                node[step] = {}
                if depth and path[:depth] in fields:
                    node["."] = {}
            node = node[step]
    return root


def readable(path: Path) -> str:
    """Write a path as conflicts name it: ``.spec.template.spec.containers[name="web"].image``."""
    return "".join(_readable_step(step[:2], step[2:]) for step in path)


def _readable_step(kind: str, rest: str) -> str:
    match kind:
        case "f:":
            return f".{rest}"
        case "k:":
            keys = orjson.loads(rest).items()
            return f"[{','.join(f'{name}={_written(value)}' for name, value in keys)}]"
        case _:
            return f"[={rest}]"
