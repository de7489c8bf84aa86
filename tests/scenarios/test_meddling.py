"""Somebody who does whatever comes to mind, in no order: when that is over, all goes on and nothing is left.

``SAFEROLLOUT_SEED`` is another somebody, ``SAFEROLLOUT_DEEDS`` how much they do.
"""

from __future__ import annotations

import asyncio
import os
from random import Random

import pytest

from saferollout.api.names import ACTION_ANNOTATION, DELETION_COST_ANNOTATION, LEDGER_ANNOTATION
from scenarios.apps import wrapped
from scenarios.conftest import Opening
from scenarios.leaving import delete, without_trace
from scenarios.manifests import App, Manifest, target_group, world
from scenarios.stage import Stage

pytestmark = pytest.mark.long

SEED = int(os.environ.get("SAFEROLLOUT_SEED", "6"))
DEEDS = int(os.environ.get("SAFEROLLOUT_DEEDS", "50"))

APP = App(replicas=5, min_healthy=0)
ALARM = "web-5xx"

IMAGES = ("web:2", "web:3", "web:4", "web:missing", "web:crash")
ACTIONS = ("approve", "retry", "abort", "skip-gate", "nonsense")
SPECS: tuple[Manifest, ...] = (
    {"paused": True},
    {"paused": False},
    {"onFailure": "Rollback"},
    {"onFailure": "Hold"},
    {"onDelete": "KeepPaused"},
    {"step": {"maxSurge": "50%", "maxUnavailable": 0}},
    {"step": {"maxSurge": 0, "maxUnavailable": 2}},
    {"approvals": [1, "50%"]},
    {"approvals": []},
    {"zones": {"minHealthy": "50%", "order": "ZoneByZone"}},
    {"zones": {"minHealthy": 0, "order": "Balanced"}},
    {"gates": {"bake": "2s", "alarms": [{"name": ALARM}]}},
    {"gates": {"targetHealth": {"timeout": "2s"}, "drain": {"timeout": "1s"}}},
)
SETTINGS: tuple[Manifest, ...] = (
    {"minReadySeconds": 3},
    {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}},
    {"progressDeadlineSeconds": 60},
)
FORGOTTEN = ("step", "draining", "zones", "ledger", "revision", "failed", "startedAt", "takeovers")
"""Members of the status that somebody takes away."""


async def test_given_somebody_who_does_whatever_comes_to_mind_when_it_is_over_then_all_is_as_it_should_be(
    opened: Opening,
) -> None:
    chance = Random(SEED)  # noqa: S311 - what comes to mind, no secret
    async with opened(world(target_group("web"))) as stage:
        await stage.alarm(ALARM, "OK")
        await stage.start_operator()
        before = await wrapped(stage, APP)
        for _ in range(DEEDS):
            await meddle(stage, chance)
            await asyncio.sleep(chance.uniform(0, 2.5))
        await put_right(stage, before)
        await stage.at_rest(APP, "web:last", within=240)
        assert list(stage.complaints()) == []
        await delete(stage, APP)
        assert await stage.deployment(APP) == before
        await without_trace(stage, APP)


async def meddle(stage: Stage, chance: Random) -> None:
    """Do one thing."""
    match chance.randrange(12):
        case 0:
            await stage.kill_operator()
            await asyncio.sleep(chance.uniform(0, 4))
            await stage.start_operator()
        case 1:
            await stage.alarm(ALARM, chance.choice(["OK", "ALARM", "INSUFFICIENT_DATA"]))
        case 2:
            await stage.kubectl("delete", "saferollout", APP.name, "--wait=false", check=False)
            await asyncio.sleep(chance.uniform(0, 3))
            await stage.apply(APP.rollout(), check=False)
        case 3:
            forgotten = {"status": {chance.choice(FORGOTTEN): None}}
            await stage.patch("saferollout", APP.name, forgotten, "--subresource=status", check=False)
        case 4 | 5:
            await stage.patch("saferollout", APP.name, {"spec": chance.choice(SPECS)}, check=False)
        case 6:
            await stage.patch("deployment", APP.name, {"spec": chance.choice(SETTINGS)}, check=False)
        case _:
            await stage.kubectl(*await some_command(stage, chance), check=False)


async def some_command(stage: Stage, chance: Random) -> tuple[str, ...]:
    """Return what somebody may give kubectl to do."""
    deployment, pod = f"deployment/{APP.name}", chance.choice(await names(stage, "pods"))
    every: list[tuple[str, ...]] = [
        *(("set", "image", deployment, f"web={image}") for image in IMAGES),
        *(("rollout", verb, deployment) for verb in ("undo", "restart", "pause", "resume")),
        ("scale", deployment, f"--replicas={chance.randint(0, 7)}"),
        *(("annotate", "saferollout", APP.name, f"{ACTION_ANNOTATION}={each}") for each in ACTIONS),
        ("annotate", deployment, f"{LEDGER_ANNOTATION}-"),
        ("annotate", pod, "--overwrite", f"{DELETION_COST_ANNOTATION}={chance.randint(-9, 9)}"),
        ("delete", pod, "--wait=false"),
        ("delete", chance.choice(await names(stage, "replicasets")), "--wait=false"),
        ("cordon", chance.choice(await names(stage, "nodes"))),
        ("uncordon", chance.choice(await names(stage, "nodes"))),
    ]
    return chance.choice(every)


async def put_right(stage: Stage, before: Manifest) -> None:
    """Undo what would hold a rollout for good, and ask for a last image."""
    await stage.kubectl("uncordon", *await names(stage, "nodes"))
    await stage.alarm(ALARM, "OK")
    await stage.apply(APP.rollout(), check=False)
    as_it_was = dict.fromkeys(("paused", "approvals", "onFailure", "onDelete"))
    gates = {"alarms": None, "bake": None, "targetHealth": {"timeout": "10m"}, "drain": {"timeout": "20m"}}
    others = {"step": {"maxSurge": 1, "maxUnavailable": 0}, "zones": {"minHealthy": 0, "order": None}}
    await stage.patch("saferollout", APP.name, {"spec": {**as_it_was, **others, "gates": gates}}, check=False)
    settings = {name: before.get(name) for each in SETTINGS for name in each}
    await stage.patch("deployment", APP.name, {"spec": {**settings, "replicas": APP.replicas}}, check=False)
    await stage.set_image(APP, "web:last")
    await stage.kubectl("rollout", "resume", f"deployment/{APP.name}", check=False)


async def names(stage: Stage, kind: str) -> list[str]:
    """Return what kubectl calls the objects of this kind; something that is not there if there is none."""
    return (await stage.kubectl("get", kind, "-o", "name")).split() or [f"{kind}/none"]
