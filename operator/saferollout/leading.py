"""Which of several operators acts: the one that holds a Lease, for as long as it surely does.

Of our own, because ``kubernetes.aio.leaderelection`` (kubernetes 37) asks without a timeout, goes by the wall
clock, writes local time as UTC, does not give the Lease back, and goes on acting when it has seen that
somebody else holds it. The rules are those of client-go's ``leaderelection`` package.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp
from kubernetes.aio.client import ApiClient, CoordinationV1Api, V1Lease, V1LeaseSpec, V1ObjectMeta
from kubernetes.aio.client.exceptions import ApiException

from saferollout import metrics
from saferollout.refusals import sentence
from saferollout.term import Term, clock

log = logging.getLogger("saferollout")


@dataclass(frozen=True, slots=True)
class Terms:
    """The Lease and its times, in seconds.

    Others may have it ``duration`` after its last renewal was seen. Who holds it renews it every ``interval``
    and stops acting ``deadline`` after the last renewal that went through was sent, which is sooner.
    """

    namespace: str
    name: str
    duration: int
    deadline: float
    interval: float

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was read of the Lease, and ``at`` which time of `clock` it was first so."""

    version: str
    holder: str
    duration: float
    at: float

    @property
    def free_at(self) -> float:
        """When it may be taken. No clock but our own is asked, nor any time that is written in it."""
        return self.at + self.duration if self.holder else -math.inf


class Election:
    """Takes the Lease when it is free, and keeps it. ``term`` says whether this process may act."""

    def __init__(self, api: ApiClient, terms: Terms, term: Term) -> None:
        self._leases = CoordinationV1Api(api)
        self._terms = terms
        self._term = term
        self._me = f"{socket.gethostname()}_{uuid.uuid4()}"
        self._seen: _Seen | None = None
        self._lease: V1Lease | None = None
        self._acquired = _now()
        self.trouble: str | None = None
        """Why the Lease could not be looked at the last time, ``None`` if it could."""

    async def win(self) -> None:
        """Wait until the Lease is ours."""
        while not await self._tried(self._take_if_free):  # noqa: ASYNC110 - asking is how it is found out
            await asyncio.sleep(self._terms.interval)
        log.info("lease %s: it is held by this operator, %s", self._terms, self._me)

    async def keep(self) -> None:
        """Renew the Lease for as long as it is ours; return when it is not, or surely not, any more."""
        while self._term.running:
            await asyncio.sleep(max(0.0, min(self._terms.interval, self._term.ends - clock())))
            if self._term.running:  # It may have been stopped for long.
                await self._tried(self._renew)
        metrics.LEADER.set(0)

    async def give_back(self) -> None:
        """Let the next one have it at once. Nothing may be under way any more that writes."""
        if not self._term.running:
            return
        self._term.ends = -math.inf
        metrics.LEADER.set(0)
        await self._tried(self._release)

    async def _tried(self, attempt: Callable[[], Awaitable[bool]]) -> bool:
        """Make an attempt, in half of the time in which one has to succeed."""
        try:
            async with asyncio.timeout(self._terms.deadline / 2):
                done = await attempt()
        except ApiException as error:
            self.trouble = sentence(error)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            self.trouble = str(error) or type(error).__name__
        except Exception as error:  # a Lease that cannot be read must end a term, not this task
            self.trouble = repr(error)
        else:
            self.trouble = None
            return done
        log.warning("lease %s: %s", self._terms, self.trouble)
        return False

    async def _take_if_free(self) -> bool:
        await self._look()
        if self._seen is not None and self._seen.holder != self._me and clock() < self._seen.free_at:
            return False
        self._acquired = _now()
        return await self._renewed()

    async def _renew(self) -> bool:
        if await self._renewed():
            return True
        await self._look()
        if self._lease is not None and self._seen is not None and self._seen.holder != self._me:
            self._term.ends = -math.inf
            log.error("lease %s: it is held by %s", self._terms, self._seen.holder or "nobody")
            return False
        return await self._renewed()

    async def _look(self) -> None:
        """Read the Lease. One that is gone counts as held for as long as it would have been."""
        terms = self._terms
        try:
            self._lease = await self._leases.read_namespaced_lease(terms.name, terms.namespace)
        except ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self._lease = None
            return
        version, spec = _version(self._lease), _spec(self._lease)
        if self._seen is None or self._seen.version != version:
            duration = float(spec.lease_duration_seconds or terms.duration)
            self._seen = _Seen(version, spec.holder_identity or "", duration, at=clock())

    async def _renewed(self) -> bool:
        """Write that the Lease is ours, for a term from now; return whether nobody was faster."""
        sent = clock()
        if not await self._written(self._me, self._terms.duration):
            return False
        self._term.ends = sent + self._terms.deadline
        return True

    async def _release(self) -> bool:
        if await self._written(holder="", duration=1):
            return True
        await self._look()  # It may be the answer to the last renewal that is missing.
        mine = self._lease is not None and _spec(self._lease).holder_identity == self._me
        return mine and await self._written(holder="", duration=1)

    async def _written(self, holder: str, duration: int) -> bool:
        """Write the Lease, if it still is what was read; return whether it was."""
        name, namespace = self._terms.name, self._terms.namespace
        before = _spec(self._lease)
        handed_on = bool(holder) and holder != before.holder_identity
        spec = V1LeaseSpec(
            holder_identity=holder,
            lease_duration_seconds=duration,
            acquire_time=self._acquired,
            renew_time=_now(),
            lease_transitions=(before.lease_transitions or 0) + handed_on,
        )
        meta = V1ObjectMeta(name=name, namespace=namespace)
        try:
            if self._lease is None:
                lease = V1Lease(metadata=meta, spec=spec)
                self._lease = await self._leases.create_namespaced_lease(namespace, lease)
            else:
                meta.resource_version = _version(self._lease)
                lease = V1Lease(metadata=meta, spec=spec)
                self._lease = await self._leases.replace_namespaced_lease(name, namespace, lease)
        except ApiException as error:
            gone = self._lease is not None and error.status == HTTPStatus.NOT_FOUND
            if gone or error.status == HTTPStatus.CONFLICT:
                return False
            raise
        return True


@dataclass(frozen=True, slots=True)
class Office:
    """The right to write and how it is come by: ``election`` is ``None`` for an operator that is alone.

    ``taken`` is set when this process has begun to act.
    """

    term: Term
    election: Election | None
    taken: asyncio.Event = field(default_factory=asyncio.Event)


def _spec(lease: V1Lease | None) -> V1LeaseSpec:
    return (lease.spec if lease else None) or V1LeaseSpec()


def _version(lease: V1Lease) -> str:
    return str(lease.metadata.resource_version if lease.metadata else "")


def _now() -> datetime:
    """The time as a ``MicroTime`` has it: with its microseconds, also when there are none."""
    now = datetime.now(UTC)
    return now if now.microsecond else now.replace(microsecond=1)
