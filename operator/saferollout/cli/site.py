"""The site of the demo: the embedded cluster and the operator as processes, and how to act on them."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.dynamic import DynamicClient

from saferollout.api.crd import custom_resource_definition
from saferollout.cli.children import Child, child
from saferollout.reach import connected

Manifest = Mapping[str, Any]

NAMESPACE = "default"

_OPERATOR = (
    *("--poll-interval", "0.3", "--settle", "0.3", "--least-fence", "1", "--describe-rate", "100"),
    "--no-elect",
    *("--listen", "127.0.0.1", "--port", "0"),
)
"""As fast as a site in fast motion needs it. For a real one the defaults are right."""

_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Site:
    """A running site. ``elb`` is the URL of its ELBv2 endpoint; ``groups`` are ARNs by name of target group.

    ``speed`` is how many of the site's seconds pass in one of the clock's.
    """

    api: ApiClient
    elb: str
    speed: float
    groups: Mapping[str, str]
    children: Sequence[Child]
    client: DynamicClient

    async def apply(self, *manifests: Manifest) -> None:
        """Apply manifests as ``kubectl apply --server-side`` does."""
        await _apply(self.client, manifests)

    async def traffic(self, group: str, since: float, until: float) -> Mapping[str, Any]:
        """Return what became of the requests to a target group from ``since`` to ``until``, epoch seconds."""
        summaries = await _get(f"{self.elb}/sim/traffic?since={since}&until={until}")
        return dict(summaries[group])


@asynccontextmanager
async def running_site(world: Path, directory: Path) -> AsyncIterator[Site]:
    """Run the embedded cluster, with the CustomResourceDefinition in it, and the operator.

    Args:
        world: The configuration of the embedded cluster.
        directory: Where logs and the kubeconfig may be written.

    Raises:
        ChildEndedError: One of them could not be started.
    """
    kubeconfig = directory / "kubeconfig"
    async with AsyncExitStack() as stack:
        started = child(
            "the embedded cluster",
            "saferollout.sim.serve",
            *("--config", str(world), "--kubeconfig", str(kubeconfig), "--die-with-parent"),
            log=directory / "cluster.log",
        )
        cluster = await stack.enter_async_context(started)
        elb = str(json.loads(await cluster.first_line())["elb"])
        for profile in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            os.environ.pop(profile, None)
        os.environ.update(_environment(kubeconfig, elb, directory))
        connection = await stack.enter_async_context(connected(kubeconfig, context=None))
        cache = str(directory / "discovery.json")
        client = await DynamicClient(connection.api, cache_file=cache)
        await _apply(client, [custom_resource_definition()])
        started = child("the operator", "saferollout", "run", *_OPERATOR, log=directory / "operator.log")
        operator = await stack.enter_async_context(started)
        about = await _get(f"{elb}/sim/world")
        yield Site(connection.api, elb, about["speed"], about["targetGroups"], (cluster, operator), client)


def _environment(kubeconfig: Path, elb: str, directory: Path) -> Mapping[str, str]:
    """What leads this process and its children to the site, and to no account of the user's."""
    absent = str(directory / "absent")
    return {
        "KUBECONFIG": str(kubeconfig),
        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": elb,
        "AWS_ENDPOINT_URL_CLOUDWATCH": f"{elb}/cloudwatch",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_CONFIG_FILE": absent,
        "AWS_SHARED_CREDENTIALS_FILE": absent,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


async def _apply(client: DynamicClient, manifests: Sequence[Manifest]) -> None:
    for each in manifests:
        resource = await client.resources.get(api_version=each["apiVersion"], kind=each["kind"])
        await client.server_side_apply(
            resource, body=each, namespace=NAMESPACE, field_manager="saferollout-demo"
        )


async def _get(url: str) -> Any:
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as response:
        response.raise_for_status()
        return await response.json()
