"""``saferollout demo``: a rollout behind an NLB, live, and the same one natively, with what failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from saferollout.cli import children
from saferollout.cli.children import ChildEndedError, while_running
from saferollout.cli.comparison import Outcome, comparison
from saferollout.cli.follow import Follower
from saferollout.cli.signals import run_until_signalled
from saferollout.cli.site import NAMESPACE, Manifest, Site, running_site
from saferollout.cli.view import clock
from saferollout.sim.contract import Contract, breaches
from saferollout.sim.observer import INTERVAL, Observer, elb_client
from saferollout.sim.samples import Sample, figures

SAFE, NATIVE = "web", "web-native"
"""The two Deployments, and their folders among the examples; target groups have the same names."""

NEW_IMAGE = "registry.example.com/shop/web:2"

LONGEST = 85.0
"""Seconds after which something must be wrong."""

_NARRATED = 0.5

Condition = Callable[[Sample], bool]
Show = Callable[[Observer, Condition], Awaitable[None]]


class DemoError(Exception):
    """The demo could not be shown. The message is a sentence for people."""


def demo(
    examples: Annotated[
        Path, typer.Option(help="Folder of the manifests.", exists=True, file_okay=False)
    ] = Path("examples"),
) -> None:
    """Show a SafeRollout beside a native rolling update, on a cluster made up for it.

    Starts the embedded cluster and the operator on this machine, and ends them. Nothing else is touched.

    Exit codes:

    0 the SafeRollout kept its contract.

    1 it broke it.

    3 the demo could not be shown.
    """
    console = Console(highlight=False)
    try:
        code = run_until_signalled(_demo(examples, console))
    except (ChildEndedError, DemoError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        code = 3
    raise typer.Exit(code)


async def _demo(examples: Path, console: Console) -> int:
    with TemporaryDirectory(prefix="saferollout-") as directory:
        console.print("Starting a cluster of three zones, and the operator.")
        async with running_site(examples / "world.yaml", Path(directory)) as site:
            work = asyncio.wait_for(_compare(site, examples, console), LONGEST)
            try:
                return await while_running(work, *site.children)
            except TimeoutError as error:
                lasts = "\n".join(f"{each.name} said last:\n{each.last_words()}" for each in site.children)
                raise DemoError(f"it did not end within {LONGEST:g} s\n{lasts}") from error


async def _compare(site: Site, examples: Path, console: Console) -> int:
    safe, native = _manifests(examples / SAFE), _manifests(examples / NATIVE)
    console.print(
        f"Applying the manifests of two equal Deployments in {escape(str(examples))}, under equal load."
    )
    await site.apply(*safe, *native)
    await _at_rest(site, _deployment(safe), _deployment(native))
    console.print(f"\n[bold]A new image under the SafeRollout:[/] saferollout watch {SAFE}\n")
    safely = await _roll_out(site, _deployment(safe), _watch)
    console.print("\n[bold]The same new image as a native rolling update:[/]\n")
    natively = await _roll_out(site, _deployment(native), partial(_narrate, console))
    console.print()
    outcomes = {"SafeRollout": safely, "native rolling update": natively}
    console.print(comparison(outcomes, replicas=_deployment(safe)["spec"]["replicas"]))
    console.print(f"Seconds are the clock's. AWS and the pods run {site.speed:g} times as fast as in life.")
    for breach in safely.breaches:
        console.print(f"The SafeRollout broke {breach.promise}: {breach.seen}", style="bold red")
    return 1 if safely.breaches else 0


async def _at_rest(site: Site, *deployments: Manifest) -> None:
    """Wait until every pod serves, and the SafeRollout has taken its Deployment over."""
    for each in deployments:
        async with _observing(site, each) as observer:
            await _until(observer, partial(_settled, each))
    async with aclosing(Follower(site.api, NAMESPACE, SAFE, SAFE).scenes()) as scenes:
        async for scene in scenes:
            if scene.done:
                break


async def _roll_out(site: Site, deployment: Manifest, show: Show) -> Outcome:
    """Change the image, show what comes of it, and sum it up when the last target has drained."""
    async with _observing(site, deployment) as observer:
        before = await _until(observer, lambda sample: not sample.blind)
        began = time.time()
        await site.apply(_with_image(deployment, NEW_IMAGE))

        def ended(sample: Sample) -> bool:
            return sample.target != before.target and _settled(deployment, sample)

        await show(observer, ended)
        last = await _until(observer, ended)
    traffic = await site.traffic(deployment["metadata"]["name"], began, last.at)
    return Outcome(
        requests=traffic["total"],
        failed={kind: count for kind, count in traffic["outcomes"].items() if kind != "ok" and count},
        figures=figures([sample for sample in observer.samples if began <= sample.at <= last.at]),
        breaches=breaches(observer.samples, Contract(replicas=deployment["spec"]["replicas"])),
    )


def _settled(deployment: Manifest, sample: Sample) -> bool:
    return sample.settled(deployment["spec"]["replicas"])


@asynccontextmanager
async def _observing(site: Site, deployment: Manifest) -> AsyncIterator[Observer]:
    name = deployment["metadata"]["name"]
    observer = Observer(site.api, elb_client(site.elb), NAMESPACE, name, [site.groups[name]])
    looking = asyncio.create_task(observer.run())
    try:
        yield observer
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _until(observer: Observer, fulfilled: Condition) -> Sample:
    """Return the latest sample as soon as that fulfils a condition."""
    while not (observer.samples and fulfilled(observer.samples[-1])):  # noqa: ASYNC110 - samples come by time
        await asyncio.sleep(INTERVAL)
    return observer.samples[-1]


async def _watch(*_: object) -> None:
    """Show the rollout as any user would, by the same command."""
    code = await children.run("saferollout", "watch", SAFE, "--namespace", NAMESPACE, "--until-done")
    if code != 0:
        raise DemoError(f"saferollout watch ended with status {code}")


async def _narrate(console: Console, observer: Observer, ended: Condition) -> None:
    """Write a line, twice a second at most, whenever other pods serve."""
    told = ""
    while True:
        sample = observer.samples[-1]
        if (text := _line(sample)) != told:
            told = text
            console.print(f"{clock(sample.at)}  {text}")
        if ended(sample):
            return
        await asyncio.sleep(_NARRATED)


def _line(sample: Sample) -> str:
    new = sum(pod.revision == sample.target for pod in sample.live.values())
    zones = sorted({pod.zone for pod in sample.pods if pod.zone is not None})
    serving = "  ".join(f"{zone}={sample.serving_by_zone[zone]}" for zone in zones)
    return f"{new} of {len(sample.live)} pods new, {len(sample.serving)} serving:  {serving}"


def _with_image(deployment: Manifest, image: str) -> Manifest:
    changed = deepcopy(dict(deployment))
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return changed


def _manifests(folder: Path) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]


def _deployment(manifests: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return next(each for each in manifests if each["kind"] == "Deployment")
