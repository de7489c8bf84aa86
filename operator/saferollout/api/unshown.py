"""What a status remembers beyond what it lists, packed so that thousands of targets fit.

A thousand pods in twenty target groups are twenty thousand targets that may all drain at once, and forgetting
one would let a step go too early. Written out they are megabytes; column by column, with what many share said
once, and compressed, they are some twenty kilobytes. The text is JSON, compressed by xz, in base64:
``base64 -d | xz -d`` shows it.
"""

from __future__ import annotations

import base64
import binascii
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import orjson
from pydantic import BaseModel, NonNegativeInt, ValidationError

from saferollout.api.times import MicroTime
from saferollout.decide.memory import Because, Chosen, Draining
from saferollout.decide.workload import Disruption

T = TypeVar("T")

LISTED = 8
"""Entries of a list that are written out for people; the others are only remembered."""

_MOST_BYTES = _MOST_MEMORY = 2**24
"""Unpacked, and for unpacking. Whoever may edit a status might pack more than fits into memory."""

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 2**20}]
"""With a small dictionary, for the sake of memory: to pack takes some ten times its size."""


@dataclass(frozen=True, slots=True)
class Unshown:
    """What is not listed. ``leaving`` are names of lost pods, by who took them."""

    draining: tuple[Draining, ...] = ()
    retiring: tuple[Chosen, ...] = ()
    leaving: tuple[tuple[Disruption, str], ...] = ()

    def names(self, by: Disruption) -> Iterator[str]:
        """Yield the names of those whom this took."""
        return (name for who, name in self.leaving if who == by)


class _Numbers(Generic[T]):
    """Gives every value a number, the same one each time."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}

    def of(self, value: T) -> int:
        """Return the number of a value."""
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def all(self) -> list[T]:
        """All values by their numbers."""
        return list(self._numbers)


class _Columns(BaseModel):
    """The draining pods, one in each row: numbers of pod, zone and pattern of ports, and what is its own."""

    pod: list[NonNegativeInt] = []
    zone: list[NonNegativeInt] = []
    ports: list[NonNegativeInt] = []
    since: list[MicroTime] = []
    ended: list[MicroTime | None] = []
    address: list[str] = []


class _Packed(BaseModel):
    """What many share stands here once, and is referred to by its number."""

    pods: list[str] = []
    zones: list[str | None] = []
    groups: list[str] = []
    ports: list[list[tuple[NonNegativeInt, NonNegativeInt]]] = []
    """Patterns: numbers of target groups, and the port that a pod has in each."""
    draining: _Columns = _Columns()
    retiring: list[tuple[NonNegativeInt, NonNegativeInt, Because]] = []
    leaving: list[tuple[Disruption, NonNegativeInt]] = []


def pack(unshown: Unshown) -> str | None:
    """Return the text that remembers this, ``None`` for nothing."""
    if unshown == Unshown():
        return None
    pods, zones, groups = _Numbers[str](), _Numbers[str | None](), _Numbers[str]()
    ports = _Numbers[tuple[tuple[int, int], ...]]()
    rows: dict[tuple[int, int, float, float | None, str], list[tuple[int, int]]] = {}
    for each in unshown.draining:
        row = (pods.of(each.pod), zones.of(each.zone), _kept(each.since), _ended(each), each.id)
        rows.setdefault(row, []).append((groups.of(each.target_group), each.port))
    names = ("pod", "zone", "since", "ended", "address")
    columns = {name: [row[number] for row in rows] for number, name in enumerate(names)}
    content = {
        "draining": {**columns, "ports": [ports.of(tuple(each)) for each in rows.values()]},
        "retiring": [(pods.of(each.pod), zones.of(each.zone), each.because) for each in unshown.retiring],
        "leaving": [(by, pods.of(name)) for by, name in unshown.leaving],
        "pods": pods.all,
        "zones": zones.all,
        "groups": groups.all,
        "ports": ports.all,
    }
    written = lzma.compress(orjson.dumps(content), lzma.FORMAT_XZ, filters=_FILTERS)
    return base64.b64encode(written).decode()


@lru_cache(maxsize=16)
def unpack(text: str | None) -> Unshown:
    """Return what the text remembers: nothing if it is malformed, for anybody may edit a status."""
    try:
        reading = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)
        written = reading.decompress(base64.b64decode(text or "", validate=True), _MOST_BYTES)
        packed = _Packed.model_validate_json(written)
        return Unshown(
            tuple(_draining(packed)),
            tuple(
                Chosen(packed.pods[pod], packed.zones[zone], because)
                for pod, zone, because in packed.retiring
            ),
            tuple((by, packed.pods[pod]) for by, pod in packed.leaving),
        )
    except (binascii.Error, lzma.LZMAError, ValidationError, IndexError, ValueError):
        return Unshown()


def _draining(packed: _Packed) -> Iterator[Draining]:
    rows = packed.draining
    columns = (rows.pod, rows.zone, rows.ports, rows.since, rows.ended, rows.address)
    for pod, zone, pattern, since, ended, address in zip(*columns, strict=True):
        name, where = packed.pods[pod], packed.zones[zone]
        for group, port in packed.ports[pattern]:
            yield Draining(packed.groups[group], address, port, name, where, since, ended)


def _kept(moment: float) -> float:
    """A moment to the microsecond, as a status keeps it elsewhere."""
    return round(moment, 6)


def _ended(entry: Draining) -> float | None:
    return None if entry.ended_at is None else _kept(entry.ended_at)
