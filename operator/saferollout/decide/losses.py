"""Pods that go in mid-rollout without having been chosen, because somebody takes them: who, and how many.

A drain, a Node that is gone, a preemption: the ReplicaSet puts another pod in their place, of their revision.
So they are no step of the rollout, and what they leave behind drains like what it retires (`draining`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from saferollout.decide.decision import Decision, Note
from saferollout.decide.memory import Draining, Lost, Memory
from saferollout.decide.rollout import Rollout
from saferollout.decide.wording import shortened
from saferollout.decide.workload import FINISHED, Disruption, Pod

_TOGETHER = 2.0
"""Seconds around a release within which a pod that is taken goes in the place of a chosen one."""


def newly_lost(rollout: Rollout) -> tuple[Pod, ...]:
    """Return the pods that somebody has taken since the rollout began, and that are not on record yet.

    What went while no operator was there to see it is not among them. Retired pods that are evicted on
    their way out are not lost: their targets are on record.
    """
    memory = rollout.observation.memory
    if memory.started_at is None:
        return ()
    known = {name for each in memory.lost for name in each.leaving} | {each.pod for each in memory.draining}
    begun = math.floor(memory.started_at)  # conditions have whole seconds
    return tuple(
        pod for pod in _taken(rollout) if pod.name not in known and begun <= (pod.disrupted_at or 0.0)
    )


def after(memory: Memory, left: Iterable[Draining], rollout: Rollout) -> tuple[Lost, ...]:
    """Return what is lost by now: that on record, and what is new. A new rollout begins at nothing."""
    if memory.started_at is None:
        return () if rollout.in_progress else memory.lost
    here = {pod.name for pod in _taken(rollout)} | {each.pod for each in left}
    lost = {
        each.by: replace(each, leaving=tuple(name for name in each.leaving if name in here))
        for each in memory.lost
    }
    for pod in newly_lost(rollout):
        by = pod.disruption or Disruption.OTHER
        before = lost.get(by, Lost(by, 0))
        lost[by] = Lost(by, before.pods + 1, (*before.leaving, pod.name))
    return tuple(lost[by] for by in sorted(lost))


def names(lost: Iterable[Lost]) -> frozenset[str]:
    """Return the names of lost pods that something is left of."""
    return frozenset(name for each in lost for name in each.leaving)


def told(decision: Decision, pods: tuple[Pod, ...]) -> Decision:
    """Return the decision with an Event about these pods."""
    if not pods:
        return decision
    which = [f"{pod.name} in {pod.zone or 'no known zone'} ({pod.disruption})" for pod in pods]
    count, whose = ("1 pod is", "its") if len(pods) == 1 else (f"{len(pods)} pods are", "their")
    text = f"{count} lost: {shortened(which)}; nothing is retired until {whose} targets have drained"
    note = Note("PodsLost", text, warning=True)
    return replace(decision, notes=(note, *decision.notes))


def summary(lost: Iterable[Lost]) -> str:
    """Say how many were lost to whom, in the words of a sentence's end; empty if none were."""
    parts = ", ".join(f"{each.pods} ({each.by})" for each in lost if each.pods)
    return f"; pods lost meanwhile: {parts}" if parts else ""


def in_place_of_chosen(rollout: Rollout) -> int:
    """Return how many old pods were taken about when the last release was made.

    The ReplicaSet that shrinks then counts them as gone, and spares as many of the chosen ones.
    """
    released = rollout.observation.memory.step_started_at
    if released is None:
        return 0
    new = rollout.target.uid if rollout.target else None
    return sum(
        pod.owner != new and abs((pod.disrupted_at or 0.0) - released) <= _TOGETHER for pod in _taken(rollout)
    )


def _taken(rollout: Rollout) -> tuple[Pod, ...]:
    """Pods that are going, or gone, because somebody takes them."""
    seen = rollout.observation
    going = (pod for pod in seen.pods if pod.terminating or pod.phase in FINISHED)
    return tuple(pod for pod in (*going, *seen.vanished) if pod.disruption is not None)
