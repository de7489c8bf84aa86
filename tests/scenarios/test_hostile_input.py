"""Hundreds of generated edits of specs, statuses and annotations: the operator lives, and others roll out."""

from __future__ import annotations

import asyncio
import json
import os
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from kubernetes.aio.client import AppsV1Api, CustomObjectsApi
from kubernetes.aio.client.exceptions import ApiException

from saferollout.api.names import GROUP, LEDGER_ANNOTATION, PLURAL, VERSION
from saferollout.api.plain import MOST_ADVISED
from scenarios.conftest import Opening
from scenarios.manifests import NAMESPACE, App, target_group, world
from scenarios.stage import Stage
from unit.hostile import annotation_texts, specs, statuses

pytestmark = pytest.mark.long

EDITS = int(os.environ.get("SAFEROLLOUT_EDITS", "300"))
VICTIM = App(name="victim", replicas=2, min_healthy=0, groups=("victim",), spread=False)
NEIGHBOUR = App(name="neighbour", replicas=3, groups=("web",))
MERGE: dict[str, Any] = {"_content_type": "application/merge-patch+json"}

Edit = tuple[Any, Any, str, str]


def generated(count: int) -> list[Edit]:
    """So many edits, the same ones every time."""
    found: list[Edit] = []

    @seeded(6)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(specs, statuses, annotation_texts, annotation_texts)
    def keep(spec: Any, status: Any, ledger: str, action: str) -> None:
        found.append((spec, status, ledger, action))

    keep()
    return found


class Vandal:
    """Writes what is generated to one app. ``taken`` counts what the API server let in."""

    def __init__(self, stage: Stage) -> None:
        self._objects = CustomObjectsApi(stage.api)
        self._apps = AppsV1Api(stage.api)
        self._chance = Random(6)  # noqa: S311 - which edit, no secret
        self.taken = 0
        self.refused = 0

    async def edit(self, edit: Edit) -> None:
        """Write one of its four parts."""
        spec, status, ledger, action = edit
        where = (GROUP, VERSION, NAMESPACE, PLURAL, VICTIM.name)
        objects, apps = self._objects, self._apps
        way = self._chance.randrange(4)
        try:
            if way == 0:
                patch = {"spec": spec}
                await objects.patch_namespaced_custom_object(*where, patch, **MERGE)
            elif way == 1:
                patch = {"status": status}
                await objects.patch_namespaced_custom_object_status(*where, patch, **MERGE)
            elif way == 2:
                patch = {"metadata": {"annotations": {LEDGER_ANNOTATION: ledger}}}
                await apps.patch_namespaced_deployment(VICTIM.name, NAMESPACE, patch, **MERGE)
            else:
                patch = {"metadata": {"annotations": {"saferollout.dev/action": action}}}
                await objects.patch_namespaced_custom_object(*where, patch, **MERGE)
        except ApiException:
            self.refused += 1
        else:
            self.taken += 1


async def test_given_hundreds_of_hostile_edits_then_the_operator_lives_and_a_neighbour_rolls_out(
    opened: Opening,
) -> None:
    async with opened(world(target_group("web"), target_group("victim"))) as stage:
        await stage.install(VICTIM)
        await stage.install(NEIGHBOUR)
        operator = await stage.start_operator()
        await stage.wrap(VICTIM)
        await stage.wrap(NEIGHBOUR)
        vandal = Vandal(stage)
        async with stage.observed(NEIGHBOUR) as seen, at_work(vandal):
            for image in ("web:2", "web:3"):
                await stage.set_image(NEIGHBOUR, image)
                await stage.at_rest(NEIGHBOUR, image, within=120)
        assert await stage.failed_requests(NEIGHBOUR, seen.begun) == {}
        assert vandal.taken + vandal.refused == EDITS
        assert vandal.taken > EDITS / 4, "the API server let too few in for this to say anything"
        assert operator.returncode is None
        assert list(stage.complaints()) == []
        for line in await messages(stage):
            assert not any(unicodedata.category(each)[0] == "C" for each in line), line
            assert len(line.encode()) <= MOST_ADVISED
        await stage.kubectl("delete", "saferollout", VICTIM.name, "--timeout=60s")


@asynccontextmanager
async def at_work(vandal: Vandal) -> AsyncIterator[None]:
    """Have every edit made, beside what happens in the context."""
    edits = await asyncio.to_thread(generated, EDITS)
    while len(edits) < EDITS:
        edits += edits[: EDITS - len(edits)]

    async def go_on() -> None:
        for edit in edits[:EDITS]:
            await vandal.edit(edit)
            await asyncio.sleep(0.05)

    working = asyncio.create_task(go_on())
    try:
        yield
    finally:
        await working


async def messages(stage: Stage) -> list[str]:
    """What the SafeRollouts' Events and statuses tell people."""
    events = json.loads(await stage.kubectl("get", "events", "-o", "json"))["items"]
    told = [each["message"] for each in events if each["involvedObject"]["kind"] == "SafeRollout"]
    for app in (VICTIM, NEIGHBOUR):
        status = await stage.status(app)
        told += [status.get("message") or "", *(each["message"] for each in status.get("conditions", ()))]
    return told
