"""The real control plane as fixtures. A session has one, and every test a namespace of its own."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from controlplane import binaries, cluster, nodes
from controlplane.binaries import Binaries
from controlplane.cluster import Cluster
from controlplane.plane import ControlPlane
from controlplane.subject import Subject
from saferollout.sim.resources import NAMESPACES
from saferollout.sim.world import WorldConfig

SITE = WorldConfig.model_validate(
    {
        "controllerLagSeconds": 0.2,
        "targetGroups": [
            {
                "name": "web",
                "kind": "alb",
                "registrationSeconds": 1,
                "deregistrationDelaySeconds": 5,
                "healthCheck": {"intervalSeconds": 0.5},
            }
        ],
    }
)
"""Three zones of two nodes, and an impatient load balancer."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def released() -> Binaries:
    """The binaries. Without them a test is skipped on somebody's machine, and fails where CI is set."""
    try:
        return binaries.find()
    except binaries.UnavailableError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def plane(released: Binaries) -> Iterator[ControlPlane]:
    with ControlPlane(released) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_cluster(plane: ControlPlane) -> AsyncIterator[Cluster]:
    async with cluster.running(plane, SITE) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def subject(real_cluster: Cluster) -> AsyncIterator[Subject]:
    """A Deployment yet to be created, in a namespace that goes with the test."""
    await nodes.schedulable(real_cluster.client)
    namespace = f"subject-{next(_numbers)}"
    await real_cluster.client.create(NAMESPACES, {"metadata": {"name": namespace}})
    yield Subject(real_cluster.client, real_cluster.mirror, namespace)
    await real_cluster.client.delete(NAMESPACES, None, namespace)
