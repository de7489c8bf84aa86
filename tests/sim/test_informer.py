"""What an informer goes through without dying, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiohttp import web

from kube_endpoint import KubeEndpoint, client, status, until
from saferollout.observe.backoff import Backoff
from saferollout.observe.informer import Informer, OptionalInformer
from saferollout.sim.loopback import serving

PATH = "/api/v1/pods"


def thing(uid: str, value: int = 0) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": uid}, "value": value}


def value(raw: Any) -> int | None:
    """The parser of these tests. Negative: not wanted. A word: cannot be read."""
    number = int(raw["value"])
    return None if number < 0 else number


class Following:
    """An informer, and what it told."""

    def __init__(self, informer: Informer[int]) -> None:
        self.informer = informer
        self.heard: list[tuple[int | None, int | None]] = []
        informer.listen(lambda old, new: self.heard.append((old, new)))

    async def becomes(self, **expected: int) -> None:
        await until(lambda: self.informer.records == expected and self.informer.gap is None)


def unknown() -> web.Response:
    return web.json_response(status(404, "no such kind"), status=404)


@contextmanager
def taking_at_least(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began >= seconds


@asynccontextmanager
async def following(host: str, kind: type[Informer[int]] = Informer[int]) -> AsyncIterator[Following]:
    async with client(host) as api:
        informer = kind(api, PATH, value, page=2, backoff=Backoff(0.01, 0.1))
        seen = Following(informer)
        task = asyncio.create_task(informer.run())
        try:
            yield seen
        finally:
            assert not task.done(), "it never dies"
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
def endpoint() -> KubeEndpoint:
    return KubeEndpoint()


@pytest.fixture
async def host(endpoint: KubeEndpoint) -> AsyncIterator[str]:
    async with serving(endpoint.application()) as address:
        yield address


@pytest.fixture
async def seen(host: str) -> AsyncIterator[Following]:
    async with following(host) as it:
        yield it


async def test_everything_is_there_once_it_has_synced(endpoint: KubeEndpoint, host: str) -> None:
    endpoint.put(PATH, *(thing(f"t{n}", n) for n in range(5)))
    async with following(host) as seen:
        await seen.informer.synced()
        assert seen.informer.records == {f"t{n}": n for n in range(5)}
        assert [query.get("continue") for _, query in endpoint.requests][:3] == [None, "2", "4"]


async def test_changes_arrive_and_are_told_with_what_was_before(
    endpoint: KubeEndpoint, seen: Following
) -> None:
    await seen.becomes()
    endpoint.put(PATH, thing("a", 1), thing("b", 2))
    endpoint.put(PATH, thing("a", 3))
    endpoint.delete(PATH, "b")
    await seen.becomes(a=3)
    assert seen.heard == [(None, 1), (None, 2), (1, 3), (2, None)]


async def test_what_the_parser_does_not_want_is_not_kept(endpoint: KubeEndpoint, seen: Following) -> None:
    endpoint.put(PATH, thing("a", 1), thing("b", -1))
    await seen.becomes(a=1)
    endpoint.put(PATH, thing("a", -1))
    await seen.becomes()
    assert seen.heard[-1] == (1, None)


async def test_an_object_that_cannot_be_read_hides_no_other(endpoint: KubeEndpoint, seen: Following) -> None:
    endpoint.put(PATH, thing("a", 1) | {"value": "not a number"}, thing("b", 2))
    await seen.becomes(b=2)


async def test_a_lost_connection_resumes_where_it_was(endpoint: KubeEndpoint, seen: Following) -> None:
    endpoint.put(PATH, thing("a", 1))
    await seen.becomes(a=1)
    endpoint.bookmark(PATH)
    bookmark = str(endpoint.version)
    endpoint.put("/api/v1/nodes", thing("elsewhere"))
    await asyncio.sleep(0.05)
    endpoint.disconnect()
    await until(lambda: bookmark in endpoint.watches())
    endpoint.put(PATH, thing("a", 2))
    await seen.becomes(a=2)
    assert endpoint.lists() == 1


async def test_an_expired_version_swaps_the_cache_and_tells_the_differences(
    endpoint: KubeEndpoint, seen: Following
) -> None:
    endpoint.put(PATH, thing("gone", 1), thing("same", 2), thing("changed", 3))
    await seen.becomes(gone=1, same=2, changed=3)
    before = seen.informer.records
    seen.heard.clear()
    endpoint.disconnect()
    endpoint.delete(PATH, "gone")
    endpoint.put(PATH, thing("changed", 4), thing("new", 5))
    endpoint.forget()
    await seen.becomes(same=2, changed=4, new=5)
    assert before == {"gone": 1, "same": 2, "changed": 3}, "the old dictionary is left alone"
    assert seen.heard[0] == (1, None), "deletions come first"
    assert sorted(seen.heard[1:], key=str) == [(3, 4), (None, 5)]


@pytest.mark.parametrize("code", [410, 500, 403, 504])
async def test_an_error_in_the_stream_leads_to_a_new_list(
    code: int, endpoint: KubeEndpoint, seen: Following
) -> None:
    endpoint.put(PATH, thing("a", 1))
    await seen.becomes(a=1)
    endpoint.error(PATH, code)
    await until(lambda: endpoint.lists() == 2)
    endpoint.put(PATH, thing("a", 2))
    await seen.becomes(a=2)


async def test_throttling_in_the_stream_keeps_the_version(endpoint: KubeEndpoint, seen: Following) -> None:
    await seen.becomes()
    endpoint.error(PATH, 429)
    await until(lambda: len(endpoint.watches()) == 2)
    endpoint.put(PATH, thing("a", 2))
    await seen.becomes(a=2)
    assert endpoint.lists() == 1


async def test_retry_after_is_honoured(endpoint: KubeEndpoint, host: str) -> None:
    endpoint.refusals.append(
        web.json_response(status(429, "slow down"), status=429, headers={"Retry-After": "1"})
    )
    with taking_at_least(1.0):
        async with following(host) as seen:
            await seen.becomes()


async def test_a_refusal_is_told_until_it_is_over(endpoint: KubeEndpoint, host: str) -> None:
    endpoint.refusals.extend(
        web.json_response(status(403, "pods is forbidden"), status=403) for _ in range(4)
    )
    async with following(host) as seen:
        await until(lambda: seen.informer.gap is not None and bool(seen.informer.gap.trouble))
        gap = seen.informer.gap
        assert gap is not None
        assert not gap.listed
        assert gap.trouble == "403 pods is forbidden"
        await seen.becomes()


async def test_an_answer_that_is_no_json_is_survived(endpoint: KubeEndpoint, host: str) -> None:
    endpoint.refusals.append(web.Response(status=502, text="<html>bad gateway</html>"))
    endpoint.refusals.append(web.Response(text="{"))
    endpoint.put(PATH, thing("a", 1))
    async with following(host) as seen:
        await seen.becomes(a=1)


async def test_a_server_that_is_away_leaves_the_records_and_a_gap(endpoint: KubeEndpoint) -> None:
    endpoint.put(PATH, thing("a", 1))
    async with AsyncExitStack() as beyond:
        async with serving(endpoint.application()) as host:
            seen = await beyond.enter_async_context(following(host))
            await seen.becomes(a=1)
        left = time.time()
        await until(lambda: seen.informer.gap is not None)
        gap = seen.informer.gap
        assert gap is not None
        assert gap.listed
        assert gap.since == pytest.approx(left, abs=1)
        assert seen.informer.records == {"a": 1}
        await asyncio.sleep(0.2)
        assert seen.informer.gap is not None
        assert seen.informer.gap.since == gap.since, "failing again does not make it younger"
        async with serving(endpoint.application(), int(host.rpartition(":")[2])):
            await seen.becomes(a=1)


async def test_watches_that_end_at_once_are_no_busy_loop(endpoint: KubeEndpoint, seen: Following) -> None:
    await seen.becomes()
    endpoint.refusals.extend(web.Response() for _ in range(1000))
    endpoint.disconnect()
    left = time.time()
    await asyncio.sleep(0.5)
    await until(lambda: seen.informer.gap is not None)
    assert seen.informer.gap is not None
    assert seen.informer.gap.since == pytest.approx(left, abs=0.2), "having opened is not having told"
    assert 5 < len(endpoint.watches()) < 30


async def test_a_kind_that_must_be_served_and_is_not_is_a_gap(endpoint: KubeEndpoint, host: str) -> None:
    endpoint.refusals.extend(unknown() for _ in range(1000))
    async with following(host) as seen:
        await until(lambda: seen.informer.gap is not None and "no such kind" in seen.informer.gap.trouble)
        assert seen.informer.gap is not None
        assert not seen.informer.gap.listed


async def test_a_kind_that_may_be_missing_has_no_objects_until_it_is_served_and_when_it_no_longer_is(
    endpoint: KubeEndpoint, host: str
) -> None:
    endpoint.refusals.extend(unknown() for _ in range(3))
    endpoint.put(PATH, thing("a", 1))
    async with following(host, OptionalInformer[int]) as seen:
        await asyncio.wait_for(seen.informer.synced(), 5)
        assert (seen.informer.records, seen.informer.gap) == ({}, None)
        await seen.becomes(a=1)
        seen.heard.clear()
        endpoint.refusals.extend(unknown() for _ in range(1000))
        endpoint.disconnect()
        await seen.becomes()
        assert seen.heard == [(1, None)]
        endpoint.refusals.clear()
        await seen.becomes(a=1)


async def test_a_kind_that_may_be_missing_and_is_refused_otherwise_is_a_gap(
    endpoint: KubeEndpoint, host: str
) -> None:
    endpoint.refusals.extend(web.json_response(status(403, "not you"), status=403) for _ in range(1000))
    async with following(host, OptionalInformer[int]) as seen:
        await until(lambda: seen.informer.gap is not None and "not you" in seen.informer.gap.trouble)
