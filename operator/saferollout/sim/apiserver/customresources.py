"""CustomResourceDefinitions: installing one serves its type, with schema, printer columns and status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saferollout.sim.apiserver.schema import Schema, root_schema
from saferollout.sim.apiserver.shapes import BuiltInShape, SchemaShape, Shape
from saferollout.sim.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource
from saferollout.sim.store import Change, Object, Store
from saferollout.sim.timestamps import timestamp


@dataclass(frozen=True, slots=True)
class Definition:
    """A custom type as its definition describes it; of several versions, the stored one is served."""

    resource: Resource
    schema: Schema
    columns: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, definition: Object) -> Definition:
        """Read a CustomResourceDefinition."""
        spec = definition["spec"]
        names, version = spec["names"], next(each for each in spec["versions"] if each["storage"])
        resource = Resource(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            namespaced=spec["scope"] == "Namespaced",
            singular=names.get("singular") or names["kind"].lower(),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=frozenset({"status"} & (version.get("subresources") or {}).keys()),
            counts_generations=True,
        )
        schema = root_schema((version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"})
        return cls(resource, schema, tuple(version.get("additionalPrinterColumns") or ()))


class CustomResources:
    """The custom types that are served, kept in step with the definitions in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._definitions: dict[str, Definition] = {}
        for each in store.list(CUSTOM_RESOURCE_DEFINITIONS):
            self._serve(each)
        store.subscribe(self._follow)

    def definition(self, resource: Resource) -> Definition | None:
        """Return how a type is defined, ``None`` for a built-in one."""
        return self._definitions.get(resource.key)

    def shape(self, resource: Resource) -> Shape:
        """Return how the lists and maps of a type merge."""
        definition = self.definition(resource)
        return SchemaShape(definition.schema, is_root=True) if definition else BuiltInShape()

    def _follow(self, change: Change) -> None:
        if change.resource != CUSTOM_RESOURCE_DEFINITIONS:
            return
        if change.type == "DELETED":
            definition = self._definitions.pop(change.object["metadata"]["name"])
            self._store.unregister(definition.resource)
        elif change.old is None or change.old["spec"] != change.object["spec"]:
            self._serve(change.object)

    def _serve(self, obj: Object) -> None:
        definition = Definition.read(obj)
        self._definitions[definition.resource.key] = definition
        self._store.register(definition.resource)
        now = timestamp(self._store.timeline.now)
        conditions = [
            _true("NamesAccepted", "NoConflicts", "no conflicts found", now),
            _true("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
        ]
        status = {
            "conditions": (obj.get("status") or {}).get("conditions") or conditions,
            "acceptedNames": obj["spec"]["names"],
            "storedVersions": [definition.resource.version],
        }
        self._store.update_status(
            CUSTOM_RESOURCE_DEFINITIONS, {"metadata": {"name": obj["metadata"]["name"]}, "status": status}
        )


def _true(kind: str, reason: str, message: str, now: str) -> dict[str, str]:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
    }
