"""Structural schemas of custom resources: defaults, pruning and validation, in that order on the real server.

CEL rules (``x-kubernetes-validations``) are not evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from saferollout.sim.apiserver.violations import (
    Violation,
    duplicate,
    invalid,
    required,
    too_long,
    too_many,
    unsupported,
    wrong_type,
)
from saferollout.sim.timestamps import seconds

Schema = dict[str, Any]

_METADATA: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_OF_EVERY_OBJECT: Schema = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": _METADATA,
}


def root_schema(schema: Schema) -> Schema:
    """Return the schema of whole objects: what every object has is added."""
    return {**schema, "properties": {**schema.get("properties", {}), **_OF_EVERY_OBJECT}}


def with_defaults(value: Any, schema: Schema) -> Any:
    """Return ``value`` with what is absent filled in, and nulls dropped where null is no value."""
    if isinstance(value, dict):
        properties: Schema = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        filled = {}
        for name, member in value.items():
            known = properties.get(name) or (extra if isinstance(extra, dict) else {})
            if member is None and known and not known.get("nullable"):
                continue
            filled[name] = with_defaults(member, known)
        for name, known in properties.items():
            if name not in filled and "default" in known:
                filled[name] = with_defaults(known["default"], known)
        return filled
    if isinstance(value, list):
        return [with_defaults(each, schema.get("items", {})) for each in value]
    return value


def pruned(value: Any, schema: Schema, path: str, unknown: list[str]) -> Any:
    """Return ``value`` without the fields that the schema does not know; their paths go to ``unknown``."""
    if isinstance(value, dict):
        properties: Schema = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        keeps = schema.get("x-kubernetes-preserve-unknown-fields") or extra is True
        kept = {}
        for name, member in value.items():
            inner = f"{path}.{name}" if path else name
            if name in properties:
                kept[name] = pruned(member, properties[name], inner, unknown)
            elif isinstance(extra, dict):
                kept[name] = pruned(member, extra, inner, unknown)
            elif keeps:
                kept[name] = member
            else:
                unknown.append(inner)
        return kept
    if isinstance(value, list) and "items" in schema:
        return [pruned(each, schema["items"], f"{path}[{i}]", unknown) for i, each in enumerate(value)]
    return value


def violations(value: Any, schema: Schema, path: str = "") -> Iterator[Violation]:
    """Find everything about ``value`` that the schema does not allow."""
    if value is None and schema.get("nullable"):
        return
    if (wrong := _wrong_type(value, schema, path)) is not None:
        yield wrong
        return
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported(path, value, schema["enum"])
    yield from _alternatives(value, schema, path)
    match value:
        case bool():
            return
        case dict():
            yield from _of_object(value, schema, path)
        case list():
            yield from _of_list(value, schema, path)
        case str():
            yield from _of_text(value, schema, path)
        case int() | float():
            yield from _of_number(value, schema, path)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _type_name(value: Any) -> str:
    return next((name for name, is_one in _TYPES.items() if is_one(value)), "null")


def _wrong_type(value: Any, schema: Schema, path: str) -> Violation | None:
    wanted = ["integer", "string"] if schema.get("x-kubernetes-int-or-string") else [schema.get("type")]
    if wanted == [None] or any(name and _TYPES[name](value) for name in wanted):
        return None
    listed, found = ",".join(name for name in wanted if name), _type_name(value)
    return wrong_type(path, found, f'{path} in body must be of type {listed}: "{found}"')


def _alternatives(value: Any, schema: Schema, path: str) -> Iterator[Violation]:
    for each in schema.get("allOf", ()):
        yield from violations(value, each, path)
    valid = [
        [not any(violations(value, each, path)) for each in schema.get(word, ())]
        for word in ("anyOf", "oneOf")
    ]
    if valid[0] and not any(valid[0]):
        yield invalid(path, value, f"{path} in body must validate at least one schema (anyOf)")
    if valid[1] and sum(valid[1]) != 1:
        yield invalid(path, value, f"{path} in body must validate one and only one schema (oneOf)")
    if "not" in schema and not any(violations(value, schema["not"], path)):
        yield invalid(path, value, f"{path} in body must not validate the schema (not)")


def _of_object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[Violation]:
    def inner(name: str) -> str:
        return f"{path}.{name}" if path else name

    for name in schema.get("required", ()):
        if name not in value:
            yield required(inner(name))
    if (least := schema.get("minProperties", 0)) > len(value):
        yield invalid(path, len(value), f"{path} in body should have at least {least} properties")
    properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
    for name, member in value.items():
        known = properties.get(name, extra if isinstance(extra, dict) else None)
        if known is not None:
            yield from violations(member, known, inner(name))


def _of_list(value: list[Any], schema: Schema, path: str) -> Iterator[Violation]:
    if (least := schema.get("minItems", 0)) > len(value):
        yield invalid(path, len(value), f"{path} in body should have at least {least} items")
    if (most := schema.get("maxItems", len(value))) < len(value):
        yield too_many(path, len(value), most)
    keys = schema.get("x-kubernetes-list-map-keys")
    seen: list[Any] = []
    for index, item in enumerate(value):
        yield from violations(item, schema.get("items", {}), f"{path}[{index}]")
        if schema.get("x-kubernetes-list-type") not in {"set", "map"}:
            continue
        identity = {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item
        if identity in seen:
            yield duplicate(f"{path}[{index}]", identity)
        seen.append(identity)


def _of_text(value: str, schema: Schema, path: str) -> Iterator[Violation]:
    if (least := schema.get("minLength", 0)) > len(value):
        yield invalid(path, value, f"{path} in body should be at least {least} chars long")
    if (most := schema.get("maxLength", len(value))) < len(value):
        yield too_long(path, most)
    if (pattern := schema.get("pattern")) and not re.search(pattern, value):
        yield invalid(path, value, f"{path} in body should match '{pattern}'")
    if schema.get("format") == "date-time":
        try:
            seconds(value)
        except ValueError:
            yield invalid(path, value, f'{path} in body must be of type date-time: "{value}"')


def _of_number(value: float, schema: Schema, path: str) -> Iterator[Violation]:
    least, most, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if least is not None and schema.get("exclusiveMinimum") and value <= least:
        yield invalid(path, value, f"{path} in body should be greater than {least}")
    elif least is not None and value < least:
        yield invalid(path, value, f"{path} in body should be greater than or equal to {least}")
    if most is not None and schema.get("exclusiveMaximum") and value >= most:
        yield invalid(path, value, f"{path} in body should be less than {most}")
    elif most is not None and value > most:
        yield invalid(path, value, f"{path} in body should be less than or equal to {most}")
    if step is not None and value % step:
        yield invalid(path, value, f"{path} in body should be a multiple of {step}")
