"""Who holds the Lease, and what is sent without it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration, CoordinationV1Api, CoreV1Api, V1Lease
from yarl import URL

from saferollout.leading import Election, Terms
from saferollout.sim.loopback import serving
from saferollout.term import NotOursError, Term, clock
from served_cluster import ServedCluster, config_map

LONG = Terms("default", "saferollout", duration=600, deadline=300, interval=0.05)
BRIEF = replace(LONG, duration=2, deadline=1.5)


@pytest.fixture
async def api(cluster: ServedCluster) -> AsyncIterator[ApiClient]:
    async with await config.new_client_from_config(str(cluster.kubeconfig)) as api:
        yield api


class Candidate:
    """One that asks for the Lease."""

    def __init__(self, api: ApiClient, terms: Terms) -> None:
        self.term = Term()
        self.election = Election(api, terms, self.term)


async def lease(api: ApiClient) -> V1Lease:
    return await CoordinationV1Api(api).read_namespaced_lease(LONG.name, LONG.namespace)


async def holder(api: ApiClient) -> str:
    spec = (await lease(api)).spec
    assert spec is not None
    return spec.holder_identity or ""


async def write(api: ApiClient, **spec: Any) -> None:
    """Write into the Lease what somebody else would."""
    await CoordinationV1Api(api).patch_namespaced_lease(
        LONG.name, LONG.namespace, {"spec": spec}, _content_type="application/merge-patch+json"
    )


@asynccontextmanager
async def trying(candidate: Candidate) -> AsyncIterator[asyncio.Task[None]]:
    """Have it ask for as long as the context lasts."""
    task = asyncio.create_task(candidate.election.win())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_of_two_the_first_that_asks_may_write_and_the_other_waits(api: ApiClient) -> None:
    first, second = Candidate(api, LONG), Candidate(api, LONG)
    await first.election.win()
    async with trying(second) as task:
        await asyncio.sleep(1)
        assert not task.done()
    assert (first.term.running, second.term.running) == (True, False)


async def test_a_lease_that_is_given_back_is_the_next_ones_at_once(api: ApiClient) -> None:
    first, second = Candidate(api, LONG), Candidate(api, LONG)
    await first.election.win()
    async with trying(second) as task:
        await first.election.give_back()
        assert not first.term.running
        await asyncio.wait_for(task, 60)  # and not after the 600 s for which it was had
    spec = (await lease(api)).spec
    assert spec is not None
    assert (spec.lease_transitions, spec.lease_duration_seconds) == (2, LONG.duration)


@pytest.mark.parametrize("written", [timedelta(days=-1), timedelta(days=1)])
async def test_the_lease_of_one_that_died_is_waited_for_whatever_its_clock_said(
    api: ApiClient, written: timedelta
) -> None:
    dead, other = Candidate(api, BRIEF), Candidate(api, LONG)
    await dead.election.win()
    await write(api, renewTime=(datetime.now(UTC) + written).isoformat(timespec="microseconds"))
    began = clock()
    await asyncio.wait_for(other.election.win(), 60)
    assert clock() - began >= BRIEF.duration
    assert not dead.term.running


async def test_a_lease_that_somebody_else_has_is_not_written_again(api: ApiClient) -> None:
    first = Candidate(api, LONG)
    await first.election.win()
    keeping = asyncio.create_task(first.election.keep())
    await write(api, holderIdentity="somebody")
    await asyncio.wait_for(keeping, 60)
    assert not first.term.running
    assert await holder(api) == "somebody"


async def test_a_lease_that_is_deleted_is_made_again_by_who_had_it(api: ApiClient) -> None:
    first, second = Candidate(api, LONG), Candidate(api, LONG)
    await first.election.win()
    had = await holder(api)
    async with trying(second) as task:
        await asyncio.sleep(0.5)
        keeping = asyncio.create_task(first.election.keep())
        await CoordinationV1Api(api).delete_namespaced_lease(LONG.name, LONG.namespace)
        await asyncio.sleep(1)
        keeping.cancel()
        assert not task.done()
    assert await holder(api) == had


async def test_the_term_ends_although_nobody_answers(api: ApiClient) -> None:
    first = Candidate(api, BRIEF)
    await first.election.win()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with ApiClient(Configuration(host=host)) as nobody:
            unheard = Election(nobody, BRIEF, first.term)
            await asyncio.wait_for(unheard.keep(), 60)
    assert not first.term.running
    assert unheard.trouble is not None


async def test_without_the_lease_reads_are_sent_and_writes_are_not(cluster: ServedCluster) -> None:
    term = Term()
    configuration = Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    configuration.trace_configs = [term.guard()]
    async with ApiClient(configuration) as api:
        core: Any = CoreV1Api(api)  # typed to take models, it takes manifests too
        with pytest.raises(NotOursError):
            await core.create_namespaced_config_map("default", config_map("mine"))
        assert (await core.list_namespaced_config_map("default")).items == []
        term.ends = clock() + 600
        await core.create_namespaced_config_map("default", config_map("mine"))
        term.ends = clock()
        with pytest.raises(NotOursError):
            await core.delete_namespaced_config_map("mine", "default")
        (left,) = (await core.list_namespaced_config_map("default")).items
        assert left.metadata is not None
        assert left.metadata.name == "mine"


class SlowResolver(AbstractResolver):
    """Finds loopback, and takes its time."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.sleep(0.5)
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is kept."""


async def test_a_write_is_not_sent_when_the_term_ends_while_a_connection_is_made() -> None:
    received: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        received.append(request.method)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receive)
    term = Term()
    async with serving(app) as url:
        port = URL(url).port
        assert port is not None
        connector = aiohttp.TCPConnector(resolver=SlowResolver(), family=socket.AF_INET)
        async with aiohttp.ClientSession(connector=connector, trace_configs=[term.guard()]) as session:
            term.ends = clock() + 0.2
            with pytest.raises(NotOursError):
                await session.patch(f"http://api.test:{port}/")
            await session.get(f"http://api.test:{port}/")
    assert received == ["GET"]
