"""The real API server's objects as JSON, over HTTP: the little that a kubelet and a test need of a client."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from http import HTTPStatus
from types import TracebackType
from typing import Literal

import aiohttp
import orjson

from controlplane.plane import ControlPlane
from saferollout.sim.errors import ApiError
from saferollout.sim.resources import Resource
from saferollout.sim.store import Object

Patch = Literal["merge", "strategic-merge"]


def path_of(resource: Resource, namespace: str | None = None, *rest: str) -> str:
    """Return the path of a collection, of one of its objects, or of a subresource of that."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    home = ("namespaces", namespace) if namespace and resource.namespaced else ()
    return "/".join((root, *home, resource.plural, *rest))


class Client:
    """One user's connection to the API server of a control plane. Use it in an ``async with``."""

    def __init__(self, plane: ControlPlane, token: str | None = None) -> None:
        self._url = plane.url
        self._trust = ssl.create_default_context(cafile=plane.authority)
        self._headers = {"Authorization": f"Bearer {token or plane.tokens['admin']}"}

    async def __aenter__(self) -> Client:
        self._session = aiohttp.ClientSession(
            self._url,
            headers=self._headers,
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),
            read_bufsize=2**20,  # a line of a watch is an object, and readline stops at twice this
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._session.close()

    async def list(
        self, resource: Resource, namespace: str | None = None, selector: str = ""
    ) -> list[Object]:
        """Return the objects of a type."""
        items: list[Object] = (await self.listing(resource, namespace, selector))["items"]
        return items

    async def listing(self, resource: Resource, namespace: str | None = None, selector: str = "") -> Object:
        """Return the objects of a type as the list they come in, which has a version to watch from."""
        return await self._ask("GET", path_of(resource, namespace), params={"labelSelector": selector})

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """Return one object."""
        return await self._ask("GET", path_of(resource, namespace, name))

    async def create(self, resource: Resource, obj: Object, *name: str) -> Object:
        """Create an object in the namespace it names, or a subresource of the object named."""
        return await self._ask("POST", path_of(resource, obj["metadata"].get("namespace"), *name), obj)

    async def patch(
        self, resource: Resource, namespace: str | None, *name: str, change: Object, kind: Patch = "merge"
    ) -> Object:
        """Patch an object by its name, or its subresource by the name of that after it."""
        path = path_of(resource, namespace, *name)
        return await self._ask("PATCH", path, change, content_type=f"application/{kind}-patch+json")

    async def delete(self, resource: Resource, namespace: str | None, name: str, **options: object) -> None:
        """Delete an object, with the fields of ``DeleteOptions`` that are given."""
        await self._ask("DELETE", path_of(resource, namespace, name), options)

    async def watch(
        self, resource: Resource, version: str, namespace: str | None = None
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield the type and the object of every event after ``version``, until the server ends the watch.

        Raises:
            ApiError: The server refuses, or says in the stream that it cannot go on (``410`` for one).
        """
        params = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        timeout = aiohttp.ClientTimeout(total=None)
        path = path_of(resource, namespace)
        async with self._session.get(path, params=params, timeout=timeout) as answer:
            await _check(answer)
            async for line in answer.content:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise _refusal(event["object"])
                yield event["type"], event["object"]

    async def _ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = "application/json",
        params: dict[str, str] | None = None,
    ) -> Object:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type}
        async with self._session.request(method, path, data=data, headers=headers, params=params) as answer:
            await _check(answer)
            result: Object = orjson.loads(await answer.read())
            return result


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status >= HTTPStatus.BAD_REQUEST:
        text = await answer.read()
        if answer.content_type != "application/json":
            raise ApiError(HTTPStatus(answer.status), "Unknown", text.decode(errors="replace"))
        raise _refusal(orjson.loads(text))


def _refusal(status: Object) -> ApiError:
    code = HTTPStatus(status["code"])
    return ApiError(code, status.get("reason", ""), status["message"], status.get("details"))
