"""Others who write the Deployment: autoscalers, GitOps tools, ``kubectl rollout``, at every stage."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import yaml

from saferollout.sim.contract import Promise
from scenarios.apps import Apps, wrapped
from scenarios.leaving import delete
from scenarios.manifests import App, Manifest, target_group
from scenarios.stage import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]

an_app = Apps(60, min_healthy=0)
SLOW = [target_group(name, registration_seconds=300) for name in ("slow", "slower")]
SITE = an_app.site(*SLOW)

SYNC = 1.5
"""Seconds between two looks of the GitOps tool."""

QUARTER = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
HALF = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%", "maxUnavailable": "50%"}}

APPLY = {"client": (), "server": ("--server-side", "--force-conflicts", "--field-manager=gitops")}


async def scale(stage: Stage, app: App, replicas: int) -> None:
    """Write the subresource ``scale``, as an autoscaler does."""
    await stage.kubectl("scale", "deployment", app.name, f"--replicas={replicas}")


def moves(stage: Stage, app: App) -> Counter[str]:
    """Return how often operators have written the Deployment, by move, as their logs say."""
    return Counter(re.findall(rf"(\w+) deployment/{app.name}$", "\n".join(stage.logs), re.MULTILINE))


class GitOps:
    """Applies a manifest again and again."""

    def __init__(self, stage: Stage, app: App, how: str) -> None:
        self.app = app
        self.syncs = 0
        self.refused: list[str] = []
        self._stage, self._how = stage, APPLY[how]

    async def sync(self) -> None:
        """Apply it once."""
        manifest = yaml.safe_dump(self.app.deployment())
        told = await self._stage.kubectl("apply", *self._how, "-f", "-", given=manifest, check=False)
        self.syncs += 1
        if "error" in told.lower():
            self.refused.append(told)

    async def run(self) -> None:
        """Apply it for ever."""
        while True:
            await self.sync()
            await asyncio.sleep(SYNC)


@asynccontextmanager
async def gitops(stage: Stage, app: App, how: str) -> AsyncIterator[GitOps]:
    """Have a GitOps tool look after the app."""
    tool = GitOps(stage, app, how)
    await tool.sync()
    task = asyncio.create_task(tool.run())
    try:
        yield tool
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# --- autoscalers

EVERY_STEP = [0, 1, 2, 3]


@pytest.mark.parametrize("to", [1, 2, 5])
@pytest.mark.parametrize("step", EVERY_STEP)
async def test_when_it_is_scaled_at_any_step_then_nothing_goes_before_the_new_pods_serve(
    stage: Stage, step: int, to: int
) -> None:
    app = an_app(replicas=3)
    await wrapped(stage, app)
    async with stage.observed(app, replicas=min(3, to), step=max(1, to - 3)) as seen:
        seen.expects_breaches = True
        await stage.set_image(app, "web:2")
        if step:
            await stage.step_is(app, step)
        scaled = time.time()
        await scale(stage, app, to)
        await stage.at_rest(app, "web:2", within=90)
    promised = {Promise.CAPACITY, Promise.HOLD}
    broken = [each for each in seen.breaches_but(scaled) if each.promise in promised]
    assert not broken, broken
    assert [each for each in seen.breaches() if each.promise is Promise.CAPACITY] == []


async def test_when_it_is_scaled_down_to_its_ready_new_pods_then_the_old_ones_stay_until_these_serve(
    stage: Stage,
) -> None:
    app = App(name="slow", groups=("slow",), min_healthy=0, replicas=3)
    await wrapped(stage, app)
    async with stage.observed(app, replicas=2) as seen:
        seen.expects_breaches = True
        await stage.set_image(app, "web:2")
        await stage.step_is(app, 2)
        await stage.until(lambda: _only_targets_are_missing(stage, app), "the new pods are Ready", within=20)
        await scale(stage, app, 2)
        await stage.at_rest(app, "web:2", within=90)
    assert [each for each in seen.breaches() if each.promise is Promise.CAPACITY] == []


async def _only_targets_are_missing(stage: Stage, app: App) -> bool:
    return "is not registered" in (told := str((await stage.status(app))["message"])) or "initial" in told


@pytest.mark.parametrize("step", EVERY_STEP)
async def test_when_it_is_scaled_to_nothing_at_any_step_and_back_then_it_is_complete(
    stage: Stage, step: int
) -> None:
    app = an_app(replicas=3)
    before = await wrapped(stage, app)
    await stage.set_image(app, "web:2")
    if step:
        await stage.step_is(app, step)
    await scale(stage, app, 0)
    await asyncio.sleep(0.5 * step)
    await scale(stage, app, 3)
    await stage.at_rest(app, "web:2", within=90)
    await delete(stage, app)
    assert await stage.deployment(app) == before


async def test_given_an_autoscaler_that_never_rests_when_it_rolls_out_then_its_least_number_serves(
    stage: Stage,
) -> None:
    app = an_app(replicas=4)
    await wrapped(stage, app)
    moving = asyncio.create_task(_autoscale(stage, app, (6, 3, 5, 4)))
    async with stage.observed(app, replicas=3, step=3) as seen:
        seen.expects_breaches = True
        await stage.set_image(app, "web:2")
        await asyncio.sleep(20)
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
        await scale(stage, app, 4)
        await stage.at_rest(app, "web:2", within=120)
    assert [each for each in seen.breaches() if each.promise is Promise.CAPACITY] == []


async def _autoscale(stage: Stage, app: App, sizes: Sequence[int]) -> None:
    while True:
        for size in sizes:
            await scale(stage, app, size)
            await asyncio.sleep(1.7)


# --- kubectl rollout


async def test_when_it_is_undone_at_rest_then_that_is_a_rollout_and_the_users_strategy_is_not_lost(
    stage: Stage,
) -> None:
    app = an_app(replicas=2, spec={"strategy": QUARTER})
    await wrapped(stage, app)
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        await stage.at_rest(app, "web:2")
        await stage.patch("deployment", app.name, {"spec": {"strategy": HALF}})
        await stage.until(lambda: _surge_is(stage, app, 1), "the strategy is the operator's again", within=5)
        await stage.kubectl("rollout", "undo", f"deployment/{app.name}")
        await stage.at_rest(app, "web:1")
        await stage.kubectl("rollout", "undo", f"deployment/{app.name}")
        await stage.at_rest(app, "web:2")
    await delete(stage, app)
    assert (await stage.deployment(app))["strategy"] == HALF


async def _surge_is(stage: Stage, app: App, surge: int) -> bool:
    return bool((await stage.deployment(app))["strategy"]["rollingUpdate"]["maxSurge"] == surge)


async def test_when_it_is_restarted_at_rest_then_that_is_a_rollout_and_midway_kubectl_refuses(
    stage: Stage,
) -> None:
    app = an_app(replicas=2)
    await wrapped(stage, app)
    async with stage.observed(app):
        await stage.kubectl("rollout", "restart", f"deployment/{app.name}")
        await stage.step_is(app, 1)
        for verb in ("restart", "undo"):
            told = await stage.kubectl("rollout", verb, f"deployment/{app.name}", check=False)
            assert "paused" in told, told
        await stage.at_rest(app)
    assert len((await stage.status(app))["history"]) == 1


async def test_when_it_is_resumed_midway_then_no_pod_goes_for_it_and_that_is_told(stage: Stage) -> None:
    app = App(name="slower", groups=("slower",), min_healthy=0, replicas=3)
    await wrapped(stage, app)
    async with stage.observed(app) as seen:
        await stage.set_image(app, "web:2")
        for step in (1, 2, 3):
            await stage.step_is(app, step)
            # Ready pods are what lets an un-paused Deployment take old ones.
            await stage.until(lambda: _only_targets_are_missing(stage, app), "they are Ready", within=20)
            pods = seen.observer.samples[-1].live.keys()
            await stage.kubectl("rollout", "resume", f"deployment/{app.name}")
            await stage.until(lambda: _is_paused(stage, app), "it is paused again", within=5)
            assert not pods - seen.observer.samples[-1].live.keys()
        await stage.at_rest(app, "web:2")
    assert "FieldTakenOver" in await stage.told(app)


async def _is_paused(stage: Stage, app: App) -> bool:
    return bool((await stage.deployment(app)).get("paused"))


@pytest.mark.parametrize("step", [1, 2])
async def test_when_the_ledger_is_pruned_midway_then_it_goes_on_and_all_is_given_back(
    stage: Stage, step: int
) -> None:
    app = an_app(replicas=2, spec={"minReadySeconds": 1})
    before = await wrapped(stage, app)
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        await stage.step_is(app, step)
        await stage.kubectl("annotate", "deployment", app.name, "saferollout.dev/ledger-")
        await stage.at_rest(app, "web:2")
        await stage.kubectl("annotate", "deployment", app.name, "saferollout.dev/ledger-")
    await delete(stage, app)
    assert await stage.deployment(app) == before


# --- GitOps tools

MANIFESTS: dict[str, Manifest] = {
    "plain": {},
    "paused": {"paused": False},
    "strategy": {"strategy": QUARTER},
    "min ready": {"minReadySeconds": 5},
    "deadline": {"progressDeadlineSeconds": 600},
    "all": {"paused": False, "strategy": QUARTER, "minReadySeconds": 5, "progressDeadlineSeconds": 600},
}


@pytest.mark.parametrize("how", APPLY)
@pytest.mark.parametrize("manifest", MANIFESTS)
async def test_given_a_gitops_tool_that_syncs_all_the_time_then_nobody_fights(
    stage: Stage, manifest: str, how: str
) -> None:
    app = an_app(replicas=4, spec=MANIFESTS[manifest])
    await stage.install(app)
    before = await stage.deployment(app)
    async with gitops(stage, app, how) as tool:
        await stage.apply(app.rollout())
        await stage.reason_is(app, "Complete", within=30)  # before it is adopted all is quiet as well
        await _quiet(stage, app, seconds=2 * SYNC, within=30)
        # A strategy that is left to the tool lets Kubernetes act by it until the operator has paused.
        spared = 1 if "strategy" in MANIFESTS[manifest] else 0
        async with stage.observed(app, max_unavailable=spared) as seen:
            seen.expects_breaches = manifest in {"strategy", "min ready", "all"}
            begun, synced = moves(stage, app), tool.syncs
            tool.app = replace(app, image="web:2")
            await stage.until(lambda: _runs(stage, app, "web:2"), "web:2 is rolled out", within=120)
            await _quiet(stage, app, seconds=10, within=40)
            made, foreign = moves(stage, app) - begun, tool.syncs - synced
        told = await stage.condition(app, "FieldsKept")
        summary = f"{manifest}, {how}: {dict(made)}, {foreign} syncs; {told}; {seen.breaches()}"
        print(summary)  # noqa: T201 - the numbers for docs/operating.md
        # A pause for each release and one to begin with, one finish, three takeovers, and striking them off;
        # and one for each of their writes where nothing else holds: the wall of the last batch, or at all.
        fair = 2 * made["Release"] + 6 + (foreign if manifest in {"min ready", "all"} else 0)
        assert made.total() <= fair, made
        assert tool.refused == []
        if manifest != "all":
            assert [each for each in seen.breaches() if each.promise is Promise.CAPACITY] == []
        if manifest == "plain":
            assert told["status"] == "True"
    await delete(stage, app)
    assert await stage.deployment(app) == before


async def _runs(stage: Stage, app: App, image: str) -> bool:
    status = await stage.status(app)
    found = await stage.get("deployment", app.name)
    images = {each["image"] for each in found["spec"]["template"]["spec"]["containers"]}
    return images == {image} and status.get("phase") == "Idle" and bool(status.get("history"))


async def _quiet(stage: Stage, app: App, seconds: float, within: float) -> None:
    """Wait until the operator has written nothing for so long, and the spec is the same.

    Not the resourceVersion: on the embedded cluster ``paused: false`` applied on the server's side renews the
    time of its owner with every apply. Whether the released API server does so has not been looked at.
    """
    deadline = time.monotonic() + within
    before: tuple[int, int] | None = None
    since = time.monotonic()
    while time.monotonic() - since < seconds:
        generation = (await stage.get("deployment", app.name))["metadata"]["generation"]
        now = generation, moves(stage, app).total()
        if now != before:
            before, since = now, time.monotonic()
        assert time.monotonic() < deadline, f"not quiet: {await stage.standing()}"
        await asyncio.sleep(0.3)
