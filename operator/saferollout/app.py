"""What runs beside kopf: the caches, target health, and the port of probes and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from saferollout.loop import Parts
from saferollout.observe.cluster import Cluster
from saferollout.observe.saferollouts import SafeRollouts
from saferollout.observe.targets import TargetHealth
from saferollout.options import Options
from saferollout.reach import connected
from saferollout.reminding import Reminder


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Parts]:
    """Run everything that loops share, for as long as the context lasts.

    Raises:
        UnreachableError: No cluster is known.
    """
    async with connected(kubeconfig=None, context=None) as connection:
        api = connection.api
        rollouts = SafeRollouts(api, options.namespaces)
        parts = Parts(
            api,
            Cluster(api, options.namespaces),
            rollouts,
            TargetHealth(patience=options.patience, rate=options.describe_rate),
            Reminder(api, rollouts),
            options,
        )
        kept = (parts.cluster.run(), parts.rollouts.run(), parts.reminder.run())
        tasks = [asyncio.create_task(each) for each in kept]
        runner = await _serve(parts)
        try:
            yield parts
        finally:
            await runner.cleanup()
            parts.health.close()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def synced(parts: Parts) -> None:
    """Wait until the caches know the cluster."""
    await parts.cluster.synced()
    await parts.rollouts.synced()


async def _serve(parts: Parts) -> web.AppRunner:
    """Answer ``/healthz`` (the loop turns), ``/readyz`` (the caches know the cluster) and ``/metrics``."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        gap = parts.cluster.gap
        if gap is None:
            return web.Response(text="ok")
        return web.Response(status=503, text=f"{gap.path} is not up to date")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, parts.options.listen, parts.options.port).start()
    return runner
