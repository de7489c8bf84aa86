"""What becomes of a revision that fails: what was complete before it takes its place again, once.

The failed revision stays on record for as long as the Deployment has its template, or the one that took its
place: applied again as it was, it is held and not rolled back a second time, so that nobody is fought.
"""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import alarms, fences, moves
from saferollout.decide.decision import Decision, Fence, Note, Wait
from saferollout.decide.memory import Failed, Memory
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import SOON, waiting
from saferollout.decide.workload import ReplicaSet

FAILURES = frozenset({Reason.HEALTH_TIMEOUT, Reason.ALARM_FIRING})
"""Reasons that say of a revision that it has failed."""


def roll_back(rollout: Rollout) -> Decision | None:
    """A failed revision is still on the Deployment: the template before it is put back."""
    failed = rollout.observation.memory.failed
    if failed is None or failed.rolled_back or rollout.deployment.template != failed.template:
        return None
    before = predecessor(rollout)
    if before is None:
        return None
    wait = Wait(Reason.ROLLING_BACK, f"revision {before.hash} is put back: {failed.cause}", SOON)
    if _counts_as_complete(before, rollout):
        return replace(waiting(rollout, wait), fences=(Fence(before.name, fences.WALL),))
    return waiting(rollout, wait, moves.put_back(rollout, before))


def hold_failed(rollout: Rollout) -> Decision | None:
    """A failed revision that had been rolled back is back on the Deployment."""
    failed = rollout.observation.memory.failed
    if failed is None or not rollout.in_progress or rollout.deployment.template != failed.template:
        return None
    message = f"revision {failed.revision} has failed before: {failed.cause}"
    return waiting(rollout, Wait(Reason.REVISION_FAILED, message))


def instead_of(decision: Decision, rollout: Rollout) -> Decision:
    """Return the decision, or to roll back where it tells of a failure and that is what is wanted."""
    if decision.reason not in FAILURES or not rollout.observation.policy.rolls_back:
        return decision
    if decision.reason is Reason.ALARM_FIRING and not alarms.blame_the_rollout(rollout.observation):
        return decision
    memory = recorded(rollout, decision.message)
    if memory is None:
        return decision
    rolled = roll_back(Rollout(replace(rollout.observation, memory=memory), rollout.deployment))
    if rolled is None:
        return decision
    return replace(rolled, notes=(Note("RolloutFailed", decision.message, warning=True), *rolled.notes))


def recorded(rollout: Rollout, cause: str) -> Memory | None:
    """Return the memory with the target on record as failed, ``None`` if there is nothing to go back to."""
    before = predecessor(rollout)
    if before is None or rollout.rolling_back:
        return None
    failed = Failed(
        revision=rollout.target.hash if rollout.target else "",
        template=rollout.deployment.template,
        restored=before.template,
        cause=cause,
        at=rollout.observation.now,
    )
    return replace(rollout.observation.memory, failed=failed)


def predecessor(rollout: Rollout) -> ReplicaSet | None:
    """Return the ReplicaSet of the last revision that was complete, ``None`` if it is not there any more."""
    stable = rollout.observation.memory.stable
    return next(
        (
            each
            for each in rollout.observation.replica_sets
            if each.hash == stable and each.template != rollout.deployment.template
        ),
        None,
    )


def _counts_as_complete(before: ReplicaSet, rollout: Rollout) -> bool:
    """Whether the controller would retire all others at once, without a gate (kubernetes ``IsSaturated``)."""
    return 0 < rollout.deployment.replicas <= min(before.replicas, before.available)
