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
import pytest_asyncio
import yaml

from controlplane.binaries import Binaries
from controlplane.cluster import running
from controlplane.fixtures import released
from controlplane.plane import ControlPlane
from saferollout.sim.apiserver.kubeconfig import write_kubeconfig
from saferollout.sim.world import WorldConfig
from scenarios.stage import Host, Stage, staged

os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # the observer signs with them

__all__ = ["opened", "released", "stage"]

KUSTOMIZE = Path(__file__).parents[2] / "deploy" / "kustomize"
DEPLOY = KUSTOMIZE / "base"

OPERATOR = "system:serviceaccount:saferollout-system:saferollout"

HOSTS = ["embedded", pytest.param("real", marks=pytest.mark.real)]

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
        told, operator = json.loads(line), directory / "operator.kubeconfig"
        write_kubeconfig(operator, told["kubernetes"], user=OPERATOR)
        yield Host(kubeconfig, told["elb"], operator)
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def real(released: Binaries, config: WorldConfig) -> AsyncIterator[Host]:
    """Run a released control plane with the same site around it, and the operator's own rights in it."""
    plane = await asyncio.to_thread(ControlPlane(released).__enter__)
    try:
        async with running(plane, config) as cluster:
            admin = plane.kubeconfig("admin")
            (await asyncio.to_thread(plane.kubectl, "apply", "-k", str(DEPLOY))).check_returncode()
            # The operator is the test's own process: a pod of it would take room on a node.
            at_home = ("--namespace", "saferollout-system", "deployment/saferollout", "--replicas=0")
            (await asyncio.to_thread(plane.kubectl, "scale", *at_home)).check_returncode()
            token = await asyncio.to_thread(plane.service_account_token, "saferollout-system", "saferollout")
            yield Host(admin, cluster.elb, plane.kubeconfig("operator", token), plane)
    finally:
        await asyncio.to_thread(plane.stop)


@asynccontextmanager
async def _opened(
    request: pytest.FixtureRequest, config: WorldConfig, directory: Path
) -> AsyncIterator[Stage]:
    """Open a stage on the cluster that the fixture's parameter names."""
    binaries = request.getfixturevalue("released") if request.param == "real" else None
    host = embedded(config, directory) if binaries is None else real(binaries, config)
    async with host as found, staged(found, directory) as stage:
        yield stage


@pytest.fixture(params=HOSTS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Open a stage on a cluster with the given site: the embedded one, or a real control plane."""
    return lambda config: _opened(request, config, tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=HOSTS)
async def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """One stage for all tests of a module, on the site that its ``SITE`` describes, with an operator.

    ``OPTIONS`` of the module, if it has any, are the operator's, as environment variables.
    """
    async with _opened(request, request.module.SITE, tmp_path_factory.mktemp("stage")) as stage:
        await stage.start_operator(**getattr(request.module, "OPTIONS", {}))
        yield stage
