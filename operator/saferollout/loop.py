"""The loop of one SafeRollout: observe, decide, act, and wait for something to change."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from saferollout import metrics
from saferollout.act import deployments, pods
from saferollout.act.saferollouts import take_off, write_status
from saferollout.api.recall import read_status
from saferollout.api.report import report
from saferollout.api.status import Status
from saferollout.decide.decision import Decision, Move, Note
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.guarding import Guarding
from saferollout.lookout import Lookout
from saferollout.observe.backoff import Backoff
from saferollout.observe.saferollouts import SafeRollout
from saferollout.parts import Parts
from saferollout.refusals import Refusals, sentence

BREATH = 0.02
"""Seconds between two turns at the least, so that a burst of changes is one look."""

CATCH_UP = 2.0
"""Seconds to wait for a cache to show one's own write before looking at it again."""


class Stopper(Protocol):
    """Says when to stop. kopf's and ``asyncio.Event`` are such."""

    def is_set(self) -> bool:
        """Whether it is time to stop."""

    def wait(self) -> Awaitable[object]:
        """Wait until it is."""


class _Named(logging.LoggerAdapter[logging.Logger]):
    """Says in every line which SafeRollout it is about; in JSON as a field of its own, too."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        extra = dict(self.extra or {})
        return f"{extra['rollout']}: {msg}", {**kwargs, "extra": extra}


class Loop:
    """Keeps one SafeRollout going until it is being deleted: what is done then is `saferollout.ending`.

    ``turning`` keeps those two from taking their turns at once; ``note`` records an Event.
    """

    def __init__(
        self, parts: Parts, found: SafeRollout, turning: asyncio.Lock, note: Callable[[Note], None]
    ) -> None:
        self._parts = parts
        self._first = found
        self._namespace, self._name = found.namespace, found.name
        self._deployment = found.deployment or ""
        self._turning = turning
        self._note = note
        self._log = _Named(logging.getLogger("saferollout"), {"rollout": f"{found.namespace}/{found.name}"})
        # Never longer than half of a fence: what may move without a gate is to be held before it does.
        patience = parts.options.least_fence / 2
        self._backoff = Backoff(first=0.5, most=patience)
        self._refusals = Refusals(Backoff(first=0.5, most=patience))
        self._guarding = Guarding(parts.api, parts.questions, parts.options.guard_interval)
        self._written: tuple[int, Status] | None = None
        self._lookout = Lookout(parts, self._guarding, found)

    async def run(self, stopped: Stopper) -> None:
        """Take turn after turn until stopped or done. Nothing that goes wrong in one ends the loop."""
        cluster, rollouts = self._parts.cluster, self._parts.rollouts
        with (
            cluster.waking(self._namespace, self._deployment) as wake,
            rollouts.waking(self._namespace, self._name, wake),
            self._guarding.asking(wake),
        ):
            while not stopped.is_set():
                wake.clear()
                pause = await self._safe_turn(wake)
                if pause is None:
                    return
                await asyncio.sleep(BREATH)
                await _first_of(wake.wait(), stopped.wait(), within=pause)

    async def _safe_turn(self, wake: asyncio.Event) -> float | None:
        """Take a turn; return the seconds to the next if nothing changes, ``None`` if it was the last."""
        try:
            async with self._turning:
                decision = await self._turn(wake)
        except ApiException as error:
            if error.status == HTTPStatus.CONFLICT:
                return 0.0  # Somebody was faster: decide again from what is there now.
            self._log.warning(sentence(error))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._log.warning("the API server cannot be reached: %s", error or type(error).__name__)
        except Exception:
            self._log.exception("a turn failed")
        else:
            self._backoff.succeeded()
            if decision is None:
                return None
            return self._parts.options.poll_interval if decision.look_again is None else decision.look_again
        return self._backoff.failed()

    async def _turn(self, wake: asyncio.Event) -> Decision | None:
        found = self._parts.rollouts.get(self._namespace, self._name)
        if found is None or found.deleting or found.uid != self._first.uid:
            return None
        status = self._status(found)
        seen, decision = await self._decide(found, status)
        decision = self._refusals.instead_of(decision, seen)
        metrics.DECISIONS.labels(decision.reason).inc()
        await self._act(decision, seen, found, status, wake)
        return decision

    async def _decide(self, found: SafeRollout, status: Status) -> tuple[Observation, Decision]:
        """Look and decide.

        What must be held at once is held on what is known: AWS can take seconds. A step is released on what
        is so now, not on what was so at the last poll.
        """
        deployment = self._parts.cluster.deployment(self._namespace, self._deployment)
        if deployment is not None and not deployment.paused:
            seen, decision = await self._look(found, status, asked_since=0.0)
            if decision.move is Move.PAUSE:
                return seen, decision
        latest = time.time() - self._parts.options.poll_interval
        seen, decision = await self._look(found, status, asked_since=latest)
        if decision.move is Move.RELEASE:
            return await self._look(found, status, asked_since=time.time())
        return seen, decision

    async def _look(
        self, found: SafeRollout, status: Status, *, asked_since: float
    ) -> tuple[Observation, Decision]:
        """Look, and decide on what AWS was asked at ``asked_since`` (epoch seconds) or later."""
        seen = await self._lookout.observe(found, status, asked_since=asked_since)
        return seen, decide(seen)

    def _status(self, found: SafeRollout) -> Status:
        """The status as it is, even where the cache has not seen the last write yet."""
        if self._written is not None and self._written[0] > found.version:
            return self._written[1]
        return read_status(found.status)

    def _version(self, found: SafeRollout) -> int:
        """The newest resourceVersion of the SafeRollout that is known: the cache's, or that of our write."""
        return found.version if self._written is None else max(found.version, self._written[0])

    async def _act(
        self, decision: Decision, seen: Observation, found: SafeRollout, status: Status, wake: asyncio.Event
    ) -> None:
        """Write what was decided, in the order in which it is safe to die in between.

        What a release has to be remembered by is written before it; a pause has nothing to wait for.
        """
        api, left = self._parts.api, decision
        tell = partial(self._tell, self._refusals.told_of(decision, seen), seen, found, status)
        change = partial(self._change, decision, seen, wake)
        urgent = decision.move is Move.PAUSE
        try:
            if decision.costs:
                versions = self._parts.cluster.versions(seen.pods)
                await pods.write_costs(api, self._namespace, decision.costs, versions)
            for act in (change, tell) if urgent else (tell, change):
                await act()
                if act is tell and decision.answered is not None:
                    await take_off(api, self._namespace, self._name, decision.answered)
            left = replace(decision, change=None)
            fenced = {each.name: each for each in seen.replica_sets}
            for fence in decision.fences:
                await deployments.fence(api, self._namespace, fenced[fence.replica_set], fence)
        except ApiException as error:
            if left is not decision and decision.change is not None:
                self._record(decision.notes)  # What they tell of has been done.
            refused = self._refusals.take(error, left, seen)
            await self._tell(refused, seen, found, self._status(found))
            self._record(refused.notes)
            raise
        self._record(decision.notes)

    async def _tell(self, decision: Decision, seen: Observation, found: SafeRollout, status: Status) -> None:
        told = report(
            decision,
            previous=status,
            problems=seen.problems,
            generation=found.generation,
            now=seen.now,
        )
        if told != status:
            version = await write_status(
                self._parts.api, self._namespace, self._name, told, self._version(found)
            )
            self._written = version, told
            metrics.count_retired(seen.memory.exposure, decision.memory.exposure)
            metrics.count_lost(seen.memory.lost, decision.memory.lost)
            metrics.UNCHOSEN.inc(decision.unchosen)
            self._log.info("%s: %s", decision.reason, decision.message)

    async def _change(self, decision: Decision, seen: Observation, wake: asyncio.Event) -> None:
        if decision.change is None or seen.deployment is None:
            return
        version = await deployments.make(self._parts.api, seen.deployment, decision.change)
        self._log.info("%s deployment/%s", decision.change.move, self._deployment)
        metrics.MOVES.labels(decision.change.move).inc()
        await self._caught_up(version, wake)

    def _record(self, notes: Iterable[Note]) -> None:
        for note in notes:
            self._note(note)

    async def _caught_up(self, version: int, wake: asyncio.Event) -> None:
        """Wait until the cache shows the Deployment as just written, or for a while."""
        until = time.monotonic() + CATCH_UP
        while (missing := until - time.monotonic()) > 0:
            wake.clear()
            found = self._parts.cluster.deployment(self._namespace, self._deployment)
            if found is None or int(found.resource_version) >= version:
                wake.set()
                return
            await _first_of(wake.wait(), within=min(missing, 0.1))


async def _first_of(*awaitables: Awaitable[object], within: float) -> None:
    """Wait for the first of these, or for so many seconds; ``inf`` waits for as long as it takes."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        await asyncio.wait(
            tasks, timeout=None if within == math.inf else within, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for task in tasks:
            task.cancel()
