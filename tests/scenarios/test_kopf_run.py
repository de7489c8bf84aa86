"""The other way of starting it, which users of kopf expect."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from scenarios.conftest import embedded
from scenarios.manifests import App, target_group, world
from scenarios.stage import POLL, staged


async def test_given_kopf_run_with_our_handlers_then_it_is_the_same_operator(tmp_path: Path) -> None:
    app = App(replicas=2)
    async with (
        embedded(world(target_group("web"), nodes_per_zone=1, zones=("a", "b")), tmp_path) as host,
        staged(host, tmp_path) as stage,
    ):
        await stage.install(app)
        settings = {
            "SAFEROLLOUT_POLL_INTERVAL": str(POLL),
            "SAFEROLLOUT_LEAST_FENCE": "2",
            "SAFEROLLOUT_SETTLE": "0.3",
            "SAFEROLLOUT_LISTEN": "127.0.0.1",
            "SAFEROLLOUT_PORT": "0",
        }
        script = Path(__file__).with_name("under_kopf_run.py")
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), stdin=PIPE, stdout=DEVNULL, env=stage.environment | settings
        )
        assert process.stdin is not None
        await stage.wrap(app)
        async with stage.observed(app):
            await stage.set_image(app, "web:2")
            await stage.at_rest(app, "web:2")
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 30) == 0
