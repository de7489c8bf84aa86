"""Looking records up by something other than their place in a cache, kept up change by change."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Record(Protocol):
    """Anything cached that has an identity."""

    @property
    def uid(self) -> str:
        """The UID of the object."""


R = TypeVar("R", bound=Record)
K = TypeVar("K", bound=Hashable)


class Lookup(Generic[K, R]):
    """The one record of a key. A record whose key is ``None`` is not in it."""

    def __init__(self, key: Callable[[R], K | None]) -> None:
        self._key = key
        self._records: dict[K, R] = {}

    def update(self, old: R | None, new: R | None) -> None:
        """Follow a change. A successor under the same key is not lost with its predecessor."""
        if old is not None and (key := self._key(old)) is not None:
            current = self._records.get(key)
            if current is not None and current.uid == old.uid:
                del self._records[key]
        if new is not None and (key := self._key(new)) is not None:
            self._records[key] = new

    def get(self, key: K) -> R | None:
        """The record of ``key``, ``None`` if there is none."""
        return self._records.get(key)

    def all(self) -> tuple[R, ...]:
        """Every record, in no particular order."""
        return tuple(self._records.values())


class Groups(Generic[K, R]):
    """All records of a key. A record whose key is ``None`` is not in it."""

    def __init__(self, key: Callable[[R], K | None]) -> None:
        self._key = key
        self._groups: dict[K, dict[str, R]] = {}

    def update(self, old: R | None, new: R | None) -> None:
        """Follow a change."""
        if old is not None and (key := self._key(old)) is not None and (group := self._groups.get(key)):
            group.pop(old.uid, None)
            if not group:
                del self._groups[key]
        if new is not None and (key := self._key(new)) is not None:
            self._groups.setdefault(key, {})[new.uid] = new

    def get(self, key: K) -> tuple[R, ...]:
        """The records of ``key``, in no particular order."""
        return tuple(self._groups.get(key, {}).values())
