"""The control plane as a guest on this machine: it is real, minds its own business, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.binaries import Binaries
from controlplane.client import Client
from controlplane.part import StartError
from controlplane.plane import ControlPlane
from saferollout.sim.errors import ApiError
from saferollout.sim.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES

pytestmark = pytest.mark.real

RUN_ONE = """
import signal
import time
from controlplane.binaries import find
from controlplane.plane import ControlPlane

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
with ControlPlane(find()) as plane:
    print(plane.folder, plane.parts["etcd"].group, flush=True)
    time.sleep(600)
"""


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def has_processes(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_of_a_control_plane_whose_process_ends_by(
    end: signal.Signals, plane: ControlPlane
) -> None:
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join((str(tests), str(tests.parent / "operator")))
    with subprocess.Popen(  # noqa: S603 - a program of our own
        [sys.executable, "-c", RUN_ONE],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as other:
        assert other.stdout is not None
        folder, group = other.stdout.readline().split()
        assert Path(folder).exists()
        assert has_processes(int(group))
        other.send_signal(end)
    assert eventually(lambda: not has_processes(int(group)))
    assert eventually(lambda: not Path(folder).exists())
    plane.wait_ready()


def test_a_part_that_does_not_start_is_named_and_nothing_is_left(released: Binaries) -> None:
    broken = ControlPlane(replace(released, apiserver=Path("/bin/false")))
    with pytest.raises(StartError, match="kube-apiserver ended"), broken:
        pass
    assert not broken.folder.exists()
    assert not has_processes(broken.parts["etcd"].group)


async def test_a_service_account_may_do_only_what_it_was_given(plane: ControlPlane) -> None:
    async with Client(plane, plane.service_account_token("default", "default")) as client:
        with pytest.raises(ApiError, match=r"system:serviceaccount:default:default.*cannot list resource"):
            await client.list(DEPLOYMENTS, "default")


async def test_an_api_server_that_was_killed_comes_back_with_what_it_had(plane: ControlPlane) -> None:
    async with Client(plane) as client:
        await client.create(CONFIG_MAPS, {"metadata": {"name": "kept", "namespace": "default"}})
        plane.parts["kube-apiserver"].kill()
        plane.parts["kube-apiserver"].start()
        plane.wait_ready()
        assert (await client.get(CONFIG_MAPS, "default", "kept"))["metadata"]["name"] == "kept"


async def test_kubectl_and_the_client_see_the_same(plane: ControlPlane) -> None:
    async with Client(plane) as client:
        seen = {each["metadata"]["name"] for each in await client.list(NAMESPACES)}
    told = plane.kubectl("get", "namespaces", "--output=name").stdout.split()
    assert {each.removeprefix("namespace/") for each in told} == seen
