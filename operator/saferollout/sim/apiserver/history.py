"""What happened lately to every type: one bounded list each, which all watches follow at their own pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from http import HTTPStatus

from saferollout.sim.errors import ApiError
from saferollout.sim.resources import Resource
from saferollout.sim.store import Change, Store

KEPT = 4096
"""Changes of one type that a watch can go back to, before it is told ``410 Gone``."""


def expired(asked: str, oldest: int) -> ApiError:
    """What was asked for is no longer known: list again."""
    message = f"too old resource version: {asked} ({oldest})"
    return ApiError(HTTPStatus.GONE, "Expired", message)


@dataclass(slots=True)
class _Track:
    """The latest changes of one type. ``forgotten`` is the version of the newest that is no longer here."""

    changes: deque[tuple[int, Change]] = field(default_factory=lambda: deque(maxlen=KEPT))
    forgotten: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)


class History:
    """The changes of a store, kept for watches."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tracks: dict[str, _Track] = {}
        self._start = store.version
        store.subscribe(self._note)

    def forget(self, resource: Resource) -> None:
        """Lose all changes of a type so far, as compaction does: its watches have to list again."""
        track = self._track(resource)
        track.changes.clear()
        track.forgotten = self._store.version
        self._announce(track)

    async def follow(
        self, resource: Resource, version: int, heartbeat: float
    ) -> AsyncGenerator[tuple[int, Change | None], None]:
        """Yield every change after ``version``, with its own version, and go on as they come.

        When ``heartbeat`` seconds pass without one, yields ``None`` with the version up to which all is told.

        Raises:
            ApiError: ``Expired``, changes after ``version`` are no longer known.
        """
        track = self._track(resource)
        if version > self._store.version:
            raise expired(str(version), self._store.version)
        while True:
            if version < track.forgotten:
                raise expired(str(version), track.forgotten)
            news = track.news
            for at, change in _after(track, version):
                version = at
                yield at, change
            if news is not track.news:
                continue
            version = max(version, self._store.version)
            try:
                await asyncio.wait_for(news.wait(), heartbeat)
            except TimeoutError:
                yield version, None

    def _track(self, resource: Resource) -> _Track:
        if (track := self._tracks.get(resource.key)) is None:
            track = self._tracks[resource.key] = _Track(forgotten=self._start)
        return track

    def _note(self, change: Change) -> None:
        track = self._track(change.resource)
        if len(track.changes) == KEPT:
            track.forgotten = track.changes[0][0]
        track.changes.append((int(change.object["metadata"]["resourceVersion"]), change))
        self._announce(track)

    def _announce(self, track: _Track) -> None:
        track.news.set()
        track.news = asyncio.Event()


def _after(track: _Track, version: int) -> list[tuple[int, Change]]:
    """Find those after ``version``, oldest first; read from the newest end, where watches mostly are."""
    following: list[tuple[int, Change]] = []
    for entry in reversed(track.changes):
        if entry[0] <= version:
            break
        following.append(entry)
    following.reverse()
    return following
