"""Stages without an old pod left, and the one that gives everything back."""

from __future__ import annotations

import math
from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import exposure, failing, gates, losses, moves, remember, superseded, victims
from saferollout.decide.decision import Decision, Finished, Move, Note, Outcome, Wait
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import SOON, UNHURRIED, waiting

_LAST = (
    gates.targets_known,
    gates.alarms_quiet,
    gates.settled,
    gates.healthy,
    gates.stable,
    gates.drained,
    gates.baked,
)
"""What is waited for when no old pod is left. In place, the last new pods have yet to serve."""


def leave(rollout: Rollout) -> Decision | None:
    """The SafeRollout is being deleted: everything goes back to its user, whatever else is wrong."""
    if not rollout.observation.deleting:
        return None
    blind = any(problem.reason is Reason.CACHE_STALE for problem in rollout.observation.problems)
    costs = victims.costs_to_give_back(rollout.live)
    unfenced = (*superseded.walls_left(rollout), *superseded.notes_left(rollout))
    change = moves.give_back(rollout)
    done = not (change or costs or unfenced or blind)
    decision = waiting(rollout, Wait(Reason.FINISHING, "the Deployment is given back", SOON), change)
    notes = decision.notes
    if change is not None and change.settings.paused and not rollout.users.paused:
        notes = (*notes, _kept_paused(rollout))
    return replace(decision, costs=costs, fences=unfenced, notes=notes, gone=done)


def _kept_paused(rollout: Rollout) -> Note:
    """Tell who has to go on; a pause protects no old pod from a complete target (``IsSaturated``)."""
    name, replicas = rollout.deployment.name, rollout.deployment.replicas
    text = f"deployment/{name} stays paused with {rollout.new} new pods of {replicas}"
    if rollout.last_batch:
        text += f", which does not hold the {rollout.old} old ones: they go when the new ones are available"
    return Note("KeptPaused", f"{text}: kubectl rollout resume deployment/{name}", warning=rollout.last_batch)


def rest(rollout: Rollout) -> Decision | None:
    """Everything goes back to what the user has, but for the strategy where no guard is in force."""
    walls = superseded.walls_left(rollout)
    if not walls and not moves.differs(moves.rest(rollout, Move.FINISH), rollout):
        return None
    move = Move.FINISH if rollout.adopted else Move.ADOPT
    wait = Wait(Reason.FINISHING, "the Deployment is set to rest", SOON)
    decision = waiting(rollout, wait, moves.rest(rollout, move))
    return replace(decision, costs=victims.ranks_to_write(rollout.live), fences=walls)


def await_end(rollout: Rollout) -> Decision | None:
    """The rollout ends when all pods serve, the last targets are gone, and the last step has had its time."""
    memory = rollout.observation.memory
    if memory.started_at is None:
        return None
    step = gates.Step(rollout, victims.Plan(), memory.draining, planned_at=0)
    wait = gates.first_closed(step, _LAST)
    return None if wait is None else failing.instead_of(waiting(rollout, wait), rollout)


def idle(rollout: Rollout) -> Decision:
    """Nothing is to be done. A rollout that has led here has ended."""
    memory, now = rollout.observation.memory, rollout.observation.now
    revision = rollout.target.hash if rollout.target else ""
    missing = len(rollout.serving.pods) < rollout.deployment.replicas
    reason, told = Reason.COMPLETE, f"revision {revision} is complete"
    if (failed := memory.failed) is not None and rollout.rolling_back:
        reason, told = Reason.ROLLED_BACK, f"{told} again; {failed.revision} has failed: {failed.cause}"
    decision = waiting(rollout, Wait(reason, told, UNHURRIED if missing else math.inf))
    ended = replace(
        remember.completed(revision, rollout), reason=reason, waiting_since=decision.memory.waiting_since
    )
    costs = victims.ranks_to_write(rollout.live) if rollout.unsettled is None else ()
    decision = replace(decision, memory=ended, costs=costs)
    if memory.started_at is None:
        return decision
    finished = Finished(revision, memory.started_at, now, len(rollout.planned_steps))
    notes = [*decision.notes, *exposure.advice(rollout)]
    if failed is not None and reason is Reason.ROLLED_BACK:
        finished = replace(finished, revision=failed.revision, outcome=Outcome.ROLLED_BACK)
    else:
        lost = losses.summary(memory.lost)
        notes.insert(0, Note("RolloutCompleted", f"{told} after {now - memory.started_at:.0f}s{lost}"))
    return replace(decision, finished=finished, notes=tuple(notes))
