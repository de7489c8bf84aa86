"""Two operators: one acts, the other takes over, and at no time do both write."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from scenarios.conftest import Opening
from scenarios.electing import (
    AT_HOME,
    LEASE,
    Candidate,
    Held,
    candidate,
    held,
    leader_and_standby,
    taken_over,
)
from scenarios.faulting import FaultingProxy, Handler, Trouble, faulting, hung_up
from scenarios.manifests import App, target_group, world
from scenarios.stage import Stage

pytestmark = pytest.mark.long

APP = App(replicas=3, groups=("alb-web",), min_healthy=0)
SITE = world(*map(target_group, APP.groups))

TAKEOVER = 15.0
"""Seconds from the last renewal of an operator that was killed to the next one's having the Lease."""


@dataclass(frozen=True, slots=True)
class Two:
    """Operators of which the first led when the Lease was read, ``before`` anything happened to either."""

    first: Candidate
    second: Candidate
    before: Held


@asynccontextmanager
async def two_in_mid_rollout(
    stage: Stage, *, kubeconfig: Path | None = None, ends_with: str = "web:2"
) -> AsyncIterator[Two]:
    """Have a rollout that waits for its first new pod to serve; it ends afterwards, without a failed request.

    ``kubeconfig`` is the first operator's way in.
    """
    await stage.install(APP)
    first, second = await leader_and_standby(stage, kubeconfig=kubeconfig)
    await stage.wrap(APP)
    async with stage.observed(APP) as seen:
        await stage.set_image(APP, "web:2")
        await stage.reason_is(APP, "WaitingForHealth")
        yield Two(first, second, await held(stage))
        await stage.at_rest(APP, ends_with)
    assert await stage.failed_requests(APP, seen.begun) == {}


async def test_given_two_operators_when_the_leader_is_killed_in_mid_rollout_then_the_other_goes_on(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage, two_in_mid_rollout(stage) as two:
        two.first.process.kill()
        await two.first.process.wait()
        before = await held(stage)
        after = await taken_over(stage, two.second, before, within=60)
        assert 0 < (after.acquired - before.renewed).total_seconds() < TAKEOVER


async def test_given_two_operators_when_the_leader_is_told_to_end_then_the_other_acts_at_once(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage, two_in_mid_rollout(stage) as two:
        two.first.process.terminate()
        assert await two.first.process.wait() == 0
        after = await taken_over(stage, two.second, two.before, within=60)
        # Had it waited for the lease to end, it would have been ten seconds at the least.
        assert (after.acquired - two.before.renewed).total_seconds() < TAKEOVER / 2


async def test_given_one_that_stands_by_when_it_is_told_to_end_then_it_ends_and_the_leader_goes_on(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage, two_in_mid_rollout(stage) as two:
        two.second.process.terminate()
        assert await two.second.process.wait() == 0
        assert (await held(stage)).holder == two.before.holder
        assert await two.first.leads()


async def test_given_a_leader_that_was_stopped_for_long_when_it_goes_on_then_it_writes_nothing_and_ends(
    opened: Opening, tmp_path: Path
) -> None:
    async with (
        opened(SITE) as stage,
        faulting(way_in(stage), tmp_path) as proxy,
        two_in_mid_rollout(stage, kubeconfig=proxy.kubeconfig, ends_with="web:3") as two,
    ):
        two.first.process.send_signal(signal.SIGSTOP)
        try:
            await taken_over(stage, two.second, two.before, within=60)
            await stage.at_rest(APP, "web:2")
            written = writes(proxy)
            await stage.set_image(APP, "web:3")
            await stage.reason_is(APP, "WaitingForHealth")
        finally:
            two.first.process.send_signal(signal.SIGCONT)
        assert await asyncio.wait_for(two.first.process.wait(), 60) == 1
        assert writes(proxy) == written


async def _refuses_to_listen(request: web.Request, _: Handler) -> web.StreamResponse:
    return hung_up(request)


async def _says_nothing(request: web.Request, go_on: Handler) -> web.StreamResponse:
    await asyncio.sleep(60)
    return await go_on(request)


@pytest.mark.parametrize("cut", [_refuses_to_listen, _says_nothing])
async def test_given_a_leader_that_cannot_reach_the_api_server_then_it_ends_and_the_other_goes_on(
    opened: Opening, tmp_path: Path, cut: Trouble
) -> None:
    async with (
        opened(SITE) as stage,
        faulting(way_in(stage), tmp_path) as proxy,
        two_in_mid_rollout(stage, kubeconfig=proxy.kubeconfig) as two,
    ):
        proxy.troubles = [cut]
        assert await asyncio.wait_for(two.first.process.wait(), 60) == 1
        # It ended while the lease was still its own: there was nobody who could have acted beside it.
        assert (await held(stage)).holder == two.before.holder
        await taken_over(stage, two.second, two.before, within=60)


async def test_given_a_lease_that_somebody_deletes_then_the_same_operator_makes_it_again(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage, two_in_mid_rollout(stage) as two:
        await stage.kubectl("delete", "lease", LEASE, "--namespace", AT_HOME)
        await stage.until(lambda: has_lease(stage), "the lease is there again", within=20)
        assert (await held(stage)).holder == two.before.holder
        assert await two.first.leads()
        assert await two.second.stands_by()


async def test_given_a_lease_that_somebody_else_has_taken_then_the_leader_ends_before_it_writes_again(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage:
        await stage.install(APP)
        first = await candidate(stage)
        await stage.wrap(APP)
        taken = {"spec": {"holderIdentity": "somebody"}}
        await stage.patch("lease", LEASE, taken, "--namespace", AT_HOME)
        assert await asyncio.wait_for(first.process.wait(), 60) == 1
        assert (await held(stage)).holder == "somebody"


async def has_lease(stage: Stage) -> bool:
    """Whether there is a Lease."""
    return LEASE in await stage.kubectl("get", "leases", "--namespace", AT_HOME, "--output=name")


def way_in(stage: Stage) -> Path:
    """Return the operator's way into the cluster."""
    return stage.host.operator or stage.host.kubeconfig


def writes(proxy: FaultingProxy) -> Counter[tuple[str, str, int]]:
    """Return everything but reading that came through."""
    return Counter({what: count for what, count in proxy.answered.items() if what[0] != "GET"})
