"""Lists: selected, in order, and page by page from one unchanging snapshot."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from saferollout.sim.apiserver.requests import Target, whole_number
from saferollout.sim.apiserver.selectors import Selector, field_selector, label_selector
from saferollout.sim.errors import ApiError
from saferollout.sim.resources import Resource
from saferollout.sim.store import Object, Store

_SNAPSHOTS = 64
"""Lists that can be continued at a time; the oldest go first, and end in ``410 Gone``."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects of a list, and the metadata of the list."""

    objects: list[Object]
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of a list that is being read in pages."""

    version: str
    objects: list[Object]


def selector(resource: Resource, query: Mapping[str, str]) -> Selector:
    """Read ``labelSelector`` and ``fieldSelector``.

    Raises:
        ApiError: ``BadRequest``, one of them cannot be read.
    """
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    by_label = label_selector(labels) if labels else None
    by_field = field_selector(resource, fields) if fields else None
    return lambda obj: (by_label is None or by_label(obj)) and (by_field is None or by_field(obj))


class Reader:
    """Answers lists."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rests: OrderedDict[str, _Rest] = OrderedDict()

    def page(self, at: Target, query: Mapping[str, str]) -> Page:
        """Return the first page, or the one that ``continue`` stands for.

        Raises:
            ApiError: ``BadRequest`` for a query that cannot be read, ``Expired`` for a ``continue`` that is
                no longer known, ``Timeout`` for a version that is yet to come.
        """
        rest = self._continued(query["continue"]) if query.get("continue") else self._selected(at, query)
        limit = whole_number(query, "limit") or len(rest.objects)
        objects, left = rest.objects[:limit], rest.objects[limit:]
        metadata: dict[str, Any] = {"resourceVersion": rest.version}
        if left:
            token = secrets.token_urlsafe(16)
            self._rests[token] = _Rest(rest.version, left)
            if len(self._rests) > _SNAPSHOTS:
                self._rests.popitem(last=False)
            metadata |= {"continue": token, "remainingItemCount": len(left)}
        return Page(objects, metadata)

    def _selected(self, at: Target, query: Mapping[str, str]) -> _Rest:
        version = whole_number(query, "resourceVersion")
        if version > self._store.version:
            message = f"Timeout: Too large resource version: {version}, current: {self._store.version}"
            raise ApiError(HTTPStatus.GATEWAY_TIMEOUT, "Timeout", message, {"retryAfterSeconds": 1})
        selected = selector(at.resource, query)
        objects = [each for each in self._store.list(at.resource, at.namespace) if selected(each)]
        objects.sort(key=_place)
        return _Rest(str(self._store.version), objects)

    def _continued(self, token: str) -> _Rest:
        rest = self._rests.get(token)
        if rest is None:
            message = "The provided continue parameter is too old to display a consistent list result."
            raise ApiError(HTTPStatus.GONE, "Expired", message)
        return rest


def _place(obj: Object) -> tuple[str, str]:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
