"""How the lists and maps of a type merge: by key, as a set, or as one value.

Strategic merge patch, server-side apply and field ownership all ask the same question; built-in types answer
it by field name (kubernetes ``staging/src/k8s.io/api``, the ``patchMergeKey`` and ``listType`` markers),
custom ones by their schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


class Shape(Protocol):
    """What is known of one place in an object."""

    @property
    def atomic(self) -> bool:
        """Whether the map here is one value, replaced and owned as a whole."""

    @property
    def is_set(self) -> bool:
        """Whether the list here is a set of scalars."""

    def member(self, name: str) -> Shape:
        """Return the shape of a field of the map here."""

    def element(self) -> Shape:
        """Return the shape of the items of the list here."""

    def keys(self, item: Any) -> tuple[str, ...] | None:
        """Return the fields that tell the items of the list here apart, ``None`` if it is one value."""


_LIST_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "conditions": (("type",),),
    "containers": (("name",),),
    "env": (("name",),),
    "ephemeralContainers": (("name",),),
    "hostAliases": (("ip",),),
    "imagePullSecrets": (("name",),),
    "initContainers": (("name",),),
    "ownerReferences": (("uid",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "volumeDevices": (("devicePath",),),
    "volumeMounts": (("mountPath",),),
    "volumes": (("name",),),
}
"""Alternatives are told apart by the item: ports of a container and of a Service have different keys."""

_SETS = frozenset({"finalizers"})
_ATOMIC_MAPS = frozenset(
    {"selector", "nodeSelector", "configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef"}
)


@dataclass(frozen=True, slots=True)
class BuiltInShape:
    """The shape of a place in a built-in type: its field name says it all."""

    name: str = ""

    @property
    def atomic(self) -> bool:
        """Whether the map here is one value."""
        return self.name in _ATOMIC_MAPS

    @property
    def is_set(self) -> bool:
        """Whether the list here is a set of scalars."""
        return self.name in _SETS

    def member(self, name: str) -> Shape:
        """Return the shape of a field of the map here."""
        return BuiltInShape(name)

    def element(self) -> Shape:
        """Return the shape of the items of the list here."""
        return BuiltInShape()

    def keys(self, item: Any) -> tuple[str, ...] | None:
        """Return the fields that tell the items of the list here apart."""
        if not isinstance(item, dict):
            return None
        return next((keys for keys in _LIST_KEYS.get(self.name, ()) if keys[0] in item), None)


@dataclass(frozen=True, slots=True)
class SchemaShape:
    """The shape of a place in a custom type, by its structural schema."""

    schema: dict[str, Any] = field(default_factory=dict)
    is_root: bool = False

    @property
    def atomic(self) -> bool:
        """Whether the map here is one value."""
        return self.schema.get("x-kubernetes-map-type") == "atomic"

    @property
    def is_set(self) -> bool:
        """Whether the list here is a set of scalars."""
        return self.schema.get("x-kubernetes-list-type") == "set"

    def member(self, name: str) -> Shape:
        """Return the shape of a field of the map here; ``metadata`` is that of every type."""
        if self.is_root and name == "metadata":
            return BuiltInShape(name)
        extra = self.schema.get("additionalProperties")
        fallback = extra if isinstance(extra, dict) else {}
        return SchemaShape(self.schema.get("properties", {}).get(name, fallback))

    def element(self) -> Shape:
        """Return the shape of the items of the list here."""
        return SchemaShape(self.schema.get("items", {}))

    def keys(self, item: Any) -> tuple[str, ...] | None:
        """Return the fields that tell the items of the list here apart."""
        if self.schema.get("x-kubernetes-list-type") != "map" or not isinstance(item, dict):
            return None
        return tuple(self.schema["x-kubernetes-list-map-keys"])


_KEY_DEFAULTS = {"protocol": "TCP"}


def item_key(item: dict[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    """Return what tells ``item`` apart from the others of its list."""
    return tuple(item.get(key, _KEY_DEFAULTS.get(key)) for key in keys)
