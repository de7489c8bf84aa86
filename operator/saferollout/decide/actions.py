"""What people ask for by annotation, and what comes of it: every action changes only what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from saferollout.api.reasons import Reason
from saferollout.decide import failing, gates, takeovers
from saferollout.decide.decision import Note
from saferollout.decide.memory import Memory
from saferollout.decide.observation import Action, Asked
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import awaited
from saferollout.decide.wording import shortened

REFUSED = "ActionRefused"
"""Reason of the Event about an action that nothing came of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is remembered from now on, and the Event that says so to whoever has asked."""

    memory: Memory
    note: Note


def answer(rollout: Rollout) -> Answer | None:
    """Return what comes of the action that is asked for, ``None`` if none is."""
    asked = rollout.observation.asked
    if asked is None:
        return None
    if asked.action not in set(Action):
        return _refused(rollout, asked, f"write {', '.join(Action)}")
    return _ANSWERS[Action(asked.action)](rollout, asked)


def _approve(rollout: Rollout, asked: Asked) -> Answer:
    memory, due = rollout.observation.memory, gates.approvals_due(rollout)
    if not rollout.in_progress or not due:
        return _refused(rollout, asked, "nothing waits for an approval")
    told = f"{asked.by} approved of going on from {rollout.new} of {rollout.deployment.replicas} new pods"
    return Answer(replace(memory, approved=(*memory.approved, *due)), Note("RolloutApproved", told))


def _retry(rollout: Rollout, asked: Asked) -> Answer:
    memory, failed = rollout.observation.memory, rollout.observation.memory.failed
    again = [f"revision {failed.revision} may be rolled out"] if failed else []
    if memory.failing_since is not None:
        again.append("the new pods have their time")
    if memory.takeovers:
        again.append("fields that others write are written")
    if not again:
        return _refused(rollout, asked, "nothing has failed")
    fresh = replace(
        takeovers.forget(memory), failed=None, failing_since=None, reason=None, waiting_since=None
    )
    told = f"{asked.by} asked for a retry: {', '.join(again)} again"
    return Answer(fresh, Note("RolloutRetried", told))


def _abort(rollout: Rollout, asked: Asked) -> Answer:
    if rollout.observation.memory.started_at is None or rollout.rolling_back:
        return _refused(rollout, asked, "no rollout is in progress that could be aborted")
    memory = failing.recorded(rollout, f"aborted by {asked.by}")
    if memory is None:
        return _refused(rollout, asked, "no complete revision is there to go back to")
    target = rollout.target.hash if rollout.target else "that was asked for"
    return Answer(memory, Note("RolloutAborted", f"{asked.by} aborted the rollout of revision {target}"))


SKIPPABLE = frozenset(
    {
        Reason.WAITING_FOR_HEALTH,
        Reason.WAITING_FOR_DRAIN,
        Reason.TARGET_STILL_REGISTERED,
        Reason.BAKING,
        Reason.ZONE_FLOOR,
        Reason.ZONE_UNKNOWN,
        Reason.ZONAL_SHIFT,
        Reason.CAPACITY_LOW,
        Reason.ALARM_FIRING,
        Reason.ALARM_UNKNOWN,
    }
)
"""Gates that a person may know better about; the others are what a release consists of, or silence."""


def _skip_gate(rollout: Rollout, asked: Asked) -> Answer:
    seen = rollout.observation
    gate = awaited(seen.memory.reason)
    if gate not in SKIPPABLE:
        return _refused(rollout, asked, f"{seen.memory.reason} is no gate that can be skipped")
    down = [pod.name for pod in rollout.placed_pods if pod.ready_since is None]
    if gate is Reason.WAITING_FOR_HEALTH and (down or rollout.unsettled is not None):
        why = f"Kubernetes retires no pod for new ones that are not Ready: {shortened(down)}"
        return _refused(rollout, asked, why if down else f"{rollout.unsettled}")
    memory = replace(seen.memory, skipped=(*seen.memory.skipped, gate), skipped_at=seen.now)
    told = f"{asked.by} had the gate {gate} skipped for the next release"
    return Answer(memory, Note("GateSkipped", told, warning=True))


_ANSWERS: Mapping[Action, Callable[[Rollout, Asked], Answer]] = {
    Action.APPROVE: _approve,
    Action.RETRY: _retry,
    Action.ABORT: _abort,
    Action.SKIP_GATE: _skip_gate,
}


def _refused(rollout: Rollout, asked: Asked, why: str) -> Answer:
    told = f"{asked.by} asked for {asked.action!r}: {why}"
    return Answer(rollout.observation.memory, Note(REFUSED, told, warning=True))
