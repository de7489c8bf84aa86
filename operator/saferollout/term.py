"""The right to write, and how long it lasts: asked for in one place, just before a request is sent.

Everything that this process sends to the API server goes through a session that asks: kopf's, and ours.
"""

from __future__ import annotations

import math
import time
from types import SimpleNamespace

import aiohttp
import kopf

READING = frozenset({"GET", "HEAD", "OPTIONS"})

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps (where it has one)."""
    return time.clock_gettime(_CLOCK)


class NotOursError(aiohttp.ClientConnectionError):
    """A write was not sent: the lease is not, or no longer, this process's."""


class Term:
    """From when until when this process may write, by `clock`. It begins with none."""

    def __init__(self) -> None:
        self.ends = -math.inf

    @property
    def running(self) -> bool:
        """Whether this process may write."""
        return clock() < self.ends

    def guard(self) -> aiohttp.TraceConfig:
        """Return what makes a session refuse to send a write outside of the term.

        It asks twice: before a connection is looked for, and once there is one. Between the two may lie a
        handshake, or half a minute in which the process was stopped.
        """
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._asked)
        trace.on_connection_create_end.append(self._connected)
        trace.on_connection_reuseconn.append(self._connected)
        return trace

    def session(self, login: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        """Return a guarded session in the place of the one that kopf would make of these credentials."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=login.as_ssl_context()),
            headers=login.as_http_headers(),
            proxy=login.proxy_url,
            trust_env=login.trust_env,
            trace_configs=[self.guard()],
        )
        return kopf.AiohttpSession(
            server=login.server,
            priority=login.priority,
            default_namespace=login.default_namespace,
            expiration=login.expiration,
            aiohttp_session=session,
        )

    async def _asked(
        self, _: aiohttp.ClientSession, request: SimpleNamespace, asked: aiohttp.TraceRequestStartParams
    ) -> None:
        request.writes = asked.method.upper() not in READING
        self._check(request)

    async def _connected(
        self,
        _: aiohttp.ClientSession,
        request: SimpleNamespace,
        __: aiohttp.TraceConnectionCreateEndParams | aiohttp.TraceConnectionReuseconnParams,
    ) -> None:
        self._check(request)

    def _check(self, request: SimpleNamespace) -> None:
        if request.writes and not self.running:
            raise NotOursError("nothing is written: another operator has, or may have, the lease")
