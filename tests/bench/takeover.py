"""How long nobody acts when the operator that does is killed or told to end: ``python -m bench.takeover``.

On the embedded cluster, with the times of the Lease as installed. "Acts" is looking after its SafeRollout.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from rich.console import Console

from scenarios.conftest import embedded
from scenarios.electing import Candidate, candidate, held
from scenarios.manifests import App, target_group, world
from scenarios.stage import Stage, staged

TIMES = 6
APP = App(replicas=2, min_healthy=0, groups=("alb-web",))


async def looks_after(operator: Candidate) -> bool:
    """Whether it has begun with the one SafeRollout there is."""
    try:
        return "saferollout_rollouts 1.0\n" in (await operator.says("metrics"))[1]
    except aiohttp.ClientError:
        return False


async def changed_hands(
    stage: Stage, leader: Candidate, standby: Candidate, how: signal.Signals
) -> tuple[float, float]:
    """End the leader; return after how many seconds the other had the Lease, and acted."""
    ended = time.time()
    leader.process.send_signal(how)
    await stage.until(lambda: looks_after(standby), "the other acts", within=60)
    acts = time.time() - ended
    return (await held(stage)).acquired.timestamp() - ended, acts


async def measure(times: int) -> None:
    """Print it for both ways of ending."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        async with (
            embedded(world(target_group("alb-web")), directory) as host,
            staged(host, directory) as stage,
        ):
            await stage.install(APP)
            await stage.apply(APP.rollout())
            leader = await candidate(stage)
            await stage.until(lambda: looks_after(leader), "the first one acts", within=90)
            for how in (signal.SIGTERM, signal.SIGKILL):
                taken = []
                for _ in range(times):
                    standby = await candidate(stage)
                    await stage.until(standby.stands_by, "another stands by", within=90)
                    taken.append(await changed_hands(stage, leader, standby, how))
                    leader = standby
                for what, seconds in zip(("has the lease", "acts"), zip(*taken, strict=True), strict=True):
                    spread = (min(seconds), statistics.median(seconds), max(seconds))
                    figures = " / ".join(f"{each:.2f}" for each in spread)
                    console.print(f"{how.name}: the other {what} after {figures} s (min / median / max)")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if sys.argv[1:] else TIMES))
