"""A world as a process on loopback: ``python -m saferollout.sim.serve --config FILE --kubeconfig FILE``.

When it is ready it prints one line of JSON: ``kubernetes`` and ``elb`` are URLs, ``kubeconfig`` the file it
wrote. It ends on SIGTERM and SIGINT, and with its parent if asked to. Exit status: 0 when ended so, 1 after a
fault of its own, 2 if it could not start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from saferollout.sim.apiserver.kubeconfig import write_kubeconfig
from saferollout.sim.apiserver.server import ApiServer
from saferollout.sim.cloudwatch.endpoint import CloudWatch
from saferollout.sim.control import Control
from saferollout.sim.elbv2.endpoint import Endpoint
from saferollout.sim.elbv2.faults import Faults
from saferollout.sim.loopback import serving
from saferollout.sim.world import Site, World, WorldConfig

_PARENT_POLL = 0.3


def main() -> None:
    """Run until told to end."""
    arguments = _parser().parse_args()
    parent = os.getppid()
    try:
        config = WorldConfig.load(arguments.config)
    except (OSError, ValueError) as error:
        sys.exit(_complain(error))
    try:
        asyncio.run(_serve(config, arguments, parent=parent))
    except OSError as error:  # a port that is taken, a kubeconfig that cannot be written
        sys.exit(_complain(error))


def elb_application(site: Site) -> web.Application:
    """Build the ELBv2 endpoint of a site, with CloudWatch's below it and the control routes.

    The timeline is brought up to the wall clock before each request.
    """

    @web.middleware
    async def up_to_date(request: web.Request, handler: Handler) -> web.StreamResponse:
        site.timeline.run_until(time.time())
        return await handler(request)

    app = web.Application(middlewares=[up_to_date])
    faults = Faults(seed=site.config.seed)
    elb = Endpoint(site.groups, faults)
    app.add_routes(elb.routes())
    app.add_routes(CloudWatch(site.alarms, faults, elb.calls).routes())
    app.add_routes(Control(site).routes())
    return app


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m saferollout.sim.serve", description=main.__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the world, in YAML")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="where to write a kubeconfig")
    parser.add_argument("--api-port", type=int, default=0, help="of the Kubernetes API; 0 takes a free one")
    parser.add_argument("--elb-port", type=int, default=0, help="of the ELBv2 endpoint; 0 takes a free one")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the parent process ends")
    return parser


def _complain(error: Exception) -> int:
    sys.stderr.write(f"{error}\n")
    return 2


async def _serve(config: WorldConfig, arguments: argparse.Namespace, *, parent: int) -> None:
    stop = _stop_signal()
    world = World(config, start=time.time())
    kubernetes_app = ApiServer(world.store, world.timeline).application()
    async with (
        serving(kubernetes_app, arguments.api_port) as kubernetes,
        serving(elb_application(world), arguments.elb_port) as elb,
    ):
        write_kubeconfig(arguments.kubeconfig, kubernetes)
        ready = {"kubernetes": kubernetes, "elb": elb, "kubeconfig": str(arguments.kubeconfig)}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        ends = [_orphaned(parent)] if arguments.die_with_parent else []
        await _until_first(world.timeline.drive(), stop.wait(), *ends)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    return stop


async def _until_first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for whatever ends first and give the others up; an error is raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    for task in done:
        task.result()


async def _orphaned(parent: int) -> None:
    """Return when the process has another parent than ``parent``."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells a process that its parent ended
        await asyncio.sleep(_PARENT_POLL)


if __name__ == "__main__":
    main()
