"""An API server on loopback with nothing behind it, and the real kubectl to ask it with."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from saferollout.sim.apiserver.kubeconfig import write_kubeconfig
from saferollout.sim.apiserver.server import ApiServer
from saferollout.sim.loopback import serving
from saferollout.sim.store import Store
from saferollout.sim.timeline import Timeline

Raw = dict[str, Any]

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    status: int
    body: Raw
    headers: Mapping[str, str]
    """As often as they were sent, each: a mapping that may have a name twice."""


@dataclass(frozen=True)
class Request:
    """A request to any API server."""

    method: str
    path: str
    body: object = None
    content_type: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)


async def send(session: aiohttp.ClientSession, url: str, request: Request) -> Answer:
    """Send a request, as plainly as can be."""
    data = None if request.body is None else json.dumps(request.body)
    headers = {"Content-Type": request.content_type, "User-Agent": "tests/1"}
    async with session.request(
        request.method, url + request.path, data=data, params=request.query, headers=headers
    ) as answer:
        body = await answer.json() if answer.content_type == "application/json" else {}
        return Answer(answer.status, body, answer.headers.copy())


@dataclass(frozen=True)
class ServedCluster:
    """The cluster, as it can be reached. ``server`` is the other side, for what no client can do."""

    url: str
    kubeconfig: Path
    store: Store
    server: ApiServer
    session: aiohttp.ClientSession

    async def kubectl(self, *arguments: str, given: Raw | list[Raw] | None = None) -> Outcome:
        """Run kubectl; ``given`` are manifests for ``-f -``."""
        process = await self.start_kubectl(*arguments)
        manifests = given if isinstance(given, list) else [given]
        entered = yaml.safe_dump_all(manifests).encode() if given else None
        out, err = await asyncio.wait_for(process.communicate(entered), 30)
        return Outcome(process.returncode or 0, out.decode(), err.decode())

    async def start_kubectl(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start kubectl and leave it running."""
        environment = os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.kubeconfig.parent / "cache"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            "kubectl", *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        **query: str,
    ) -> Answer:
        """Send a request."""
        return await send(self.session, self.url, Request(method, path, body, content_type, query))

    async def apply(self, path: str, body: Raw, manager: str, **query: str) -> Answer:
        """Apply on the server's side."""
        return await self.ask(
            "PATCH", path, body, content_type="application/apply-patch+yaml", fieldManager=manager, **query
        )

    @asynccontextmanager
    async def watching(self, path: str, **query: str) -> AsyncIterator[AsyncIterator[Raw]]:
        """Watch; the value yields events until the server ends the stream."""
        async with self.session.get(self.url + path, params={"watch": "true", **query}) as answer:
            yield (json.loads(line) async for line in answer.content)


@asynccontextmanager
async def served_cluster(directory: Path) -> AsyncIterator[ServedCluster]:
    """Serve an empty cluster, following the wall clock."""
    timeline = Timeline(time.time())
    store = Store(timeline)
    server = ApiServer(store, timeline)
    driver = asyncio.create_task(timeline.drive())
    try:
        async with serving(server.application()) as url, aiohttp.ClientSession() as session:
            kubeconfig = directory / "kubeconfig"
            write_kubeconfig(kubeconfig, url)
            yield ServedCluster(url, kubeconfig, store, server, session)
    finally:
        driver.cancel()


def deployment(name: str = "web", *, image: str = "web:1", **spec: Any) -> Raw:
    """A Deployment as a user writes it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {"name": "web", "image": image, "ports": [{"containerPort": 80}]},
                        {"name": "side", "image": "side:1", "env": [{"name": "A", "value": "1"}]},
                    ]
                },
            },
            **spec,
        },
    }


def pod(name: str, *, node: str | None = None, **labels: str) -> Raw:
    """A pod as a controller writes it."""
    spec: Raw = {"containers": [{"name": "web", "image": "web:1"}]}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec | ({"nodeName": node} if node else {}),
    }


def config_map(name: str, **labels: str) -> Raw:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels},
        "data": {"key": "value"},
    }


WIDGETS = "/apis/example.org/v1/namespaces/default/widgets"

WIDGET_DEFINITION: Raw = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Updated", "type": "integer", "jsonPath": ".status.replicas.updated"},
                    {"name": "Since", "type": "date", "jsonPath": ".status.since"},
                    {
                        "name": "Ready",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                        "priority": 1,
                    },
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {
                                    "size": {"type": "integer", "minimum": 1, "maximum": 9},
                                    "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                                    "code": {"type": "string", "pattern": "^[A-Z]+$"},
                                    "surge": {"x-kubernetes-int-or-string": True},
                                    "limits": {
                                        "type": "object",
                                        "default": {},
                                        "properties": {"timeout": {"type": "string", "default": "10m"}},
                                    },
                                    "parts": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {
                                                "name": {"type": "string"},
                                                "count": {"type": "integer"},
                                            },
                                        },
                                    },
                                },
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


def widget(name: str = "one", **spec: Any) -> Raw:
    """A custom resource."""
    return {
        "apiVersion": "example.org/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 3} | spec,
    }
