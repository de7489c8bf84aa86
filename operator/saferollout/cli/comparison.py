"""Rollouts of the same change, side by side, as the people who use the site had them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from saferollout.sim.contract import Breach, Promise
from saferollout.sim.samples import Figures

_KINDS: Mapping[str, str] = {
    "502-dead-target": "  502, the target was gone",
    "502-initial-targets": "  502, none was healthy yet",
    "503-no-target": "  503, no target left",
    "reset-dead-target": "  reset, the target was gone",
    "reset-empty-zone": "  reset, the zone was empty",
}
"""What the outcomes of the embedded load balancers are called here."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one rollout: ``requests`` in all, ``failed`` ones by kind, and what an observer saw."""

    requests: int
    failed: Mapping[str, int]
    figures: Figures
    breaches: Sequence[Breach]


def comparison(outcomes: Mapping[str, Outcome], replicas: int) -> Table:
    """Draw a column for each outcome, under its name. All are of a Deployment of so many ``replicas``."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("the same new image", no_wrap=True)
    for name in outcomes:
        table.add_column(name, justify="right")
    kinds = {kind for outcome in outcomes.values() for kind in outcome.failed}
    for name, value in _rows(replicas, kinds):
        table.add_row(name, *(Text(value(outcome)) for outcome in outcomes.values()))
    return table


def _rows(replicas: int, kinds: set[str]) -> list[tuple[str, Callable[[Outcome], str]]]:
    return [
        ("requests in all", lambda outcome: f"{outcome.requests:,}"),
        ("failed requests", lambda outcome: f"{sum(outcome.failed.values()):,}"),
        *((_KINDS.get(kind, f"  {kind}"), _failed(kind)) for kind in sorted(kinds)),
        ("seconds with an empty zone", lambda outcome: f"{outcome.figures.empty_zone_seconds:.1f}"),
        (f"fewest of {replicas} pods serving", lambda outcome: str(outcome.figures.lowest_serving)),
        ("duration in seconds", lambda outcome: f"{outcome.figures.seconds:.1f}"),
        ("promises broken", lambda outcome: _broken(outcome.breaches)),
    ]


def _failed(kind: str) -> Callable[[Outcome], str]:
    return lambda outcome: f"{outcome.failed.get(kind, 0):,}"


def _broken(breaches: Sequence[Breach]) -> str:
    found = {breach.promise for breach in breaches}
    return " ".join(promise.split()[0] for promise in Promise if promise in found) or "none"
