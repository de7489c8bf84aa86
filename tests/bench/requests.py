"""What a rollout writes and asks, counted where it arrives: by the API server and the ELBv2 endpoint."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from bench.process import Operator, operator
from saferollout.api.crd import custom_resource_definition
from saferollout.sim.apiserver.kubeconfig import write_kubeconfig
from saferollout.sim.apiserver.server import ApiServer
from saferollout.sim.loopback import serving
from saferollout.sim.serve import elb_application
from saferollout.sim.world import World
from scenarios.manifests import App, Manifest, target_group, world

_REST_SECONDS = 8.0

_WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_OPTIONS = (
    "--poll-interval",
    "0.5",
    "--settle",
    "0.3",
    "--least-fence",
    "2",
    "--describe-rate",
    "50",
    "--no-elect",
)
_APP = App(replicas=6, step=2)
_USER_AGENT = "bench"
_PATIENCE_SECONDS = 180.0
_THROTTLED = (0.0, 0.01, 0.5)
"""Shares of all calls to ELBv2 that are refused with ``Throttling``."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What arrived in so many seconds, and what the operator decided meanwhile."""

    seconds: float
    writes: Counter[str]
    questions: int
    decisions: int


async def counted(directory: Path) -> dict[str, Traffic]:
    """Count rollouts of six replicas in steps of two, under more and more throttling, and some rest."""
    async with _site(directory) as site, operator(site.kubeconfig, site.elb, *_OPTIONS) as found:
        await site.apply(_APP.deployment(), _APP.service(), *_APP.bindings(), _APP.rollout())
        await site.at_rest("web:1")
        await found.idle()
        traffic = {}
        for number, share in enumerate(_THROTTLED, start=2):
            await site.throttle(share)
            began = await site.mark(found)
            await site.change_image(f"web:{number}")
            await site.at_rest(f"web:{number}")
            traffic[f"a rollout, {share:.0%} throttled"] = await site.mark(found) - began
            await found.idle()
        rested = await site.mark(found)
        await asyncio.sleep(_REST_SECONDS)
        return traffic | {"at rest": await site.mark(found) - rested}


@dataclass(frozen=True, slots=True)
class _Mark:
    at: float
    writes: Counter[str]
    counted: Counter[str]

    def __sub__(self, before: _Mark) -> Traffic:
        since = self.counted - before.counted
        return Traffic(
            self.at - before.at,
            self.writes - before.writes,
            sum(count for name, count in since.items() if name.startswith("saferollout_elbv2_requests")),
            sum(count for name, count in since.items() if name.startswith("saferollout_decisions")),
        )


@dataclass(frozen=True, slots=True)
class _Site:
    """The embedded cluster in this process. ``writes`` are the operator's, by what they wrote."""

    world: World
    kubernetes: str
    elb: str
    kubeconfig: Path
    writes: Counter[str]
    session: aiohttp.ClientSession

    async def apply(self, *manifests: Manifest) -> None:
        for each in manifests:
            version, kind = each["apiVersion"], each["kind"].lower() + "s"
            root = "api" if version == "v1" else "apis"
            scope = "" if kind == "customresourcedefinitions" else "/namespaces/default"
            async with self.session.post(
                f"{self.kubernetes}/{root}/{version}{scope}/{kind}", json=each
            ) as answer:
                assert answer.ok, await answer.text()

    async def change_image(self, image: str) -> None:
        containers = [{"name": "web", "image": image}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        async with self.session.patch(self._deployment, json=patch, headers=headers) as answer:
            assert answer.ok, await answer.text()

    async def throttle(self, share: float) -> None:
        rules = [{"error": "Throttling", "share": share}]
        async with self.session.put(f"{self.elb}/sim/faults", json=rules) as answer:
            assert answer.ok, await answer.text()

    async def at_rest(self, image: str) -> None:
        """Wait until nothing but pods of the image is there and the SafeRollout is idle."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            status = (await self._get(self._rollout)).get("status") or {}
            found = await self._get(self._deployment)
            state, wanted = found.get("status") or {}, found["spec"]
            idle = status.get("phase") == "Idle" and not wanted.get("paused")
            updated = state.get("updatedReplicas") == state.get("replicas") == wanted["replicas"]
            known = state.get("observedGeneration") == found["metadata"]["generation"]
            current = wanted["template"]["spec"]["containers"][0]["image"] == image
            if idle and updated and known and current and status["replicas"]["serving"] == wanted["replicas"]:
                return
            assert time.monotonic() < until, status
            await asyncio.sleep(0.2)

    async def mark(self, found: Operator) -> _Mark:
        return _Mark(time.monotonic(), self.writes.copy(), await found.counted())

    async def _get(self, url: str) -> Manifest:
        async with self.session.get(url) as answer:
            return dict(await answer.json())

    @property
    def _deployment(self) -> str:
        return f"{self.kubernetes}/apis/apps/v1/namespaces/default/deployments/{_APP.name}"

    @property
    def _rollout(self) -> str:
        return f"{self.kubernetes}/apis/saferollout.dev/v1alpha1/namespaces/default/saferollouts/{_APP.name}"


@asynccontextmanager
async def _site(directory: Path) -> AsyncIterator[_Site]:
    config = world(*(target_group(name) for name in _APP.groups), traffic=())
    sim = World(config, start=time.time())
    writes: Counter[str] = Counter()

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in _WRITES and request.headers.get("User-Agent") != _USER_AGENT:
            writes[_written(request.path) + (" (dry run)" if "dryRun" in request.query else "")] += 1
        return await handler(request)

    app = ApiServer(sim.store, sim.timeline).application()
    app.middlewares.append(count)
    driving = asyncio.create_task(sim.timeline.drive())
    try:
        async with (
            serving(app) as kubernetes,
            serving(elb_application(sim)) as elb,
            aiohttp.ClientSession(headers={"User-Agent": _USER_AGENT}) as session,
        ):
            kubeconfig = directory / "kubeconfig"
            write_kubeconfig(kubeconfig, kubernetes)
            site = _Site(sim, kubernetes, elb, kubeconfig, writes, session)
            await site.apply(custom_resource_definition())
            yield site
    finally:
        driving.cancel()


def _written(path: str) -> str:
    """Return what a path writes: ``pods``, ``saferollouts/status``."""
    parts = path.rpartition("/namespaces/")[2].split("/")[1:]
    return "/".join([parts[0], *parts[2:]])
