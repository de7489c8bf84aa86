"""A door in front of an endpoint: shut, it refuses every connection, as a host that is gone does."""

from __future__ import annotations

import asyncio
from asyncio import Server, StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"


class Door:
    """Passes on what comes to ``url`` while it is open."""

    def __init__(self, behind: str) -> None:
        self._behind = urlsplit(behind)
        self._port = 0
        self._server: Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where to knock. It stays the same from the first opening on."""
        return f"http://{LOOPBACK}:{self._port}"

    async def open(self) -> None:
        """Let everybody through."""
        self._server = await asyncio.start_server(self._enter, LOOPBACK, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Let nobody in, and put out who is in."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for each in tuple(self._passing):
            each.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def _enter(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._pass(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass(self, reader: StreamReader, writer: StreamWriter) -> None:
        there = None
        try:
            back, there = await asyncio.open_connection(self._behind.hostname, self._behind.port)
            await asyncio.gather(_copy(reader, there), _copy(back, writer))
        finally:
            writer.close()
            if there is not None:
                there.close()


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def door(behind: str) -> AsyncIterator[Door]:
    """Put a door in front of the endpoint at the URL ``behind``; it is open at first."""
    made = Door(behind)
    await made.open()
    try:
        yield made
    finally:
        await made.shut()
