"""An API server in trouble in mid-rollout: no promise is broken, it completes, and nothing is left."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from random import Random

import pytest

from scenarios import troubles
from scenarios.conftest import Opening
from scenarios.faulting import Trouble, faulting
from scenarios.manifests import App, target_group, world
from scenarios.restarting import PATIENT, restarted

TROUBLES: Mapping[str, Callable[[Random], Sequence[Trouble]]] = {
    "ends its watches": lambda chance: [troubles.cut(chance, longest=2)],
    "has forgotten where watches began": lambda chance: [
        troubles.cut(chance, longest=3),
        troubles.expired(chance, share=0.5, longest=1),
    ],
    "has forgotten where lists began": lambda chance: [
        troubles.cut(chance, longest=3),
        troubles.refused(chance, HTTPStatus.GONE, share=0.5, kind=troubles.is_list),
    ],
    "finds every other write late": lambda chance: [
        troubles.refused(chance, HTTPStatus.CONFLICT, share=0.5, kind=troubles.is_write)
    ],
    "is asked too much": lambda chance: [
        troubles.refused(chance, HTTPStatus.TOO_MANY_REQUESTS, share=0.3, retry_after=1)
    ],
    "breaks": lambda chance: [troubles.refused(chance, HTTPStatus.INTERNAL_SERVER_ERROR, share=0.3)],
    "does not say what it did": lambda chance: [troubles.unanswered(chance, share=0.3)],
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_the_rollout_completes_unharmed_on_an_api_server_that(
    opened: Opening, tmp_path: Path, trouble: str
) -> None:
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    chance = random.Random(trouble)  # noqa: S311 - chance, no secret
    async with (
        opened(world(*map(target_group, app.groups))) as stage,
        faulting(stage.host.operator or stage.host.kubeconfig, tmp_path) as proxy,
    ):
        await stage.install(app)
        before = await stage.deployment(app)
        async with restarted(stage, *PATIENT, KUBECONFIG=str(proxy.kubeconfig)):
            await stage.wrap(app)
            async with stage.observed(app) as seen:
                await stage.set_image(app, "web:2")
                await stage.reason_is(app, "WaitingForHealth")
                proxy.troubles = TROUBLES[trouble](chance)
                await stage.at_rest(app, "web:2", within=120)
            assert await stage.failed_requests(app, seen.begun) == {}
            await stage.kubectl("delete", "saferollout", app.name, "--timeout=120s")
        assert await stage.deployment(app) == before


async def test_a_saferollout_is_taken_up_and_let_go_although_the_first_write_about_it_is_refused(
    opened: Opening, tmp_path: Path
) -> None:
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    first = troubles.first_refused(HTTPStatus.CONFLICT, count=1, kind=troubles.is_write_of_a_saferollout)
    async with (
        opened(world(*map(target_group, app.groups))) as stage,
        faulting(stage.host.operator or stage.host.kubeconfig, tmp_path) as proxy,
    ):
        await stage.install(app)
        before = await stage.deployment(app)
        await stage.start_operator(KUBECONFIG=str(proxy.kubeconfig))
        proxy.troubles = [first]
        await stage.wrap(app)
        again = troubles.first_refused(HTTPStatus.CONFLICT, count=2, kind=troubles.is_write_of_a_saferollout)
        proxy.troubles = [again]
        await stage.kubectl("delete", "saferollout", app.name, "--timeout=60s")
        assert await stage.deployment(app) == before


async def test_no_step_becomes_two_on_an_api_server_that_tells_of_changes_late(
    opened: Opening, tmp_path: Path
) -> None:
    app = App(replicas=3)
    async with (
        opened(world(*map(target_group, app.groups))) as stage,
        faulting(stage.host.operator or stage.host.kubeconfig, tmp_path) as proxy,
    ):
        await stage.install(app)
        await stage.start_operator(*PATIENT, KUBECONFIG=str(proxy.kubeconfig))
        await stage.wrap(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            proxy.lag = 1.5
            await stage.at_rest(app, "web:2", within=120)
        assert await stage.failed_requests(app, seen.begun) == {}


@pytest.mark.parametrize("opened", [pytest.param("real", marks=pytest.mark.real)], indirect=True)
async def test_the_rollout_goes_on_when_the_api_server_is_back_that_was_gone_for_seconds(
    opened: Opening,
) -> None:
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    async with opened(world(*map(target_group, app.groups))) as stage:
        assert stage.host.plane is not None
        server = stage.host.plane.parts["kube-apiserver"]
        await stage.install(app)
        before = await stage.deployment(app)
        async with restarted(stage, *PATIENT):
            await stage.wrap(app)
            async with stage.observed(app) as seen:
                await stage.set_image(app, "web:2")
                for updated in (1, 2):
                    await stage.step_is(app, updated, within=90)
                    server.kill()
                    await asyncio.sleep(4)
                    server.start()
                    await asyncio.to_thread(stage.host.plane.wait_ready)
                await stage.at_rest(app, "web:2", within=120)
            assert await stage.failed_requests(app, seen.begun) == {}
            await stage.kubectl("delete", "saferollout", app.name, "--timeout=120s")
        assert await stage.deployment(app) == before
