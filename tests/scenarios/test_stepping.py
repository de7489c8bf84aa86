"""The main job: a new image, one gated step at a time."""

from __future__ import annotations

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
