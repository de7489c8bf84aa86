"""What apiextensions.k8s.io/v1 asks of a structural schema, and whether a value conforms to one."""

import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_KEYWORDS = {
    "object": {"properties", "required", "x-kubernetes-map-type"},
    "array": {"items", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"},
    "string": {"pattern", "format", "minLength", "maxLength", "enum"},
    "integer": {"minimum", "maximum"},
    "boolean": set(),
}
_INT_OR_STRING_KEYWORDS = {
    "anyOf",
    "x-kubernetes-int-or-string",
    "minimum",
    "maximum",
    "maxLength",
    "pattern",
}
_ANY_KEYWORDS = {"type", "description", "default", "x-kubernetes-validations"}


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema in a schema, by the path of the field it is for."""
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def complaints(schema: Schema) -> list[str]:
    """Why an API server would refuse the schema, or leave the user without help."""
    return [f"{path or 'root'}: {why}" for path, node in nodes(schema) for why in _complaints(node)]


def _complaints(node: Schema) -> Iterator[str]:
    is_int_or_string = node.get("x-kubernetes-int-or-string") is True
    if is_int_or_string:
        allowed = _ANY_KEYWORDS - {"type"} | _INT_OR_STRING_KEYWORDS
        if node.get("anyOf") != _INT_OR_STRING:
            yield "int-or-string with other alternatives"
    elif node.get("type") in _KEYWORDS:
        allowed = _ANY_KEYWORDS | _KEYWORDS[node["type"]]
    else:
        yield f"no type that is known: {node.get('type')}"
        return
    yield from (f"{keyword} has no place here" for keyword in node.keys() - allowed)
    if node.get("type") == "array":
        yield from _list_complaints(node)
    yield from (f"{name} is required but no property" for name in _missing(node, node.get("required", [])))
    yield from (f"default: {why}" for why in (violations(node["default"], node) if "default" in node else ()))
    for each in node.get("x-kubernetes-validations", []):
        if each.keys() != {"rule", "message"} or "\n" in each["message"] or "write" not in each["message"]:
            yield f"a rule without a message that says what to write: {each}"


def _list_complaints(node: Schema) -> Iterator[str]:
    items = node.get("items", {})
    match node.get("x-kubernetes-list-type"):
        case "map":
            keys = node.get("x-kubernetes-list-map-keys", [])
            yield from (f"{key} is a key but no property of the items" for key in _missing(items, keys))
            yield from (
                f"{key} is a key but not required" for key in set(keys) - set(items.get("required", []))
            )
        case "set":
            if items.get("type") == "object":
                yield "a set of objects: server-side apply refuses it"
        case "atomic":
            pass
        case other:
            yield f"a list of type {other}: two appliers could not share it as meant"


def _missing(node: Schema, names: list[str]) -> set[str]:
    known: Schema = node.get("properties", {})
    return {name for name in names if name not in known}


def violations(value: object, schema: Schema, path: str = "value") -> list[str]:
    """Why an API server would refuse the value, and what it would prune from it."""
    kinds: Any = (int, str) if schema.get("x-kubernetes-int-or-string") else _TYPES[schema["type"]]
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        return [f"{path}: {value!r} is no {schema.get('type', 'int or string')}"]
    match value:
        case dict():
            return list(_object_violations(value, schema, path))
        case list():
            return list(_list_violations(value, schema, path))
        case _:
            return list(_scalar_violations(value, schema, path))


def _object_violations(value: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{path}: {name} is missing" for name in schema.get("required", []) if name not in value)
    yield from (f"{path}: {name} would be pruned" for name in value.keys() - properties.keys())
    for name in value.keys() & properties.keys():
        yield from violations(value[name], properties[name], f"{path}.{name}")


def _list_violations(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    for index, each in enumerate(value):
        yield from violations(each, schema["items"], f"{path}[{index}]")
    keys = schema.get("x-kubernetes-list-map-keys")
    identities = [tuple(each[key] for key in keys) for each in value] if keys else []
    if len(set(identities)) < len(identities):
        yield f"{path}: {keys} stand there twice"


def _scalar_violations(value: object, schema: Schema, path: str) -> Iterator[str]:
    if value not in schema.get("enum", [value]):
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        yield f"{path}: {value!r} is too short"
    if isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{path}: {value} is below {schema['minimum']}"
