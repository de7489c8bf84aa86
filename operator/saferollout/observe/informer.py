"""A list and a watch, kept up for good: the cache of one kind of object.

What it keeps of an object is what a parser makes of it. See ``tests/sim/test_informer.py`` for what it goes
through without dying: expired versions, errors in the stream, throttling, lost connections.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import aiohttp
import orjson
from kubernetes.aio.client import ApiClient

from saferollout.observe.backoff import Backoff
from saferollout.observe.listwatch import ListWatch, Refused

R = TypeVar("R")

WATCH_SECONDS = 300.0
"""How long one watch lasts at most; the least is half of it: they are not to end all at once."""

SHORT_SECONDS = 1.0
"""A watch that ends sooner, and silently, was not served: to ask on at once would be a busy loop."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of not knowing: ``since`` when (epoch seconds), and the last ``trouble`` met, if any.

    ``listed`` is whether there is at least old knowledge; without it nothing is known to be absent.
    """

    path: str
    since: float
    listed: bool
    trouble: str = ""


class Informer(Generic[R]):
    """Follows the objects under one path of the API, for instance ``/api/v1/nodes``.

    Listeners get (old record or ``None``, new record or ``None``) after the cache has changed. A relist
    swaps the cache at once and then reports the differences, deletions first.
    """

    def __init__(
        self,
        api: ApiClient,
        path: str,
        parse: Callable[[Mapping[str, Any]], R | None],
        *,
        page: int = 500,
        backoff: Backoff | None = None,
    ) -> None:
        self.records: dict[str, R] = {}
        """What there is, by UID; only to be read. A relist puts another dictionary in its place."""
        started = time.time()
        self.gap: Gap | None = Gap(path, started, listed=False)
        """Set from the start until it has listed and watches, and while its watch is interrupted."""
        self._path = path
        self._source = ListWatch(api, path, page)
        self._parse = parse
        self._backoff = backoff or Backoff(first=0.5, most=20.0)
        self._version: str | None = None
        self._unserved_since: float | None = started
        self._synced = asyncio.Event()
        self._listeners: list[Callable[[R | None, R | None], None]] = []

    def listen(self, listener: Callable[[R | None, R | None], None]) -> None:
        """Have ``listener`` called with every change from now on."""
        self._listeners.append(listener)

    async def synced(self) -> None:
        """Wait until everything has been listed once."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled. Whatever goes wrong is logged, and tried again after a while."""
        while True:
            try:
                await self._follow()
                self._interrupted("")
            except Exception as error:  # the loop must outlive whatever a server comes up with
                delay = self._failed(error)
                log.warning("%s: %s; again in %.1f s", self._path, str(error) or repr(error), delay)
                await asyncio.sleep(delay)

    async def _follow(self) -> None:
        """List if need be, then watch until the server ends the watch as agreed."""
        if self._version is None:
            asked = time.time()
            self._version = await self._list()
            self._unserved_since = asked
            self.gap = Gap(self._path, asked, listed=True)
            self._synced.set()
        seconds = WATCH_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, no secret
        async with self._source.watch(self._version, seconds) as lines:
            self.gap = None
            opened = time.monotonic()
            try:
                async for batch in lines:
                    for line in batch:
                        self._take(orjson.loads(line))
                    self._served()
            finally:
                if time.monotonic() - opened >= SHORT_SECONDS:
                    self._served()
        if self._unserved_since is not None:
            raise aiohttp.ClientError("the watch ended as soon as it began")

    async def _list(self) -> str:
        listed: dict[str, R] = {}
        version = ""
        async for items, at in self._source.pages():
            version = at
            for raw in items:
                record = self._read(raw)
                if record is not None:
                    listed[raw["metadata"]["uid"]] = record
        self._swap(listed)
        return version

    def _swap(self, listed: dict[str, R]) -> None:
        before, self.records = self.records, listed
        for uid in before.keys() - listed.keys():
            self._tell(before[uid], None)
        for uid, record in listed.items():
            self._tell(before.get(uid), record)

    def _take(self, event: Mapping[str, Any]) -> None:
        """Take one watch event in.

        Raises:
            Refused: The event is an ERROR.
        """
        kind, raw = event["type"], event["object"]
        if kind == "ERROR":
            raise Refused.by(raw)
        meta = raw["metadata"]
        if kind != "BOOKMARK":
            uid = meta["uid"]
            record = None if kind == "DELETED" else self._read(raw)
            old = self.records.pop(uid, None) if record is None else self.records.get(uid)
            if record is not None:
                self.records[uid] = record
            self._tell(old, record)
        self._version = meta["resourceVersion"]

    def _read(self, raw: Mapping[str, Any]) -> R | None:
        """Parse an object. One that cannot be read is left out: it must not hide all the others."""
        try:
            return self._parse(raw)
        except (KeyError, TypeError, ValueError, AttributeError):
            log.exception("%s: cannot read %s", self._path, raw.get("metadata", {}).get("name"))
            return None

    def _tell(self, old: R | None, new: R | None) -> None:
        if old != new:
            for listener in self._listeners:
                listener(old, new)

    def _failed(self, error: Exception) -> float:
        """Note a failure and return the seconds to wait. After a lost connection the same version will do."""
        refused = error if isinstance(error, Refused) else None
        lost = isinstance(error, (aiohttp.ClientError, OSError, TimeoutError))
        if not lost and not (refused and refused.passing):
            self._version = None
        if not lost and not refused:
            log.error("%s: unexpected", self._path, exc_info=error)
        self._interrupted(str(error) or repr(error))
        return self._backoff.failed(at_least=refused.retry_after if refused else 0.0)

    def _served(self) -> None:
        self._unserved_since = None
        self._backoff.succeeded()

    def _interrupted(self, trouble: str) -> None:
        """Begin a gap, or go on with the last one: a watch that only opened has told nothing."""
        if self._unserved_since is None:
            self._unserved_since = time.time()
        self.gap = Gap(self._path, self._unserved_since, self._synced.is_set(), trouble)


class OptionalInformer(Informer[R]):
    """Follows a kind that comes with a CustomResourceDefinition, which may not be installed.

    A server that does not know the kind (404) has no objects of it: that is knowledge, and no gap. It is
    asked again after what ``backoff`` says.
    """

    def _does_without(self, refused: Refused) -> bool:
        return refused.code == HTTPStatus.NOT_FOUND

    async def _follow(self) -> None:
        try:
            await super()._follow()
        except Refused as refused:
            if not self._does_without(refused):
                raise
            self._version = None
            self._swap({})
            self.gap = self._unserved_since = None
            self._synced.set()
            await asyncio.sleep(self._backoff.failed())


class UnlessForbiddenInformer(OptionalInformer[R]):
    """Follows a kind that the operator can do without, if it has not been given the right to read it (403).

    Once it has read any, a refusal is a gap like any other: what is known must not vanish unnoticed.
    """

    def _does_without(self, refused: Refused) -> bool:
        return refused.code == HTTPStatus.FORBIDDEN and not self.records


async def run_all(informers: Iterable[Informer[Any]]) -> None:
    """Keep all of them up to date until cancelled."""
    async with asyncio.TaskGroup() as group:
        for informer in informers:
            group.create_task(informer.run())
