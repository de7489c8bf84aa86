"""The list and watch requests of the Kubernetes API, as bytes: the client library does TLS and login only.

Its own models cost some 20 times the memory and time of the records kept here.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

import aiohttp
import orjson
from kubernetes.aio.client import ApiClient

LIST_TIMEOUT = aiohttp.ClientTimeout(total=60.0, connect=10.0)

SILENCE_SECONDS = 90.0
"""A watch that says nothing for longer is given up: a server sends a bookmark about every minute."""

KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""An idle connection whose other end is gone is noticed after 10 + 3 * 5 seconds (where the system can)."""


@dataclass
class Refused(Exception):  # noqa: N818 - reads as what the server did
    """The server answered with an error. ``retry_after`` is what it asked for, in seconds."""

    code: int
    message: str
    retry_after: float = 0.0

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later; otherwise only a new list can help."""
        return self.code in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

    def __str__(self) -> str:
        return f"{self.code} {self.message}"

    @classmethod
    def by(cls, status: Mapping[str, Any], *, retry_after: float = 0.0) -> Self:
        """Read the API's ``Status`` object."""
        asked = (status.get("details") or {}).get("retryAfterSeconds", 0)
        return cls(
            code=status.get("code", 0),
            message=status.get("message") or status.get("reason") or "unknown error",
            retry_after=max(retry_after, float(asked)),
        )


class ListWatch:
    """Lists and watches one path, for instance ``/apis/apps/v1/deployments``, ``page`` objects at a time."""

    def __init__(self, api: ApiClient, path: str, page: int) -> None:
        self.path = path
        self._api = api
        self._page = page

    async def pages(
        self, *selecting: tuple[str, str]
    ) -> AsyncIterator[tuple[Sequence[Mapping[str, Any]], str]]:
        """List page after page, each with the resourceVersion from which to watch on.

        ``selecting`` are further parameters of the query, such as a ``labelSelector``.

        Raises:
            Refused: The server answered with an error; 410 when the list took too long.
        """
        token = ""
        while True:
            query = [("limit", str(self._page)), *selecting] + ([("continue", token)] if token else [])
            async with self._get(query, LIST_TIMEOUT) as response:
                page = orjson.loads(await response.read())
            yield page.get("items") or (), page["metadata"]["resourceVersion"]
            token = page["metadata"].get("continue", "")
            if not token:
                return

    @asynccontextmanager
    async def watch(self, version: str, seconds: float) -> AsyncIterator[AsyncIterator[Sequence[bytes]]]:
        """Watch from ``version`` for ``seconds``; what comes are lines, as many at a time as have arrived.

        Raises:
            Refused: The server answered with an error; 410 when ``version`` is too old.
        """
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(round(seconds))),
        ]
        limits = aiohttp.ClientTimeout(total=seconds + 30.0, connect=10.0, sock_read=SILENCE_SECONDS)
        async with self._get(query, limits) as response:
            _keep_alive(response)
            yield _lines(response.content)

    @asynccontextmanager
    async def _get(
        self, query: list[tuple[str, str]], limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        request = await self._api.param_serialize(
            "GET",
            self.path,
            query_params=query,
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        answer = await self._api.call_api(*request, _request_timeout=limits)
        response: aiohttp.ClientResponse = answer.response
        async with response:
            if response.status != HTTPStatus.OK:
                raise await _refusal(response)
            yield response


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[Sequence[bytes]]:
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield [line for line in lines if line]


async def _refusal(response: aiohttp.ClientResponse) -> Refused:
    retry_after = response.headers.get("Retry-After", "")
    seconds = float(retry_after) if retry_after.isdecimal() else 0.0
    body = await response.read()
    with contextlib.suppress(orjson.JSONDecodeError):
        status = orjson.loads(body)
        if isinstance(status, dict):
            return Refused.by(
                {"message": response.reason} | status | {"code": response.status}, retry_after=seconds
            )
    return Refused(response.status, body[:200].decode(errors="replace") or str(response.reason), seconds)


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    """Have the system probe the connection of a watch, which may otherwise be dead and look idle."""
    transport = response.connection.transport if response.connection else None
    sock = transport.get_extra_info("socket") if transport else None
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
