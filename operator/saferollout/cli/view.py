"""How a scene looks: a picture for a terminal, a line for a log. Pure functions of frozen data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from saferollout.api.plain import plain
from saferollout.api.reasons import Phase
from saferollout.api.status import Replicas, Status, StepStatus
from saferollout.cli.scene import Entry, Mark, PodState, Scene

EVENTS_SHOWN = 5

_PHASE_STYLES: Mapping[str | None, str] = {
    Phase.IDLE: "green",
    Phase.PROGRESSING: "cyan",
    Phase.HOLDING: "yellow",
    Phase.PAUSED: "yellow",
    Phase.DEGRADED: "bold red",
}
_STATE_STYLES = {
    PodState.PENDING: "dim",
    PodState.STARTING: "yellow",
    PodState.READY: "yellow",
    PodState.SERVING: "green",
    PodState.LEAVING: "magenta",
}


Symbols = Mapping[PodState, str]
"""One character for each state of a pod."""

UNICODE: Symbols = {
    PodState.PENDING: "·",
    PodState.STARTING: "○",
    PodState.READY: "◐",
    PodState.SERVING: "●",
    PodState.LEAVING: "◌",
}
ASCII: Symbols = {
    PodState.PENDING: ".",
    PodState.STARTING: "o",
    PodState.READY: "+",
    PodState.SERVING: "#",
    PodState.LEAVING: "x",
}
"""For terminals whose encoding has nothing else."""


def picture(
    scene: Scene, now: float, *, symbols: Symbols = UNICODE, zone: tzinfo | None = None
) -> RenderableType:
    """Draw a scene.

    Args:
        scene: What is to be shown.
        now: Seconds since the epoch.
        symbols: What the terminal can show.
        zone: Time zone of what is written, ``None`` for that of this machine.
    """
    parts: list[RenderableType] = [_title(scene)]
    if scene.status.replicas is not None:
        parts.append(_steps(scene.status.step, scene.status.replicas))
    parts.append(_wait(scene.status, now))
    if scene.trouble:
        parts.append(Text(f"not up to date: {plain(scene.trouble)}", style="bold red"))
    if scene.zones:
        parts += [Text(), _zones(scene, symbols), _legend(symbols)]
    if scene.status.target_groups:
        parts += [Text(), _target_groups(scene)]
    if scene.events:
        parts += [Text(), _events(scene.events[-EVENTS_SHOWN:], zone)]
    return Group(*parts)


def line(scene: Scene) -> str:
    """Say a scene in one line: phase, step, serving pods by zone, reason, message."""
    status, summary = scene.status, scene.status.summary
    said = [
        status.phase or "Unseen",
        f"step {summary.step}" if summary and summary.step else "",
        (summary.zones if summary else None) or "",
        status.reason or "",
        status.message or "",
        f"(not up to date: {scene.trouble})" if scene.trouble else "",
    ]
    return plain("  ".join(each for each in said if each))


def record(scene: Scene) -> dict[str, Any]:
    """Return a scene as JSON has it: the status as it is, and what was put together with it."""
    return {
        "namespace": scene.namespace,
        "name": scene.name,
        "deployment": scene.deployment,
        "done": scene.done,
        "trouble": scene.trouble,
        "status": scene.status.model_dump(mode="json", by_alias=True, exclude_none=True),
        "zones": [asdict(zone) for zone in scene.zones],
        "events": [asdict(event) for event in scene.events],
    }


def duration(seconds: float) -> str:
    """Write a duration as people do: ``42s``, ``3m05s``, ``2h10m``, ``5d3h``."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def clock(at: float, zone: tzinfo | None = None) -> str:
    """Write the time of day, in the time zone of this machine unless told another."""
    return datetime.fromtimestamp(at).astimezone(zone).strftime("%H:%M:%S")


def _title(scene: Scene) -> RenderableType:
    phase = scene.status.phase
    row = Table.grid(expand=True)
    row.add_column(overflow="fold")
    row.add_column(justify="right", no_wrap=True)
    name = Text.assemble(
        (plain(scene.name), "bold"), f" in {plain(scene.namespace)}, Deployment {plain(scene.deployment)}"
    )
    row.add_row(
        name, Text(plain(phase or "not seen by the operator yet"), style=_PHASE_STYLES.get(phase, ""))
    )
    return row


def _steps(step: StepStatus | None, replicas: Replicas) -> RenderableType:
    at = f"step {step.index}/{step.total}" if step else ""
    wanted = max(1, replicas.desired)
    bar = ProgressBar(total=wanted, completed=min(replicas.updated, wanted), width=24)
    updated = f"{replicas.updated} of {replicas.desired} new"
    row = Table.grid(padding=(0, 1))
    row.add_row(at, bar, f"{updated}, {replicas.serving} serving, {replicas.draining} draining")
    return row


def _wait(status: Status, now: float) -> Text:
    since = "" if status.waiting_since is None else f" for {duration(now - status.waiting_since)}"
    reason = Text(plain(status.reason or ""), style=_PHASE_STYLES.get(status.phase, ""))
    return Text.assemble(reason, since, ": " if status.message else "", plain(status.message or ""))


def _zones(scene: Scene, symbols: Symbols) -> RenderableType:
    mixed = any(not mark.new for zone in scene.zones for mark in zone.marks)
    table = _table("zone", *(["old", "new"] if mixed else ["pods"]), right=("serving", "floor"))
    for zone in scene.zones:
        old = [mark for mark in zone.marks if not mark.new]
        new = [mark for mark in zone.marks if mark.new]
        table.add_row(
            Text(plain(zone.name)),
            *(_marks(each, symbols) for each in ([old, new] if mixed else [new])),
            str(zone.serving),
            "-" if zone.floor is None else str(zone.floor),
        )
    return table


def _marks(marks: Iterable[Mark], symbols: Symbols) -> Text:
    return Text.assemble(*((symbols[mark.state], _STATE_STYLES[mark.state]) for mark in marks))


def _legend(symbols: Symbols) -> Text:
    words = {PodState.READY: "ready, not serving yet"}
    said = [
        Text.assemble((symbols[state], _STATE_STYLES[state]), f" {words.get(state, state)}")
        for state in PodState
    ]
    return Text("  ", style="dim").join(said)


def _target_groups(scene: Scene) -> RenderableType:
    table = _table("target group", right=("healthy", "initial", "unhealthy", "draining"))
    for group in scene.status.target_groups:
        counts = (group.healthy, group.initial, group.unhealthy, group.draining)
        table.add_row(Text(plain(group.name)), *(str(count) for count in counts))
    return table


def _table(*left: str, right: Iterable[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for heading in left:
        table.add_column(heading, overflow="fold")
    for heading in right:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _events(events: Iterable[Entry], zone: tzinfo | None) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for each in events:
        reason = Text(plain(each.reason), style="yellow" if each.warning else "bold")
        table.add_row(clock(each.at, zone), Text.assemble(reason, " ", plain(each.message)))
    return table
