"""Where scenarios are played: a cluster, the operator as a process, kubectl, and the observer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration, CustomObjectsApi
from kubernetes.aio.client.exceptions import ApiException

from controlplane.plane import ControlPlane
from saferollout.api.crd import custom_resource_definition
from saferollout.api.names import GROUP, PLURAL, VERSION
from saferollout.api.quantities import rounded_up
from saferollout.sim.contract import Breach, Contract, breaches
from saferollout.sim.observer import Observer, elb_client
from scenarios.manifests import NAMESPACE, App, Manifest

POLL = 0.3
OPERATOR = (
    *("--poll-interval", str(POLL), "--settle", "0.3", "--least-fence", "2"),
    *("--describe-rate", "500"),
    *("--listen", "127.0.0.1", "--port", "0"),
    "--no-elect",
)
"""The operator's pace on a site in fast motion."""

BIN = Path(sys.executable).parent

_WATCHED = {
    "deployment": ("apps", "v1", "deployments"),
    "saferollout": (GROUP, VERSION, PLURAL),
}
"""Group, version and plural of what tests wait for."""


@dataclass(frozen=True, slots=True)
class Host:
    """A cluster to play on: how to reach its API, and the URL of its ELBv2 endpoint and control routes.

    ``operator`` is the operator's own way in, where it has fewer rights than the user; ``plane`` the released
    control plane, where it is one.
    """

    kubeconfig: Path
    elb: str
    operator: Path | None = None
    plane: ControlPlane | None = None


LONG_ENOUGH = 4.0
"""Seconds of holding in which a step would have been released."""

KUBERNETES_OWN = 1.5
"""Seconds for which Kubernetes itself adds and takes pods of a Deployment that somebody scales, or makes."""


class Event(NamedTuple):
    """What somebody was told."""

    type: str
    reason: str
    message: str


@dataclass
class Stage:
    """A cluster with the CustomResourceDefinition in it, and what a user does and sees there."""

    host: Host
    directory: Path
    api: ApiClient
    stack: AsyncExitStack
    operators: list[Process] = field(default_factory=list)
    _started: int = 0

    # --- what a user does

    async def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """Run kubectl and return what it prints."""
        process = await asyncio.create_subprocess_exec(
            str(BIN / "kubectl"), *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self.environment
        )
        out, error = await process.communicate(None if given is None else given.encode())
        if check and process.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {error.decode()}")
        return out.decode() + ("" if check else error.decode())

    async def apply(self, *manifests: Manifest, check: bool = True) -> str:
        """Do what ``kubectl apply -f`` does."""
        return await self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(manifests), check=check)

    async def install(self, app: App) -> None:
        """Apply a Deployment with its Service and bindings, and wait until all of it serves."""
        await self.apply(app.deployment(), app.service(), *app.bindings())
        watching = self.observer(app)
        await self.until(lambda: _all_serve(watching, app.replicas), "the Deployment serves", within=40)

    async def wrap(self, app: App, **spec: Any) -> None:
        """Apply the SafeRollout and wait until it is at rest."""
        await self.apply(app.rollout(**spec))
        await self.at_rest(app)

    async def run(self, app: App, **spec: Any) -> None:
        """Have an app that runs, under an operator that is at rest about it."""
        await self.install(app)
        await self.start_operator()
        await self.wrap(app, **spec)

    async def patch(
        self, kind: str, name: str, content: Mapping[str, Any], *how: str, check: bool = True
    ) -> None:
        """Write a part of an object, as a JSON merge patch; ``how`` are more options of ``kubectl patch``."""
        options = ("--type=merge", "--patch", json.dumps(content), *how)
        await self.kubectl("patch", kind, name, *options, check=check)

    async def set_paused(self, app: App, *, to: bool) -> None:
        """Write ``spec.paused`` of the SafeRollout."""
        await self.patch("saferollout", app.name, {"spec": {"paused": to}})

    async def set_image(self, app: App, image: str) -> None:
        """Change the image."""
        await self.kubectl("set", "image", f"deployment/{app.name}", f"web={image}")

    async def control(self, method: str, path: str, **body: Any) -> Any:
        """Call a control route of the site."""
        async with aiohttp.ClientSession() as session:
            answer = await session.request(method, f"{self.host.elb}/sim/{path}", json=body or None)
            answer.raise_for_status()
            return await answer.json() if answer.content_type == "application/json" else None

    async def faults(self, *rules: Mapping[str, Any]) -> None:
        """Have these faults, and no others, at the ELBv2 endpoint (``saferollout.sim.elbv2.faults``)."""
        async with aiohttp.ClientSession() as session:
            answer = await session.put(f"{self.host.elb}/sim/faults", json=rules)
            assert answer.ok, await answer.text()

    async def alarm(self, name: str, state: str, **setting: Any) -> None:
        """Have a CloudWatch alarm in this state (``saferollout.sim.cloudwatch.alarms``)."""
        await self.control("PUT", f"alarms/{name}", state=state, **setting)

    # --- what a user sees

    async def get(self, kind: str, name: str) -> Manifest:
        """Return an object. What is looked at all the time is read without a kubectl: each is a process."""
        if kind not in _WATCHED:
            return dict(json.loads(await self.kubectl("get", kind, name, "-o", "json")))
        group, version, plural = _WATCHED[kind]
        objects = CustomObjectsApi(self.api)
        try:
            found: Any = await objects.get_namespaced_custom_object(group, version, NAMESPACE, plural, name)
        except ApiException as error:
            raise AssertionError(f"get {kind}/{name}: {error.status} {error.reason}") from error
        return dict(found)

    async def deployment(self, app: App) -> Manifest:
        """Return the ``spec`` of the Deployment without its template."""
        spec = dict((await self.get("deployment", app.name))["spec"])
        del spec["template"]
        return spec

    async def status(self, app: App) -> Manifest:
        """Return the status of the SafeRollout, empty while it has none."""
        return dict((await self.get("saferollout", app.name)).get("status") or {})

    async def reason(self, app: App) -> str:
        """Return the reason the SafeRollout gives."""
        return str((await self.status(app)).get("reason"))

    async def condition(self, app: App, kind: str) -> Manifest:
        """Return a condition of the SafeRollout, empty while there is none of this type."""
        found = (await self.status(app)).get("conditions") or []
        return next((dict(each) for each in found if each["type"] == kind), {})

    async def events(self, app: App) -> list[Event]:
        """Return the SafeRollout's Events."""
        found = json.loads(await self.kubectl("get", "events", "-o", "json"))["items"]
        mine = {"kind": "SafeRollout", "name": app.name}
        return [
            Event(each["type"], each["reason"], each["message"])
            for each in found
            if mine.items() <= each["involvedObject"].items()
        ]

    async def told(self, app: App) -> list[str]:
        """Return the reasons of the SafeRollout's Events."""
        return [each.reason for each in await self.events(app)]

    async def at_rest(self, app: App, image: str | None = None, within: float = 60) -> None:
        """Wait until the SafeRollout says that its Deployment is at rest, and has the image."""

        async def done() -> bool:
            found = await self.get("deployment", app.name)
            images = {each["image"] for each in found["spec"]["template"]["spec"]["containers"]}
            status = await self.status(app)
            state = found.get("status", {})
            return (
                status.get("phase") == "Idle"
                and "paused" not in found["spec"]
                and (image is None or images == {image})
                and state.get("observedGeneration") == found["metadata"]["generation"]
                and state.get("updatedReplicas", 0) == state.get("replicas", 0) == found["spec"]["replicas"]
            )

        await self.until(done, f"{app.name} is at rest", within)

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str, within: float) -> None:
        """Wait until the condition holds; fail, with how things stand, if it does not in so many seconds."""
        deadline = time.monotonic() + within
        while not await condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within:g}s: {what}\n{await self.standing()}")
            await asyncio.sleep(0.15)

    async def reason_is(self, app: App, reason: str, within: float = 20) -> None:
        """Wait for a reason."""

        async def holds() -> bool:
            return await self.reason(app) == reason

        await self.until(holds, f"the reason of {app.name} is {reason}", within)

    async def step_is(self, app: App, updated: int, within: float = 60) -> None:
        """Wait until so many pods are of the revision that the Deployment has now, and the status says so."""

        async def holds() -> bool:
            found, said = await self.get("deployment", app.name), await self.status(app)
            state = found.get("status", {})
            new, every = state.get("updatedReplicas", 0), state.get("replicas", 0)
            return (
                state.get("observedGeneration") == found["metadata"]["generation"]
                and updated <= new
                and updated <= (said.get("replicas") or {}).get("updated", 0)
                and (said.get("phase") != "Idle" or new == every)  # it was at rest before, with all of them
            )

        await self.until(holds, f"{updated} pods of {app.name} are new", within)

    async def none_goes(self, *which: str) -> int:
        """Wait until no pod is on its way out, and return how many there are; ``which`` selects some."""
        counts: list[int] = []

        async def stay() -> bool:
            found = json.loads(await self.kubectl("get", "pods", *which, "-o", "json"))["items"]
            counts.append(len(found))
            return not any("deletionTimestamp" in each["metadata"] for each in found)

        await self.until(stay, "no pod is on its way out", within=60)
        return counts[-1]

    async def stands_still(self, seen: Observation, seconds: float = LONG_ENOUGH) -> None:
        """Hold that no pod comes or goes but for those on their way out, for so long."""
        before = seen.observer.samples[-1].live.keys()
        await asyncio.sleep(seconds)
        assert seen.observer.samples[-1].live.keys() == before, await self.standing()

    async def standing(self) -> str:
        """Return how things stand, for whoever reads a failure."""
        what = await self.kubectl("get", "sro,deploy,rs,pods,events", "-o", "wide", check=False)
        return "\n".join([what, *(log[-3000:] for log in self.logs[-1:])])

    @property
    def logs(self) -> list[str]:
        """What the operators have logged, each by itself."""
        return [path.read_text() for path in sorted(self.directory.glob("operator-*.log"))]

    def complaints(self) -> Iterator[str]:
        """Yield lines of the operators' logs that only an error of their own writes."""
        for log in self.logs:
            for line in log.splitlines():
                if "Traceback" in line or "a turn failed" in line:
                    yield line

    async def saferollout(self, *arguments: str) -> tuple[int, str]:
        """Run a command of ours as a user does, who has no way into AWS; return its exit code and words."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "saferollout", *arguments),
            stdout=PIPE,
            stderr=PIPE,
            env={name: value for name, value in self.environment.items() if not name.startswith("AWS_")},
        )
        out, error = await process.communicate()
        return process.returncode or 0, out.decode() + error.decode()

    # --- the operator

    @property
    def environment(self) -> dict[str, str]:
        """What leads kubectl and the operator to this cluster, and to no account of anybody's."""
        absent = str(self.directory / "absent")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "KUBECONFIG": str(self.host.kubeconfig),
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self.host.elb,
            "AWS_ENDPOINT_URL_CLOUDWATCH": f"{self.host.elb}/cloudwatch",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": absent,
            "AWS_SHARED_CREDENTIALS_FILE": absent,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    async def start_operator(self, *options: str, **environment: str) -> Process:
        """Start the operator."""
        self._started += 1
        log = self.directory / f"operator-{self._started}.log"
        rights = {"KUBECONFIG": str(self.host.operator or self.host.kubeconfig)}
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "saferollout", "run", *OPERATOR, *options),
                stdin=DEVNULL,
                stdout=errors,
                stderr=errors,
                env=self.environment | rights | environment,
            )
        self.operators.append(process)
        self.stack.push_async_callback(_end, process)
        return process

    async def kill_operator(self) -> None:
        """End the operator as a power cut does."""
        process = self.operators.pop()
        process.send_signal(signal.SIGKILL)
        await process.wait()

    # --- the observer

    def observer(self, app: App) -> Observer:
        """Return an observer of the app that has not begun."""
        return Observer(self.api, elb_client(self.host.elb, "us-east-1"), NAMESPACE, app.name, app.arns)

    @asynccontextmanager
    async def observed(self, app: App, **contract: Any) -> AsyncIterator[Observation]:
        """Hold whatever happens in the context against the contract, and fail if a promise was broken."""
        seen = Observation(self.observer(app), app, contract)
        seen.begun = time.time()
        task = asyncio.create_task(seen.observer.run())
        await asyncio.sleep(0.3)
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        broken = [] if seen.expects_breaches else seen.breaches()
        assert not broken, "\n".join([*map(str, broken), await self.standing()])

    async def failed_requests(self, app: App, since: float) -> Mapping[str, int]:
        """Return how many requests failed since then, by kind."""
        summary = await self.control("GET", f"traffic?since={since}&until={time.time()}")
        failed: dict[str, int] = {}
        for group in app.groups:
            for outcome, count in summary[group]["outcomes"].items():
                if outcome != "ok" and count:
                    failed[outcome] = failed.get(outcome, 0) + count
        return failed


@dataclass
class Observation:
    """What an observer sees, and the contract it is held against."""

    observer: Observer
    app: App
    contract: Mapping[str, Any]
    begun: float = 0.0
    expects_breaches: bool = False

    def breaches(self) -> Sequence[Breach]:
        """Return the promises that were broken."""
        step = max(1, rounded_up(self.app.step, self.app.replicas))
        usual = {
            "replicas": self.app.replicas,
            "step": step,
            "max_unavailable": step if self.app.in_place else 0,
            "min_healthy": self.app.min_healthy,
            "stale_after": 3 * POLL,
        }
        return breaches(self.observer.samples, Contract(**(usual | dict(self.contract))))

    def breaches_but(self, *moments: float) -> Sequence[Breach]:
        """Return them but for what Kubernetes itself does to a Deployment that somebody scales, or makes."""
        own = [(moment, moment + KUBERNETES_OWN) for moment in moments]
        return [each for each in self.breaches() if not any(begun <= each.at <= end for begun, end in own)]


@asynccontextmanager
async def staged(host: Host, directory: Path) -> AsyncIterator[Stage]:
    """Set the stage: the CustomResourceDefinition is installed, no operator runs."""
    configuration = Configuration()
    await config.load_kube_config(str(host.kubeconfig), client_configuration=configuration)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(ApiClient(configuration))
        stage = Stage(host, directory, api, stack)
        await stage.apply(custom_resource_definition())
        await stage.kubectl(
            "wait", "--for=condition=Established", "crd/saferollouts.saferollout.dev", "--timeout=20s"
        )
        yield stage


async def _all_serve(observer: Observer, replicas: int) -> bool:
    sample = await observer.look()
    return not sample.blind and len(sample.serving) == replicas


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
