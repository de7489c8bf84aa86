"""A Kubernetes API that lists and watches whatever it is given, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

Raw = dict[str, Any]


class KubeEndpoint:
    """Objects by path, one resourceVersion, and a log of every request's query."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        self.refusals: deque[web.Response] = deque()
        self.oldest = 0
        self.version = 100
        self._objects: dict[str, dict[str, Raw]] = {}
        self._history: list[tuple[int, str, Raw]] = []
        self._changed = asyncio.Event()
        self._watches: list[asyncio.Transport] = []

    def put(self, path: str, *objects: Raw) -> None:
        """Create or replace objects."""
        for raw in objects:
            known = raw["metadata"]["uid"] in self._objects.setdefault(path, {})
            self._record("MODIFIED" if known else "ADDED", path, raw)
            self._objects[path][raw["metadata"]["uid"]] = raw

    def delete(self, path: str, uid: str) -> None:
        """Delete an object."""
        self._record("DELETED", path, self._objects[path].pop(uid))

    def forget(self) -> None:
        """Compact: nothing before now can be watched any more."""
        self.oldest = self.version

    def bookmark(self, path: str) -> None:
        """Tell the watches how far they are."""
        self._record("BOOKMARK", path, {"metadata": {}})

    def error(self, path: str, code: int) -> None:
        """Say an error in the stream."""
        self._append(path, {"type": "ERROR", "object": status(code, "something broke")})

    def disconnect(self) -> None:
        """Cut every watch off in mid-air."""
        for transport in self._watches:
            transport.abort()

    def lists(self) -> int:
        """How many lists were begun."""
        return sum("watch" not in query and "continue" not in query for _, query in self.requests)

    def watches(self) -> list[str]:
        """The resourceVersions that were watched from."""
        return [query["resourceVersion"] for _, query in self.requests if "watch" in query]

    def _record(self, kind: str, path: str, raw: Raw) -> None:
        self.version += 1
        raw["metadata"]["resourceVersion"] = str(self.version)
        self._append(path, {"type": kind, "object": json.loads(json.dumps(raw))})

    def _append(self, path: str, event: Raw) -> None:
        self._history.append((self.version, path, event))
        self._changed.set()
        self._changed = asyncio.Event()

    def application(self) -> web.Application:
        """What is to be served."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path, dict(request.query)))
        if self.refusals:
            return self.refusals.popleft()
        if "watch" in request.query:
            return await self._watch(request)
        items = list(self._objects.get(request.path, {}).values())
        start, limit = int(request.query.get("continue", 0)), int(request.query["limit"])
        following = str(start + limit) if start + limit < len(items) else ""
        meta = {"resourceVersion": str(self.version), "continue": following}
        return web.json_response({"metadata": meta, "items": items[start : start + limit]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        at = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        if at < self.oldest:
            await response.write(line({"type": "ERROR", "object": status(410, "too old resource version")}))
            return response
        sent = sum(version <= at for version, _, _ in self._history)
        assert request.transport is not None
        self._watches.append(request.transport)
        try:
            while True:
                changed = self._changed
                news = b"".join(
                    line(event) for _, path, event in self._history[sent:] if path == request.path
                )
                sent = len(self._history)
                for half in (news[: len(news) // 2], news[len(news) // 2 :]):
                    await response.write(half)
                    await asyncio.sleep(0)
                await changed.wait()
        finally:
            self._watches.remove(request.transport)


def status(code: int, message: str, **details: Any) -> Raw:
    """The API's word for an error."""
    return {"kind": "Status", "status": "Failure", "code": code, "message": message, "details": details}


def line(event: Raw) -> bytes:
    return json.dumps(event).encode() + b"\n"


@asynccontextmanager
async def client(host: str) -> AsyncIterator[ApiClient]:
    """A client of the official library."""
    async with ApiClient(Configuration(host=host)) as api:
        yield api


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true that nobody announces, for 15 s at most."""
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)
