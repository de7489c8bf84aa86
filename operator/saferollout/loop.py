"""The loop of one SafeRollout: observe, decide, act, and wait for something to change."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

from saferollout import metrics
from saferollout.act import deployments, pods
from saferollout.act.saferollouts import take_off, write_status
from saferollout.api.parsing import InvalidSpecError, ParsedSpec, parse_spec
from saferollout.api.reasons import Reason
from saferollout.api.recall import guard_of, memory_of, read_status
from saferollout.api.report import report
from saferollout.api.status import Status
from saferollout.decide import alarms, takeovers
from saferollout.decide.decision import Decision, Move, Note
from saferollout.decide.observation import (
    AlarmState,
    Exposure,
    Lost,
    Memory,
    Observation,
    Policy,
    Problem,
    TargetGroup,
)
from saferollout.decide.phases import decide
from saferollout.guarding import Guarding
from saferollout.leading import Office
from saferollout.observe.alarms import Alarms
from saferollout.observe.backoff import Backoff
from saferollout.observe.cluster import Cluster
from saferollout.observe.discovery import Found, Resolved, Ways, resolve
from saferollout.observe.saferollouts import SafeRollout, SafeRollouts
from saferollout.observe.snapshot import snapshot
from saferollout.observe.targets import TargetHealth
from saferollout.options import Options
from saferollout.refusals import Refusals, sentence
from saferollout.reminding import Reminder

BREATH = 0.02
"""Seconds between two turns at the least, so that a burst of changes is one look."""

CATCH_UP = 2.0
"""Seconds to wait for a cache to show one's own write before looking at it again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What all loops share."""

    api: ApiClient
    cluster: Cluster
    rollouts: SafeRollouts
    health: TargetHealth
    alarms: Alarms
    reminder: Reminder
    options: Options
    office: Office
    questions: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, 4))
    """Dry runs that are asked for at once, of all loops together."""


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
        self._watched_since = self._looked_at = -math.inf

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
        """Look and decide. What must be held at once is held on what is known: ELBv2 can take seconds."""
        deployment = self._parts.cluster.deployment(self._namespace, self._deployment)
        if deployment is not None and not deployment.paused:
            seen = await self._observe(found, status, asked_since=0.0)
            decision = decide(seen)
            if decision.change is not None and decision.change.move is Move.PAUSE:
                return seen, decision
        latest = time.time() - self._parts.options.poll_interval
        seen = await self._observe(found, status, asked_since=latest)
        return seen, decide(seen)

    def _status(self, found: SafeRollout) -> Status:
        """The status as it is, even where the cache has not seen the last write yet."""
        if self._written is not None and self._written[0] > found.version:
            return self._written[1]
        return read_status(found.status)

    def _version(self, found: SafeRollout) -> int:
        """The newest resourceVersion of the SafeRollout that is known: the cache's, or that of our write."""
        return found.version if self._written is None else max(found.version, self._written[0])

    async def _observe(self, found: SafeRollout, status: Status, *, asked_since: float) -> Observation:
        options = self._parts.options
        problems: list[Problem] = []
        resolved = Resolved()
        policy = Policy()
        try:
            spec = parse_spec(found.spec)
        except InvalidSpecError as error:
            problems.append(Problem(Reason.INVALID_SPEC, str(error)))
        else:
            policy = spec.policy
            resolved = self._resolve(spec)
            problems += resolved.problems
        holder = self._parts.rollouts.holder(found.namespace, self._deployment)
        if holder is not None and holder.uid != found.uid:
            problems.append(_already_wrapped(holder))
        deployment = self._parts.cluster.deployment(found.namespace, self._deployment)
        guard = await self._guarding.of(deployment, guard_of(status))
        begun = Observation(
            now=time.time(),
            name=found.name,
            policy=policy,
            tuning=options.tuning,
            memory=_remembered(status, found.generation),
            problems=tuple(problems),
            asked=found.asked,
            guard=guard,
        )
        groups, states = await asyncio.gather(
            self._ask_for_targets(resolved, asked_since),
            self._ask_for_alarms(begun, asked_since),
        )
        now = time.time()
        if now - self._looked_at > options.tuning.stale_after:
            self._watched_since = now
        self._looked_at = now
        begun = replace(
            begun, now=now, target_groups=groups, alarms=states, watched_since=self._watched_since
        )
        return snapshot(self._parts.cluster, found.namespace, self._deployment, begun)

    async def _ask_for_targets(self, resolved: Resolved, asked_since: float) -> tuple[TargetGroup, ...]:
        arns = [each.arn for each in resolved.groups]
        roles = {each.arn: each.role for each in resolved.groups if each.role is not None}
        answers = await self._parts.health.ask(arns, not_before=asked_since, roles=roles)
        return tuple(map(Found.answered, resolved.groups, answers))

    async def _ask_for_alarms(self, begun: Observation, asked_since: float) -> tuple[AlarmState, ...]:
        if not begun.policy.alarms:
            return ()
        seen = snapshot(self._parts.cluster, self._namespace, self._deployment, begun)
        names = [each.name for each in seen.policy.alarms] if alarms.awaited(seen) else []
        return await self._parts.alarms.ask(names, not_before=asked_since)

    def _resolve(self, spec: ParsedSpec) -> Resolved:
        cluster = self._parts.cluster
        deployment = cluster.deployment(self._namespace, self._deployment)
        if deployment is None:
            return Resolved()
        running = (each for each in cluster.replica_sets(deployment) if each.replicas)
        revisions = (deployment.labels, *(each.labels for each in running))
        ways = Ways(cluster.services(self._namespace), cluster.bindings(self._namespace))
        return resolve(spec.target_groups, revisions, ways)

    async def _act(
        self, decision: Decision, seen: Observation, found: SafeRollout, status: Status, wake: asyncio.Event
    ) -> None:
        """Write what was decided, in the order in which it is safe to die in between.

        What a release has to be remembered by is written before it; a pause has nothing to wait for.
        """
        api, left = self._parts.api, decision
        tell = partial(self._tell, self._refusals.told_of(decision, seen), seen, found, status)
        change = partial(self._change, decision, seen, wake)
        urgent = decision.change is not None and decision.change.move is Move.PAUSE
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
            _count(seen.memory.exposure, decision.memory.exposure)
            _count_lost(seen.memory.lost, decision.memory.lost)
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


def _count(before: Exposure, after: Exposure) -> None:
    """Add to the metrics what the status has more of than before; a new rollout begins at nothing."""
    begun = before if after.pods >= before.pods else Exposure()
    metrics.RETIRED.inc(after.pods - begun.pods)
    metrics.EXPOSURE.inc(max(0, after.seconds - begun.seconds))


def _count_lost(before: Iterable[Lost], after: Iterable[Lost]) -> None:
    """Add to the metrics the pods that were lost since; a new rollout begins at none."""
    known = {each.by: each.pods for each in before}
    for each in after:
        metrics.LOST.labels(each.by).inc(max(0, each.pods - known.get(each.by, 0)))


def _remembered(status: Status, generation: int) -> Memory:
    """What the status remembers; who wrote which field is no more of interest when the spec is another."""
    memory = memory_of(status)
    return memory if status.observed_generation == generation else takeovers.forget(memory)


def _already_wrapped(holder: SafeRollout) -> Problem:
    return Problem(
        Reason.DEPLOYMENT_ALREADY_WRAPPED,
        f"saferollout/{holder.name} has this Deployment already: delete one of the two",
    )


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
