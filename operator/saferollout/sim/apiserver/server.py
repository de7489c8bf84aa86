"""The HTTP server: which part answers which request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from saferollout.sim.apiserver import discovery
from saferollout.sim.apiserver.admission import Admission
from saferollout.sim.apiserver.cascade import Cascade
from saferollout.sim.apiserver.columns import columns
from saferollout.sim.apiserver.customresources import CustomResources
from saferollout.sim.apiserver.defaults import with_defaults
from saferollout.sim.apiserver.deletion import Deleter
from saferollout.sim.apiserver.eviction import SUBRESOURCE, Evictor
from saferollout.sim.apiserver.history import History
from saferollout.sim.apiserver.policies import Policies
from saferollout.sim.apiserver.reading import Reader
from saferollout.sim.apiserver.representation import Representation, representation
from saferollout.sim.apiserver.requests import (
    Target,
    delete_options,
    member,
    method_not_allowed,
    parse,
    target,
    write_options,
)
from saferollout.sim.apiserver.scale import scale_of
from saferollout.sim.apiserver.watching import events, watch
from saferollout.sim.apiserver.writing import Writer, Written
from saferollout.sim.errors import ApiError, not_served
from saferollout.sim.resources import NAMESPACES
from saferollout.sim.store import Store
from saferollout.sim.timeline import Timeline

_LARGEST_BODY = 3 * 1024 * 1024
_FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiServer:
    """Serves a store as a Kubernetes API server would, to whoever asks: every token is the name of its user.

    Requests happen at the wall clock's time, so the timeline is brought up to it before each.
    """

    def __init__(self, store: Store, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self.history = History(store)
        self._custom = CustomResources(store)
        self._writer = Writer(store, Admission(store, self._custom), Policies(store), self._custom)
        self._deleter = Deleter(store, Cascade(store))
        self._evictor = Evictor(store)
        self._reader = Reader(store)
        there = {each["metadata"]["name"] for each in store.list(NAMESPACES)}
        for name in _FIRST_NAMESPACES:
            if name not in there:
                store.create(NAMESPACES, with_defaults(NAMESPACES, {"metadata": {"name": name}}))

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._refusals])
        for path in ("/healthz", "/livez", "/readyz"):
            app.router.add_get(path, _ok)
        app.router.add_get("/version", _version)
        app.router.add_get("/api", _core_versions)
        app.router.add_get("/apis", self._groups)
        app.router.add_get("/api/v1", self._resources)
        app.router.add_get("/apis/{group}", self._group)
        app.router.add_get("/apis/{group}/{version}", self._resources)
        app.router.add_get("/openapi/v3", self._openapi_index)
        app.router.add_get("/openapi/v3/{path:.+}", self._openapi)
        app.router.add_route("*", "/{path:apis?/.+}", self._dispatch)
        return app

    async def _groups(self, _: web.Request) -> web.Response:
        return _json(discovery.groups(self._store))

    async def _openapi_index(self, _: web.Request) -> web.Response:
        return _json(discovery.openapi_index(self._store))

    async def _resources(self, request: web.Request) -> web.Response:
        group, version = request.match_info.get("group"), request.match_info.get("version")
        return _found(discovery.resources(self._store, f"{group}/{version}" if group else "v1"))

    async def _group(self, request: web.Request) -> web.Response:
        return _found(discovery.group(self._store, request.match_info["group"]))

    async def _openapi(self, request: web.Request) -> web.Response:
        return _found(discovery.openapi(self._store, request.match_info["path"]))

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._timeline.run_until(time.time())
        try:
            return await handler(request)
        except ApiError as error:
            return _json(_status(error), error.status)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        at, query = target(self._store, request.path), request.query
        if at.subresource == SUBRESOURCE:
            return await self._evict(request, at)
        match request.method:
            case "GET" if at.name is None and query.get("watch") in {"true", "1"}:
                return await self._watch(request, at)
            case "GET":
                return self._read(request, at)
            case "DELETE":
                return await self._delete(request, at)
        options = write_options(query, request.headers)
        body = parse(await request.read())
        match request.method:
            case "POST":
                written = self._writer.create(at, body, options)
            case "PUT":
                written = self._writer.replace(at, body, options)
            case "PATCH":
                written = self._writer.patch(at, request.content_type, body, options)
            case _:
                raise method_not_allowed()
        return self._written(request, at, written)

    def _read(self, request: web.Request, at: Target) -> web.Response:
        shown = self._shown(request, at)
        if at.name is None:
            page = self._reader.page(at, request.query)
            return _json(shown.many(at.resource, page.objects, page.metadata))
        obj = self._store.get(at.resource, at.namespace, at.name)
        return _json(scale_of(obj) if at.subresource == "scale" else shown.one(obj))

    async def _watch(self, request: web.Request, at: Target) -> web.StreamResponse:
        asked = watch(at, request.query, self._shown(request, at))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            async with (
                asyncio.timeout(float(request.query.get("timeoutSeconds") or 0) or None),
                aclosing(events(asked, self._store, self.history)) as following,
            ):
                async for event in following:
                    await response.write(orjson.dumps(event) + b"\n")
        except TimeoutError:
            pass  # the client said how long it would listen
        except ApiError as error:
            await response.write(orjson.dumps({"type": "ERROR", "object": _status(error)}) + b"\n")
        return response

    async def _delete(self, request: web.Request, at: Target) -> web.Response:
        body = await request.read()
        options = delete_options(request.query, parse(body) if body else {})
        if at.name is not None:
            return _json(self._deleter.delete(at, options))
        page = self._reader.page(at, request.query)
        for each in page.objects:
            self._deleter.delete(member(at, each), options)
        return _json(self._shown(request, at).many(at.resource, page.objects, page.metadata))

    async def _evict(self, request: web.Request, at: Target) -> web.Response:
        if request.method != "POST":
            raise method_not_allowed()
        options = write_options(request.query, request.headers)
        body = parse(await request.read())
        return _json(self._evictor.evict(at, body, dry_run=options.dry_run), HTTPStatus.CREATED)

    def _written(self, request: web.Request, at: Target, written: Written) -> web.Response:
        shown = written.object if at.subresource else self._shown(request, at).one(written.object)
        response = _json(shown, HTTPStatus.CREATED if written.created else HTTPStatus.OK)
        for warning in written.warnings:
            response.headers.add("Warning", f"299 - {orjson.dumps(warning).decode()}")
        return response

    def _shown(self, request: web.Request, at: Target) -> Representation:
        definition = self._custom.definition(at.resource)
        printed = definition.columns if definition else None
        return representation(
            request.headers.get("Accept", ""),
            columns(at.resource, printed),
            self._timeline.now,
            request.query.get("includeObject", "Metadata"),
        )


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _version(_: web.Request) -> web.Response:
    return _json(discovery.VERSION)


async def _core_versions(_: web.Request) -> web.Response:
    return _json(discovery.core_versions())


def _json(answer: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=orjson.dumps(answer), status=status, content_type="application/json")


def _found(answer: dict[str, Any] | None) -> web.Response:
    if answer is None:
        raise not_served()
    return _json(answer)


def _status(error: ApiError) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "code": error.status.value,
        **({"details": error.details} if error.details else {}),
    }
