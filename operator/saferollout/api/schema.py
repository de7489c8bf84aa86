"""Turns pydantic's JSON schema into the structural schema that a CustomResourceDefinition takes.

Structural schemas (apiextensions.k8s.io/v1) have no references, no unions but int-or-string, and no null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_KEYWORDS = (
    "description",
    "type",
    "format",
    "anyOf",
    "x-kubernetes-int-or-string",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "enum",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
    "required",
    "properties",
    "items",
)
"""What a structural schema may say here, in the order in which it reads best."""

_NULL = {"type": "null"}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]

Schema = dict[str, Any]


class NotStructuralError(ValueError):
    """A model says something that a structural schema cannot."""


def structural(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a model, its JSON names and its descriptions included.

    Raises:
        NotStructuralError: If the model uses a keyword or a union that cannot be carried over.
    """
    schema = model.model_json_schema(by_alias=True)
    return _flat(schema, schema.get("$defs", {}))


def _flat(node: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    flat: Schema = {}
    for keyword, value in _resolved(node, definitions).items():
        match keyword:
            case "$defs" | "title":
                continue
            case "properties":
                flat["properties"] = {name: _flat(each, definitions) for name, each in value.items()}
            case "items":
                flat["items"] = _flat(value, definitions)
            case "anyOf" if value == _INT_OR_STRING:
                flat |= {"anyOf": value, "x-kubernetes-int-or-string": True}
            case "anyOf":
                raise NotStructuralError(f"the only union is int or string, not {value!r}")
            case "default" if value in (None, []):
                continue
            case "default" if isinstance(value, Mapping):
                flat["default"] = {name: each for name, each in value.items() if each not in (None, [])}
            case _ if keyword in _KEYWORDS:
                flat[keyword] = value
            case _:
                raise NotStructuralError(f"a structural schema has no place for {keyword}: {value!r}")
    return {keyword: flat[keyword] for keyword in _KEYWORDS if keyword in flat}


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Put what a node refers to in its place, under the keywords the node has of its own.

    An optional member becomes a plain one: where pydantic says null, Kubernetes leaves the member out.
    """
    own = dict(node)
    if "anyOf" in own and _NULL in own["anyOf"]:
        others = [each for each in own.pop("anyOf") if each != _NULL]
        own = {**(others[0] if len(others) == 1 else {"anyOf": others}), **own}
    if "$ref" in own:
        own = {**definitions[own.pop("$ref").removeprefix("#/$defs/")], **own}
    return own
