"""The operator dies at a hundred instants of many rollouts: no promise is broken, and nothing is left."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from asyncio import Lock
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
import pytest

from controlplane.plane import free_port
from saferollout.api.names import DELETION_COST_ANNOTATION, FIELD_MANAGER, GROUP
from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world
from scenarios.stage import Observation, Stage

pytestmark = pytest.mark.long

SEED = 20261122
KILLS = 100

AT_A_RELEASE = 4
"""Every so manieth time it is killed in the first moments of a release, which chance alone seldom meets."""

LONGEST_LIFE = 2.0
LONGEST_RELEASE = 0.3
"""Seconds within which it is killed, after it has come up and after it has released a step."""

FENCE = 20
"""Seconds for which a release is fenced, and more than an operator takes to be there again on a busy host."""

APPS = (
    App(name="one", groups=("alb-one",), replicas=3),
    App(name="two", groups=("alb-two",), replicas=4, step=2),
    App(name="all", groups=("alb-all",), replicas=2, step="100%", min_healthy=0),
)


@dataclass
class Mortal:
    """An operator that is killed and started again. Whoever holds ``alive`` has it run meanwhile."""

    stage: Stage
    alive: Lock = field(default_factory=Lock)
    kills: list[tuple[float, float]] = field(default_factory=list)
    """When it died (epoch seconds), and for how many seconds nobody was there."""
    port: int = field(default_factory=free_port)

    async def start(self) -> None:
        """Start it and wait until it looks after every SafeRollout."""
        await self.stage.start_operator("--least-fence", str(FENCE), "--port", str(self.port))
        await self.stage.until(self._looks_after_all, "the operator is up", within=60)

    async def die(self, chance: random.Random, times: int) -> None:
        """Be killed so many times."""
        for number in range(times):
            if number % AT_A_RELEASE:
                await asyncio.sleep(chance.uniform(0, LONGEST_LIFE))
            else:
                await self._released()
                await asyncio.sleep(chance.uniform(0, LONGEST_RELEASE))
            async with self.alive:
                await self.stage.kill_operator()
                died = time.time()
                await self.start()
                self.kills.append((died, time.time() - died))

    async def _released(self) -> None:
        log = max(self.stage.directory.glob("operator-*.log"), key=lambda each: each.stat().st_mtime)
        while "Release deployment/" not in log.read_text():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.02)

    async def _looks_after_all(self) -> bool:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.port}") as session:
            try:
                async with session.get("/readyz") as ready, session.get("/metrics") as metrics:
                    found = f"saferollout_rollouts {float(len(APPS))}\n" in await metrics.text()
                    return found and ready.status == HTTPStatus.OK
            except aiohttp.ClientError:
                return False


async def roll_on(operator: Mortal, app: App, seen: Observation, dying: asyncio.Task[None]) -> int:
    """Roll out image after image for as long as there is dying; return how many that were.

    The operator is alive when an image comes: without it, that is a native update (S8), and no rollout.
    """
    stage = operator.stage

    async def paused() -> bool:
        return bool((await stage.deployment(app)).get("paused"))

    async def all_serve() -> bool:
        latest = seen.observer.samples[-1]
        new = {name for name, pod in latest.live.items() if pod.revision == latest.target}
        return new == latest.live.keys() == latest.serving.keys()

    for number in itertools.count(1):
        image = f"web:{number + 1}"
        async with operator.alive:
            await stage.set_image(app, image)
            await stage.until(paused, f"{app.name} is paused", within=10)
        await stage.until(all_serve, f"all of {app.name} serves", within=300)
        await stage.at_rest(app, image, within=120)
        if dying.done():
            return number
    raise AssertionError


@asynccontextmanager
async def all_observed(stage: Stage, apps: Sequence[App]) -> AsyncIterator[list[Observation]]:
    """Hold whatever happens to any of them against the contract."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(stage.observed(app)) for app in apps]


@pytest.mark.parametrize("opened", [pytest.param("real", marks=pytest.mark.real)], indirect=True)
async def test_given_rollouts_side_by_side_when_the_operator_is_killed_a_hundred_times_then_none_is_harmed(
    opened: Opening,
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - chance, no secret
    groups = [target_group(name) for app in APPS for name in app.groups]
    async with opened(world(*groups)) as stage:
        operator = Mortal(stage)
        try:
            before = [await installed(stage, app) for app in APPS]
            await stage.apply(*(app.rollout() for app in APPS))
            await operator.start()
            for app in APPS:
                await stage.at_rest(app)
            async with all_observed(stage, APPS) as observations, asyncio.TaskGroup() as tasks:
                dying = tasks.create_task(operator.die(chance, KILLS))
                rolling = [
                    tasks.create_task(roll_on(operator, app, seen, dying))
                    for app, seen in zip(APPS, observations, strict=True)
                ]
            assert len(operator.kills) == KILLS
            for app, was, seen in zip(APPS, before, observations, strict=True):
                assert await stage.failed_requests(app, seen.begun) == {}
                await stage.kubectl("delete", "saferollout", app.name, "--timeout=30s")
                assert await stage.deployment(app) == was
                assert await traces(stage, app) == []
        except BaseException as error:
            longest = max((absent for _, absent in operator.kills), default=0.0)
            error.add_note(f"seed {SEED}; absent for {longest:.1f}s at most, behind a fence of {FENCE}s")
            error.add_note(f"killed at, and absent for: {operator.kills}")
            raise
        assert all(task.result() > 1 for task in rolling)


async def installed(stage: Stage, app: App) -> object:
    """Install an app and return its Deployment's ``spec`` without the template."""
    await stage.install(app)
    return await stage.deployment(app)


async def traces(stage: Stage, app: App) -> list[str]:
    """Return what is left of the operator on the Deployment, its ReplicaSets and its pods."""
    kinds = "deployments,replicasets,pods"
    found = json.loads(await stage.kubectl("get", kinds, "-o", "json", "--show-managed-fields"))["items"]
    mine = [each["metadata"] for each in found if each["metadata"]["name"].partition("-")[0] == app.name]
    annotated = [
        f"{each['name']}: {name}"
        for each in mine
        for name in each.get("annotations", {})
        if name.startswith(f"{GROUP}/") or name == DELETION_COST_ANNOTATION
    ]
    managed = [
        f"{each['name']}: managed by {entry['manager']}"
        for each in mine
        for entry in each["managedFields"]
        if entry["manager"] == FIELD_MANAGER
    ]
    return annotated + managed
