"""The lookout of one SafeRollout: from caches, ELBv2 and CloudWatch to one snapshot."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace

from saferollout.api.parsing import InvalidSpecError, ParsedSpec, parse_spec
from saferollout.api.reasons import Reason
from saferollout.api.recall import guard_of, memory_of
from saferollout.api.status import Status
from saferollout.decide import alarms, takeovers
from saferollout.decide.answers import AlarmState, TargetGroup
from saferollout.decide.memory import Memory
from saferollout.decide.observation import Observation, Problem
from saferollout.decide.policy import Policy
from saferollout.guarding import Guarding
from saferollout.observe.discovery import Found, Resolved, Ways, resolve
from saferollout.observe.saferollouts import SafeRollout
from saferollout.observe.snapshot import snapshot
from saferollout.parts import Parts


class Lookout:
    """Looks at one SafeRollout, its Deployment and all that a decision about them depends on.

    ``guarding`` tells whether an admission policy guards the Deployment.
    """

    def __init__(self, parts: Parts, guarding: Guarding, found: SafeRollout) -> None:
        self._parts = parts
        self._guarding = guarding
        self._namespace = found.namespace
        self._deployment = found.deployment or ""
        self._watched_since = self._looked_at = -math.inf

    async def observe(self, found: SafeRollout, status: Status, *, asked_since: float) -> Observation:
        """Return one snapshot; answers of AWS count if they were asked for after ``asked_since`` (epoch).

        ``status`` is what is remembered. What cannot be known is said in the snapshot.
        """
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


def _remembered(status: Status, generation: int) -> Memory:
    """What the status remembers; who wrote which field is no more of interest when the spec is another."""
    memory = memory_of(status)
    return memory if status.observed_generation == generation else takeovers.forget(memory)


def _already_wrapped(holder: SafeRollout) -> Problem:
    return Problem(
        Reason.DEPLOYMENT_ALREADY_WRAPPED,
        f"saferollout/{holder.name} has this Deployment already: delete one of the two",
    )
