"""The main job: a new image, one gated step at a time."""

from __future__ import annotations

from datetime import datetime

import pytest

from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world

CASES = {
    "six in three zones, one by one": App(),
    "one replica": App(replicas=1, min_healthy=0, groups=("alb-web",)),
    "two at a time": App(replicas=7, step=2),
    "a step as large as the Deployment": App(replicas=4, step=4),
    "a third of ten": App(replicas=10, step="33%"),
    "two target groups": App(replicas=3, groups=("web", "websecure")),
    "minReadySeconds of the user's": App(
        replicas=2, min_healthy=0, groups=("alb-web",), spec={"minReadySeconds": 3}
    ),
}


@pytest.mark.parametrize("app", CASES.values(), ids=CASES.keys())
async def test_given_a_deployment_when_a_new_image_comes_then_it_rolls_out_without_a_failed_request(
    opened: Opening, app: App
) -> None:
    async with opened(world(*map(target_group, app.groups))) as stage:
        await stage.install(app)
        before = await stage.deployment(app)
        await stage.start_operator()
        await stage.wrap(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.at_rest(app, "web:2", within=90)
        assert await stage.failed_requests(app, seen.begun) == {}
        await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")
        assert await stage.deployment(app) == before


async def test_given_health_without_a_break_is_asked_for_then_a_break_is_what_the_operator_did_not_see(
    opened: Opening,
) -> None:
    app = App(replicas=2, groups=("alb-web",), min_healthy=0)
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app, gates={"targetHealth": {"stableFor": "5s"}})

        async def told(moment: str) -> float:
            text = (await stage.status(app))["step"].get(moment)
            return datetime.fromisoformat(text).timestamp() if text else 0.0

        async def is_timed() -> bool:
            return await told("servingSince") > 0

        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.until(is_timed, "the new pod serves", within=40)
            first = await told("servingSince")
            await stage.kill_operator()
            await stage.start_operator()
            await stage.step_is(app, 2)
            assert await told("startedAt") - first > 5 + 1, "the operator was away for more than a second"
            await stage.at_rest(app, "web:2")
        assert await stage.failed_requests(app, seen.begun) == {}


async def test_given_no_room_for_another_pod_then_old_ones_go_first_and_no_more_than_a_step_is_missing(
    opened: Opening,
) -> None:
    app = App(replicas=3, in_place=True, groups=("alb-web",), min_healthy=0, spread=False)
    room = {"zones": ("us-east-1a",), "nodes_per_zone": 1, "pods_per_node": 3}
    async with opened(world(target_group("alb-web"), **room)) as stage:
        await stage.run(app)
        before = await stage.deployment(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.at_rest(app, "web:2", within=120)
        assert await stage.failed_requests(app, seen.begun) == {}
        assert await stage.deployment(app) == before
        await stage.kubectl("delete", "saferollout", app.name, "--timeout=30s")
