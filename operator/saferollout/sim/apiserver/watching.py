"""A watch: what is there, then every change as the client's selector sees it, with bookmarks in between."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from saferollout.sim.apiserver.history import History
from saferollout.sim.apiserver.reading import selector
from saferollout.sim.apiserver.representation import Representation
from saferollout.sim.apiserver.requests import Target, whole_number
from saferollout.sim.apiserver.selectors import Selector
from saferollout.sim.errors import ApiError
from saferollout.sim.store import Change, Object, Store

BOOKMARK_SECONDS = 2.0
"""How often a client that allows it is told how far it has come."""

_NO_STREAMING_LIST = (
    "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch "
    "unless the WatchList feature gate is enabled"
)


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch as it was asked for. ``version`` is ``None`` for one that begins with what is there."""

    target: Target
    version: int | None
    bookmarks: bool
    selected: Selector
    shown: Representation


def watch(at: Target, query: Mapping[str, str], shown: Representation) -> Watch:
    """Read the query of a watch.

    Raises:
        ApiError: ``Invalid`` for a streaming list, as a server without ``WatchList`` says it (clients then
            list and watch); ``BadRequest`` for a query that cannot be read.
    """
    if query.get("sendInitialEvents"):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", _NO_STREAMING_LIST)
    version = whole_number(query, "resourceVersion") or None
    bookmarks = query.get("allowWatchBookmarks") in {"true", "1"}
    return Watch(at, version, bookmarks, selector(at.resource, query), shown)


async def events(asked: Watch, store: Store, history: History) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the events of a watch for as long as it is asked to go on.

    Raises:
        ApiError: ``Expired``, the client has to list again.
    """
    version = store.version if asked.version is None else asked.version
    if asked.version is None:
        for obj in store.list(asked.target.resource, asked.target.namespace):
            if asked.selected(obj):
                yield {"type": "ADDED", "object": asked.shown.one(obj)}
    told_at = time.monotonic()
    async with aclosing(history.follow(asked.target.resource, version, BOOKMARK_SECONDS)) as changes:
        async for at, change in changes:
            event = _event(asked, change) if change else None
            if event:
                yield event
            elif asked.bookmarks and time.monotonic() - told_at >= BOOKMARK_SECONDS:
                told_at = time.monotonic()
                yield {"type": "BOOKMARK", "object": _bookmark(asked.target, at)}


def _event(asked: Watch, change: Change) -> dict[str, Any] | None:
    """Show a change as the client sees it: objects come into its selection and leave it."""
    namespace = asked.target.namespace
    if namespace is not None and change.object["metadata"].get("namespace") != namespace:
        return None
    before = change.old is not None and asked.selected(change.old)
    after = change.type != "DELETED" and asked.selected(change.object)
    kind = {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}.get((before, after))
    return {"type": kind, "object": asked.shown.one(change.object)} if kind else None


def _bookmark(at: Target, version: int) -> Object:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    return {"kind": at.resource.kind, "apiVersion": at.resource.api_version, "metadata": metadata}
