"""What a status remembers beyond what it lists, packed so that thousands of targets fit.

A thousand pods in twenty target groups are twenty thousand targets that may all drain at once, and forgetting
one would let a step go too early. Written out they are megabytes; as one row for each pod, compressed, they
are some twenty kilobytes. The text is JSON, compressed by zlib, in base64.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import orjson
from pydantic import BaseModel, Field, NonNegativeInt, ValidationError

from saferollout.api.times import MicroTime
from saferollout.decide.observation import Because, Chosen, Draining

T = TypeVar("T")

LISTED = 8
"""Entries of a list that are written out for people; the others are only remembered."""

_MOST_BYTES = 2**23
"""Unpacked. Whoever may edit a status might pack more than fits into memory."""


@dataclass(frozen=True, slots=True)
class Unshown:
    """What is not listed."""

    draining: tuple[Draining, ...] = ()
    retiring: tuple[Chosen, ...] = ()


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


class _Packed(BaseModel):
    """What differs of pods is in their rows; what many share is said once and referred to by its number."""

    groups: list[str] = []
    ports: list[list[tuple[NonNegativeInt, NonNegativeInt]]] = []
    """Patterns: numbers of target groups, and the port that a pod has in each."""
    zones: list[str | None] = []
    draining: list[tuple[str, NonNegativeInt, MicroTime, MicroTime | None, str, NonNegativeInt]] = Field([])
    """Pod, number of its zone, since, ended at, address, number of its pattern of ports."""
    retiring: list[tuple[str, NonNegativeInt, Because]] = []


def pack(unshown: Unshown) -> str | None:
    """Return the text that remembers this, ``None`` for nothing."""
    if unshown == Unshown():
        return None
    groups, zones = _Numbers[str](), _Numbers[str | None]()
    ports: _Numbers[tuple[tuple[int, int], ...]] = _Numbers()
    pods: dict[tuple[str, int, float, float | None, str], list[tuple[int, int]]] = {}
    for each in unshown.draining:
        row = (each.pod, zones.of(each.zone), round(each.since, 6), _rounded(each.ended_at), each.id)
        pods.setdefault(row, []).append((groups.of(each.target_group), each.port))
    content = {
        "draining": [[*row, ports.of(tuple(pattern))] for row, pattern in pods.items()],
        "retiring": [(each.pod, zones.of(each.zone), each.because) for each in unshown.retiring],
        "groups": groups.all,
        "zones": zones.all,
        "ports": ports.all,
    }
    return base64.b64encode(zlib.compress(orjson.dumps(content), 9)).decode()


@lru_cache(maxsize=16)
def unpack(text: str | None) -> Unshown:
    """Return what the text remembers: nothing if it is malformed, for anybody may edit a status."""
    try:
        inflating = zlib.decompressobj()
        written = inflating.decompress(base64.b64decode(text or "", validate=True), _MOST_BYTES)
        packed = _Packed.model_validate_json(written)
        return Unshown(tuple(_draining(packed)), tuple(_retiring(packed)))
    except (binascii.Error, zlib.error, ValidationError, IndexError, ValueError):
        return Unshown()


def _rounded(moment: float | None) -> float | None:
    return None if moment is None else round(moment, 6)


def _draining(packed: _Packed) -> Iterator[Draining]:
    for pod, zone, since, ended_at, address, pattern in packed.draining:
        for group, port in packed.ports[pattern]:
            yield Draining(packed.groups[group], address, port, pod, packed.zones[zone], since, ended_at)


def _retiring(packed: _Packed) -> Iterator[Chosen]:
    return (Chosen(pod, packed.zones[zone], because) for pod, zone, because in packed.retiring)
