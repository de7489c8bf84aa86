"""A real operator as a process of its own, and what can be read of it from outside."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from saferollout.cli.children import Child, child
from saferollout.sim.loopback import HOST

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Operator:
    """The running process. ``url`` is where its probes and metrics are."""

    child: Child
    url: str
    session: aiohttp.ClientSession

    @property
    def resident(self) -> int:
        """Memory that is resident, in bytes."""
        pages = Path(f"/proc/{self.child.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self.child.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    async def counted(self) -> Counter[str]:
        """Return its counters, as ``name value-of-label…``."""
        async with self.session.get(f"{self.url}/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
        return Counter(
            {
                " ".join([sample.name, *sample.labels.values()]): int(sample.value)
                for family in families
                for sample in family.samples
                if sample.name.startswith("saferollout_") and sample.name.endswith("_total")
            }
        )

    async def ready(self) -> None:
        """Wait until its caches know the cluster.

        Raises:
            AssertionError: They do not within a minute.
        """
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            try:
                async with self.session.get(f"{self.url}/readyz") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(self.child.last_words())

    async def idle(self) -> None:
        """Wait until it has used next to no processor time for a second."""
        used, quiet = self.cpu, 0
        while quiet < 4:
            await asyncio.sleep(0.25)
            quiet = quiet + 1 if self.cpu - used <= 0.01 else 0
            used = self.cpu


@asynccontextmanager
async def operator(kubeconfig: Path, elb: str, *options: str) -> AsyncIterator[Operator]:
    """Run ``saferollout run`` against a cluster and an ELBv2 endpoint on loopback, until the context ends."""
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
    command = ("run", "--listen", HOST, "--port", port, *options)
    with _environment(kubeconfig, elb):
        async with (
            aiohttp.ClientSession() as session,
            child("the operator", "saferollout", *command, log=kubeconfig.parent / "operator.log") as running,
        ):
            found = Operator(running, f"http://{HOST}:{port}", session)
            await found.ready()
            yield found


@contextmanager
def _environment(kubeconfig: Path, elb: str) -> Iterator[None]:
    """Lead processes that are started meanwhile to the site, and to no account of anybody's."""
    before = dict(os.environ)
    absent = str(kubeconfig.parent / "absent")
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "KUBECONFIG": str(kubeconfig),
        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": elb,
        "AWS_ENDPOINT_URL_CLOUDWATCH": f"{elb}/cloudwatch",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": absent,
        "AWS_SHARED_CREDENTIALS_FILE": absent,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": HOST,
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
