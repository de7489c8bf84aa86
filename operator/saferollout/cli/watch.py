"""``saferollout watch``: the live view of one SafeRollout, on any cluster."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from saferollout.api.plain import plain
from saferollout.cli import view
from saferollout.cli.follow import Follower, NotFoundError, deployment_of
from saferollout.cli.scene import Scene
from saferollout.cli.signals import run_until_signalled
from saferollout.reach import UnreachableError, connected


class Exit(IntEnum):
    """Exit codes of ``saferollout watch``."""

    OK = 0
    DEGRADED = 1
    NOT_FOUND = 3
    UNREACHABLE = 4


class Output(StrEnum):
    """How scenes are shown."""

    LIVE = "live"
    PLAIN = "plain"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Subject:
    """Which SafeRollout, and where. What is ``None`` is taken from the kubeconfig."""

    name: str
    namespace: str | None
    kubeconfig: Path | None
    context: str | None


Show = Callable[[Scene], None]
Ends = Callable[[Scene], Exit | None]


def watch(  # noqa: PLR0913 - typer makes an option of every parameter
    name: Annotated[str, typer.Argument(help="Name of the SafeRollout.", metavar="NAME")],
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Its namespace; the kubeconfig's if not given.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="Path of the kubeconfig.")] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it as it is, and end.")] = False,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End when the rollout is complete, or cannot go on.")
    ] = False,
    output: Annotated[
        Output | None,
        typer.Option("--output", "-o", help="live in a terminal, else plain: a line for each change."),
    ] = None,
) -> None:
    """Show a SafeRollout live: its step, the gate it waits for, pods by zone, target groups, Events.

    It needs the Kubernetes API only, to read. Ctrl-C ends it.

    Exit codes:

    0 it was shown as asked.

    1 with --until-done: the rollout cannot go on (phase Degraded).

    2 wrong usage.

    3 there is no such SafeRollout, or no more.

    4 the API server cannot be reached, or refuses.
    """
    logging.disable()  # what goes wrong is said in the picture, or by the exit
    showing = _SHOWING[output or (Output.LIVE if sys.stdout.isatty() else Output.PLAIN)]
    ends: Ends = _at_once if once else _when_done if until_done else _never
    try:
        code = run_until_signalled(_watch(Subject(name, namespace, kubeconfig, context), showing, ends))
    except (NotFoundError, UnreachableError) as error:
        typer.echo(f"error: {plain(str(error))}", err=True)
        code = Exit.NOT_FOUND if isinstance(error, NotFoundError) else Exit.UNREACHABLE
    raise typer.Exit(code)


async def _watch(subject: Subject, showing: Callable[[], AbstractContextManager[Show]], ends: Ends) -> int:
    async with connected(subject.kubeconfig, subject.context) as connection:
        namespace = subject.namespace or connection.namespace
        deployment = await deployment_of(connection.api, namespace, subject.name)
        follower = Follower(connection.api, namespace, subject.name, deployment)
        async with aclosing(follower.scenes()) as scenes:
            with showing() as show:
                async for scene in scenes:
                    show(scene)
                    if (code := ends(scene)) is not None:
                        return code
    return Exit.OK


def _at_once(_: Scene) -> Exit | None:
    return Exit.OK


def _when_done(scene: Scene) -> Exit | None:
    if scene.failed:
        return Exit.DEGRADED
    return Exit.OK if scene.done else None


def _never(_: Scene) -> Exit | None:
    return None


@contextmanager
def _live() -> Iterator[Show]:
    """Keep one picture on the terminal; between changes it is redrawn for the time that goes by."""
    console = Console()
    symbols = view.ASCII if console.options.ascii_only else view.UNICODE
    shown: list[Scene] = []

    def draw() -> RenderableType:
        return view.picture(shown[-1], time.time(), symbols=symbols) if shown else ""

    with Live(get_renderable=draw, console=console, refresh_per_second=2) as live:

        def show(scene: Scene) -> None:
            shown[:] = [scene]
            live.refresh()

        yield show


@contextmanager
def _plain() -> Iterator[Show]:
    """Write a line for each change of what a line says."""
    latest = ""

    def show(scene: Scene) -> None:
        nonlocal latest
        if (text := view.line(scene)) != latest:
            latest = text
            typer.echo(f"{view.clock(time.time())}  {text}")

    yield show


@contextmanager
def _json() -> Iterator[Show]:
    """Write a JSON object on a line of its own for each change."""

    def show(scene: Scene) -> None:
        typer.echo(json.dumps(view.record(scene)))  # in ASCII: nothing in it steers a terminal

    yield show


_SHOWING: Mapping[Output, Callable[[], AbstractContextManager[Show]]] = {
    Output.LIVE: _live,
    Output.PLAIN: _plain,
    Output.JSON: _json,
}
