"""What can be wrong with an API server, each as a function between a request and its answer.

What is decided by chance is decided by the generator that is given, so that a seed says what happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from random import Random

import orjson
from aiohttp import web

from scenarios.faulting import UNANSWERED, Handler, Trouble, hung_up

Kind = Callable[[web.Request], bool]


def is_watch(request: web.Request) -> bool:
    """Whether it asks to be told of changes."""
    return request.query.get("watch") in {"1", "true"}


def is_list(request: web.Request) -> bool:
    """Whether it reads and does not watch."""
    return request.method == "GET" and not is_watch(request)


def is_write(request: web.Request) -> bool:
    """Whether it changes something."""
    return request.method != "GET"


def is_write_of_a_saferollout(request: web.Request) -> bool:
    """Whether it changes one, its status apart. Such are only kopf's."""
    return is_write(request) and request.path.rpartition("/")[0].endswith("/saferollouts")


def anything(request: web.Request) -> bool:
    """Whether it is a request."""
    return bool(request.method)


def refused(
    chance: Random, status: HTTPStatus, *, share: float, kind: Kind = anything, retry_after: int | None = None
) -> Trouble:
    """A share of the requests of a kind is answered with an error and does not reach the API server.

    Args:
        chance: Decides which.
        status: What is answered.
        share: How many of them, 1 is all.
        kind: Which requests it is about.
        retry_after: Seconds for which the client is asked to wait.
    """
    wait = {} if retry_after is None else {"Retry-After": str(retry_after)}

    async def refuse(request: web.Request, go_on: Handler) -> web.StreamResponse:
        if kind(request) and chance.random() < share:
            return web.json_response(_said(status), status=status, headers=wait)
        return await go_on(request)

    return refuse


def first_refused(status: HTTPStatus, *, count: int, kind: Kind) -> Trouble:
    """The first so many requests of a kind are answered with an error and do not reach the API server."""
    left = count

    async def refuse(request: web.Request, go_on: Handler) -> web.StreamResponse:
        nonlocal left
        if left and kind(request):
            left -= 1
            return web.json_response(_said(status), status=status)
        return await go_on(request)

    return refuse


def unanswered(chance: Random, *, share: float, kind: Kind = is_write) -> Trouble:
    """A share of the requests of a kind is done, and nobody says so: the connection ends instead."""

    async def lose(request: web.Request, go_on: Handler) -> web.StreamResponse:
        if kind(request) and chance.random() < share:
            request[UNANSWERED] = True
        return await go_on(request)

    return lose


def cut(chance: Random, *, longest: float) -> Trouble:
    """Every watch ends in the middle of whatever it says, within ``longest`` seconds."""

    async def end(request: web.Request, go_on: Handler) -> web.StreamResponse:
        if not is_watch(request):
            return await go_on(request)
        try:
            async with asyncio.timeout(chance.uniform(0, longest)):
                return await go_on(request)
        except TimeoutError:
            return hung_up(request)

    return end


def expired(chance: Random, *, share: float, longest: float) -> Trouble:
    """A share of watches says, within ``longest`` seconds, that where it began is gone, and nothing else."""

    async def expire(request: web.Request, go_on: Handler) -> web.StreamResponse:
        if not is_watch(request) or chance.random() >= share:
            return await go_on(request)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await asyncio.sleep(chance.uniform(0, longest))
        await response.write(orjson.dumps({"type": "ERROR", "object": _said(HTTPStatus.GONE)}) + b"\n")
        return response

    return expire


def _said(status: HTTPStatus) -> dict[str, object]:
    """The API's ``Status`` object."""
    reasons = {
        HTTPStatus.FORBIDDEN: "Forbidden",
        HTTPStatus.CONFLICT: "Conflict",
        HTTPStatus.GONE: "Expired",
        HTTPStatus.TOO_MANY_REQUESTS: "TooManyRequests",
        HTTPStatus.INTERNAL_SERVER_ERROR: "InternalError",
    }
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "message": f"trouble is being made: {status.phrase}",
        "reason": reasons[status],
        "code": status.value,
    }
