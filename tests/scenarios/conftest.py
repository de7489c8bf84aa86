"""The clusters that scenarios are played on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import yaml

from saferollout.sim.world import WorldConfig
from scenarios.stage import Host, Stage, staged

os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # the observer signs with them

Opening = Callable[[WorldConfig], AbstractAsyncContextManager[Stage]]


@asynccontextmanager
async def embedded(config: WorldConfig, directory: Path) -> AsyncIterator[Host]:
    """Run the embedded cluster as a process of its own."""
    world, kubeconfig = directory / "world.yaml", directory / "kubeconfig"
    world.write_text(yaml.safe_dump(config.model_dump(mode="json", by_alias=True)))
    with (directory / "cluster.log").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "saferollout.sim.serve", "--die-with-parent"),
            *("--config", str(world), "--kubeconfig", str(kubeconfig)),
            stdout=PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        assert line, (directory / "cluster.log").read_text()
        yield Host(kubeconfig, json.loads(line)["elb"])
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
def opened(tmp_path: Path) -> Opening:
    """Open a stage on a cluster with the given site."""

    @asynccontextmanager
    async def opening(config: WorldConfig) -> AsyncIterator[Stage]:
        async with embedded(config, tmp_path) as host, staged(host, tmp_path) as stage:
            yield stage

    return opening
