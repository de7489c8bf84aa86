"""What runs beside kopf: the caches, target health, and the port of probes and metrics."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from saferollout import metrics
from saferollout.leading import Election, Office, Terms
from saferollout.observe.alarms import Alarms
from saferollout.observe.cluster import Cluster
from saferollout.observe.saferollouts import SafeRollouts
from saferollout.observe.targets import TargetHealth
from saferollout.options import Options
from saferollout.parts import Parts
from saferollout.reach import Connection, connected
from saferollout.reminding import Reminder
from saferollout.term import Term

log = logging.getLogger("saferollout")


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Parts]:
    """Run everything that loops share, for as long as the context lasts.

    It may write from when it `leads` on. At the end somebody else may, at once.

    Raises:
        UnreachableError: No cluster is known.
    """
    term = Term()
    async with (
        connected(kubeconfig=None, context=None) as unguarded,
        connected(kubeconfig=None, context=None, traces=[term.guard()]) as connection,
    ):
        api = connection.api
        election = _election(unguarded, term, options)
        rollouts = SafeRollouts(api, options.namespaces)
        parts = Parts(
            api,
            Cluster(api, options.namespaces),
            rollouts,
            TargetHealth(patience=options.patience, rate=options.describe_rate),
            Alarms(patience=options.patience, rate=options.describe_rate),
            Reminder(api, rollouts),
            options,
            Office(term, election),
        )
        kept = (parts.cluster.run(), parts.rollouts.run(), _lead(parts))
        tasks = [asyncio.create_task(each) for each in kept]
        runner = await _serve(parts)
        try:
            yield parts
        finally:
            await runner.cleanup()
            parts.health.close()
            parts.alarms.close()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            if election is not None:
                await election.give_back()


def _election(connection: Connection, term: Term, options: Options) -> Election | None:
    """Return how the right to write is come by; without an election it is there for good."""
    if not options.elect:
        term.ends = math.inf
        return None
    if not options.outlasts_a_takeover:
        log.warning(
            "a release may go on without a gate before another operator is there:"
            " least-fence (%gs) is to be longer than lease-duration (%gs) and two renewals (%gs each)",
            options.least_fence,
            options.lease_duration,
            options.renew_interval,
        )
    terms = Terms(
        options.lease_namespace or connection.namespace,
        options.lease_name,
        options.lease_duration,
        options.renew_deadline,
        options.renew_interval,
    )
    return Election(connection.api, terms, term)


async def _lead(parts: Parts) -> None:
    """Stand by, then do what only the leader does; end the process when it is deposed.

    Nothing is cleaned up then: this process may not write any more, and another one acts already.
    """
    office = parts.office
    if office.election is not None:
        await office.election.win()
    metrics.LEADER.set(1)
    office.taken.set()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(parts.reminder.run())
        if office.election is not None:
            await office.election.keep()
            log.critical("this operator does not hold its lease any more: it ends, to be started again")
            logging.shutdown()
            os._exit(1)


async def synced(parts: Parts) -> None:
    """Wait until the caches know the cluster."""
    await parts.cluster.synced()
    await parts.rollouts.synced()


async def _serve(parts: Parts) -> web.AppRunner:
    """Answer ``/healthz`` (the loop turns), ``/readyz`` and ``/metrics``.

    Ready is whose caches know the cluster and who can act or take over: also who stands by, or two replicas
    could not be rolled.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        gap, election = parts.cluster.gap, parts.office.election
        if gap is not None:
            return web.Response(status=503, text=f"{gap.path} is not up to date")
        if election is not None and election.trouble is not None:
            return web.Response(status=503, text=f"the lease: {election.trouble}")
        return web.Response(text="ok")

    async def counted(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", counted)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, parts.options.listen, parts.options.port).start()
    return runner
