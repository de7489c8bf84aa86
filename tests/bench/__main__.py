"""What it costs: ``make bench``. It prints numbers, and judges none of them."""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import caches, decisions, requests

_MIB = 2**20


def main() -> None:
    """Measure everything, one after the other, in about two minutes."""
    console = Console()
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores. Times are processor time.")
    asyncio.run(_run(console))


async def _run(console: Console) -> None:
    console.print(_decisions(await decisions.measured()))
    with tempfile.TemporaryDirectory() as directory:
        console.print(_caches(await caches.weighed(), await caches.loaded(Path(directory))))
    with tempfile.TemporaryDirectory() as directory:
        console.print(_requests(await requests.counted(Path(directory))))


def _decisions(costs: Iterable[decisions.Cost]) -> Table:
    columns = ("pods", "waits", "releases 1", "releases 10%", "snapshot", "turns/s", "growth")
    table = _table("One decision half-way, ms: to wait, to release one pod, a tenth of them", *columns)
    before: decisions.Cost | None = None
    for each in costs:
        growth = f"x{each.waiting / before.waiting:.1f}" if before else ""
        milliseconds = (each.waiting, each.releasing, each.releasing_tenth, each.observing)
        rate = f"{1000 / (each.waiting + each.observing):,.0f}"
        table.add_row(str(each.pods), *(f"{each_ms:.3f}" for each_ms in milliseconds), rate, growth)
        before = each
    return table


def _caches(weight: caches.Weight, load: caches.Load) -> Table:
    table = _table(f"{caches.COUNT:,} pods in the cache", "what", "value")
    table.add_row("a pod in JSON, as the API server sends it", f"{weight.written:,.0f} B")
    table.add_row("a pod in the cache, indexes included", f"{weight.cached:,.0f} B")
    table.add_row("parsing a pod", f"{weight.parsing:.0f} µs")
    table.add_row("operator without pods, resident", f"{load.empty / _MIB:.0f} MiB")
    table.add_row(f"operator with {caches.COUNT:,} pods, resident", f"{load.full / _MIB:.0f} MiB")
    table.add_row("processor time for a pod event", f"{load.cpu_per_event * 1e6:.0f} µs")
    table.add_row("pod events a second, of one core", f"{1 / load.cpu_per_event:,.0f}")
    return table


def _requests(counted: Mapping[str, requests.Traffic]) -> Table:
    table = _table("Requests of the operator, 6 replicas in 3 steps", "what", *counted)
    every = counted.values()
    table.add_row("seconds", *(f"{each.seconds:.0f}" for each in every))
    table.add_row("decisions", *(str(each.decisions) for each in every))
    table.add_row("questions to ELBv2, every 0.5 s", *(str(each.questions) for each in every))
    for what in sorted({what for each in every for what in each.writes}):
        table.add_row(f"writes: {what}", *(str(each.writes[what]) for each in every))
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


if __name__ == "__main__":
    main()
