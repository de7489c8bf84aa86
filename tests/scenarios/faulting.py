"""A proxy in front of the API server, through which the operator alone has to go, that makes trouble.

Trouble is a function between a request and its answer (`scenarios.troubles`).
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import Queue
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from saferollout.sim.loopback import serving

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Trouble = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

UNANSWERED = web.RequestKey("unanswered", bool)
"""What trouble marks a request with whose answer is to get lost on its way back."""

OF_ONE_CONNECTION = {"Host", "Connection", "Transfer-Encoding", "Content-Length"}


class FaultingProxy:
    """Passes requests on to the API server that a kubeconfig names, through all the ``troubles`` there are.

    What is streamed, as watches are, comes ``lag`` seconds late. ``answered`` counts what the API server
    itself said, by method, path and status.
    """

    def __init__(self, behind: Path, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.troubles: Sequence[Trouble] = ()
        self.lag = 0.0
        self.answered: Counter[tuple[str, str, int]] = Counter()
        self._config = yaml.safe_load(behind.read_text())
        (self._cluster,) = self._config["clusters"]
        self._session: aiohttp.ClientSession

    def refusals(self, status: HTTPStatus) -> set[tuple[str, str]]:
        """Return the method and path of every request that the API server itself answered so."""
        return {(method, path) for method, path, code in self.answered if code == status}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve on loopback, and write the kubeconfig that leads here."""
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        authority = self._cluster["cluster"].get("certificate-authority")
        trust = ssl.create_default_context(cafile=authority) if authority else True
        connector = aiohttp.TCPConnector(ssl=trust, limit=0)
        session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        async with session as self._session, serving(app) as url:
            here = [{"name": self._cluster["name"], "cluster": {"server": url}}]
            self.kubeconfig.write_text(yaml.safe_dump(self._config | {"clusters": here}))
            yield

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        handler: Handler = self._pass_on
        for trouble in self.troubles:
            handler = partial(_met, trouble, handler)
        return await handler(request)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        url = URL(self._cluster["cluster"]["server"] + request.raw_path, encoded=True)
        asked = _of_the_message(request.headers)
        no_hurry = aiohttp.ClientTimeout(total=None)
        body = await request.read() or None
        try:
            async with self._session.request(
                request.method, url, headers=asked, data=body, timeout=no_hurry
            ) as answer:
                self.answered[request.method, request.path, answer.status] += 1
                if UNANSWERED in request:
                    return hung_up(request)
                response = web.StreamResponse(status=answer.status, headers=_of_the_message(answer.headers))
                await response.prepare(request)
                await self._copy(answer.content, response)
                await response.write_eof()
                return response
        except aiohttp.ClientError:
            return hung_up(request)

    async def _copy(self, content: aiohttp.StreamReader, response: web.StreamResponse) -> None:
        """Copy what comes, each part ``lag`` seconds after it came."""
        clock = asyncio.get_running_loop()
        parts: Queue[tuple[float, bytes]] = Queue()

        async def read() -> None:
            async for part in content.iter_any():
                parts.put_nowait((clock.time() + self.lag, part))
            parts.put_nowait((clock.time(), b""))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            while (each := await parts.get())[1]:
                await asyncio.sleep(each[0] - clock.time())
                await response.write(each[1])


def _of_the_message(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: said for name, said in headers.items() if name not in OF_ONE_CONNECTION}


async def _met(trouble: Trouble, go_on: Handler, request: web.Request) -> web.StreamResponse:
    return await trouble(request, go_on)


def hung_up(request: web.Request) -> web.Response:
    """End the connection without a word; what is returned is for the server's own bookkeeping."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def faulting(behind: Path, directory: Path) -> AsyncIterator[FaultingProxy]:
    """Put a proxy without trouble yet in front of the API server that the kubeconfig ``behind`` names."""
    proxy = FaultingProxy(behind, directory / "through-the-proxy.kubeconfig")
    async with proxy.running():
        yield proxy
