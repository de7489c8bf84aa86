"""The observer itself: a native rolling update under it breaks what it is known to break."""

from __future__ import annotations

import time

from saferollout.sim.contract import Promise
from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world


async def test_given_no_saferollout_when_a_new_image_comes_then_capacity_zones_and_drain_are_seen_broken(
    opened: Opening,
) -> None:
    app = App(pre_stop=10)
    async with opened(world(target_group("web"))) as stage:
        await stage.install(app)
        async with stage.observed(app) as seen:
            seen.expects_breaches = True
            begun = time.time()
            await stage.set_image(app, "web:2")
            await stage.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=30s")
        broken = {breach.promise for breach in seen.breaches()}
        assert {Promise.CAPACITY, Promise.ZONES, Promise.DRAIN} <= broken
        assert sum((await stage.failed_requests(app, begun)).values()) > 0
