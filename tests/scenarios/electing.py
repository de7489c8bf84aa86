"""Several operators on one cluster, of which one acts."""

from __future__ import annotations

from asyncio.subprocess import Process
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from controlplane.plane import free_port
from scenarios.stage import Stage

LEASE, AT_HOME = "saferollout", "saferollout-system"


@dataclass(frozen=True, slots=True)
class Held:
    """What the Lease says."""

    holder: str
    acquired: datetime
    renewed: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operator that asks for the Lease."""

    process: Process
    port: int

    async def says(self, path: str) -> tuple[int, str]:
        """Ask its port for probes and metrics."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}/{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def leads(self) -> bool:
        """Whether it says that it does; not before it says anything."""
        try:
            return "saferollout_leader 1.0\n" in (await self.says("metrics"))[1]
        except aiohttp.ClientError:
            return False

    async def stands_by(self) -> bool:
        """Whether it is ready and does not lead."""
        try:
            ready, _ = await self.says("readyz")
            _, metrics = await self.says("metrics")
        except aiohttp.ClientError:
            return False
        return ready == 200 and "saferollout_leader 0.0\n" in metrics


async def candidate(stage: Stage, *options: str, kubeconfig: Path | None = None) -> Candidate:
    """Start an operator that acts only while it holds the Lease."""
    if not await stage.kubectl("get", "namespaces", AT_HOME, "--ignore-not-found"):
        await stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": AT_HOME}})
    port = free_port()
    through: dict[str, Any] = {} if kubeconfig is None else {"KUBECONFIG": str(kubeconfig)}
    where = ("--elect", "--lease-namespace", AT_HOME, "--port", str(port))
    return Candidate(await stage.start_operator(*where, *options, **through), port)


async def leader_and_standby(stage: Stage, kubeconfig: Path | None = None) -> tuple[Candidate, Candidate]:
    """Start two, the first of which leads. ``kubeconfig`` is the first one's way in."""
    first = await candidate(stage, kubeconfig=kubeconfig)
    await stage.until(first.leads, "the first operator leads", within=90)
    second = await candidate(stage)
    await stage.until(second.stands_by, "the second operator stands by", within=90)
    return first, second


async def held(stage: Stage) -> Held:
    """Read the Lease."""
    jsonpath = "{.spec.holderIdentity} {.spec.acquireTime} {.spec.renewTime}"
    said = await stage.kubectl("get", "lease", LEASE, "-n", AT_HOME, "-o", f"jsonpath={jsonpath}")
    holder, acquired, renewed = said.rsplit(" ", 2)
    return Held(holder, datetime.fromisoformat(acquired), datetime.fromisoformat(renewed))


async def taken_over(stage: Stage, by: Candidate, before: Held, within: float) -> Held:
    """Wait until the other one leads, and return what the Lease says then."""
    await stage.until(by.leads, "the other operator leads", within=within)
    after = await held(stage)
    assert after.holder not in {"", before.holder}
    return after
