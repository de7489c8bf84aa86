"""An object or a list of them as the client asked for it: as it is, as a table, or its metadata alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from saferollout.sim.apiserver.columns import Column
from saferollout.sim.resources import Resource
from saferollout.sim.store import Object


class Representation(Protocol):
    """How objects are shown."""

    def one(self, obj: Object) -> dict[str, Any]:
        """Show a single object."""

    def many(self, resource: Resource, objects: Sequence[Object], metadata: dict[str, Any]) -> dict[str, Any]:
        """Show a list; ``metadata`` is the list's own."""


class Whole:
    """Objects as they are."""

    def one(self, obj: Object) -> dict[str, Any]:
        """Show a single object."""
        return obj

    def many(self, resource: Resource, objects: Sequence[Object], metadata: dict[str, Any]) -> dict[str, Any]:
        """Show a list."""
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": metadata,
            "items": objects,
        }


class MetadataOnly:
    """Nothing but metadata, as metadata informers ask for it."""

    def one(self, obj: Object) -> dict[str, Any]:
        """Show a single object."""
        return {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }

    def many(self, _: Resource, objects: Sequence[Object], metadata: dict[str, Any]) -> dict[str, Any]:
        """Show a list."""
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": [self.one(each) for each in objects],
        }


class Table:
    """Rows of cells, as ``kubectl get`` prints them. ``now`` is for ages (seconds since the epoch).

    With a row comes its object: whole, its metadata, or nothing (``includeObject``).
    """

    def __init__(self, columns: Sequence[Column], now: float, include: str) -> None:
        self._columns = columns
        self._now = now
        self._include = include

    def one(self, obj: Object) -> dict[str, Any]:
        """Show a single object."""
        return self._table([obj], {"resourceVersion": obj["metadata"]["resourceVersion"]})

    def many(self, _: Resource, objects: Sequence[Object], metadata: dict[str, Any]) -> dict[str, Any]:
        """Show a list."""
        return self._table(objects, metadata)

    def _table(self, objects: Sequence[Object], metadata: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "columnDefinitions": [
                {
                    "name": each.name,
                    "type": each.type,
                    "format": each.format,
                    "description": each.description,
                    "priority": each.priority,
                }
                for each in self._columns
            ],
            "rows": [
                {
                    "cells": [column.cell(each, self._now) for column in self._columns],
                    "object": self._included(each),
                }
                for each in objects
            ],
        }

    def _included(self, obj: Object) -> Object | None:
        match self._include:
            case "Object":
                return obj
            case "None":
                return None
            case _:
                return MetadataOnly().one(obj)


def representation(
    accept: str, columns: Sequence[Column], now: float, include: str = "Metadata"
) -> Representation:
    """Choose by the ``Accept`` header; what it names first counts."""
    first = accept.partition(",")[0].replace(" ", "").split(";")
    if "as=Table" in first and "g=meta.k8s.io" in first:
        return Table(columns, now, include)
    if any(part.startswith("as=PartialObjectMetadata") for part in first):
        return MetadataOnly()
    return Whole()
