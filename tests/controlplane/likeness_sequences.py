"""Sequences of operations, drawn by lot: the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from controlplane.likeness_operations import (
    Cost,
    Kill,
    Operation,
    Patch,
    Place,
    Ready,
    Sequence,
    Unready,
    fence,
    rolling,
)
from controlplane.likeness_world import NODES

LENGTH = 14
"""Operations of a sequence."""

_SENIORITIES = 6
_MANY = 60
"""More than there are pods: which one is meant is counted around."""

_SURGES: tuple[int | str, ...] = (1, 1, 1, 2, 3, "25%", "50%", "100%", 0)
_UNAVAILABLE: tuple[int | str, ...] = (0, 0, 0, 1, 2, "25%", "50%")
_RECREATE = {"type": "Recreate", "rollingUpdate": None}


def sequence(seed: int) -> Sequence:
    """Draw a sequence."""
    lots = Random(seed)  # noqa: S311 - to be repeated, not secret
    return Sequence(
        lots.randint(1, 6),
        _strategy(lots),
        lots.choice((10, 10, 10, 1, 0)),
        (Patch({**_changes(lots), "template": "v2"}), *(_operation(lots) for _ in range(LENGTH - 1))),
    )


def _operation(lots: Random) -> Operation:
    which, node, seniority = (lots.randrange(many) for many in (_MANY, len(NODES), _SENIORITIES))
    draws: dict[str, Callable[[], Operation]] = {
        "patch": lambda: Patch(_changes(lots)),
        "ready": lambda: Ready(which, node, seniority),
        "place": lambda: Place(which, node),
        "unready": lambda: Unready(which),
        "cost": lambda: Cost(which, lots.choice((-100, -1, 1, 100))),
        "kill": lambda: Kill(which),
    }
    return draws[lots.choices([*draws], (40, 40, 4, 6, 8, 2))[0]]()


def _changes(lots: Random) -> dict[str, Any]:
    """Draw a write of the spec: of one thing, or of two at once."""
    draws: dict[str, Callable[[], Any]] = {
        "template": lambda: lots.choice(("v1", "v2", "v3", "v4")),
        "paused": lambda: lots.random() < 0.4,
        "replicas": lambda: lots.choice((0, 1, 2, 3, 4, 5, 6, 7)),
        "strategy": lambda: _strategy(lots),
        "minReadySeconds": lambda: lots.choice((0, 0, *map(fence, range(_SENIORITIES)))),
    }
    names = lots.choices([*draws], (30, 30, 15, 12, 13), k=lots.choice((1, 1, 1, 2)))
    return {name: draws[name]() for name in draws if name in names}


def _strategy(lots: Random) -> dict[str, Any]:
    if lots.random() < 0.04:
        return _RECREATE
    surge, unavailable = lots.choice(_SURGES), lots.choice(_UNAVAILABLE)
    return rolling(surge or int(unavailable == 0), unavailable)
