"""Stages without an old pod left, and the one that gives everything back."""

from __future__ import annotations

import math
from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import exposure, gates, moves, remember, superseded, victims
from saferollout.decide.decision import Decision, Finished, Move, Note, Wait
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import SOON, UNHURRIED, waiting

_LAST = (gates.targets_known, gates.drained)
"""What is waited for when no old pod is left: the new ones have served before the last old ones went."""

_LAST_IN_PLACE = (gates.targets_known, gates.settled, gates.healthy, gates.stable, gates.drained)


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
    return replace(decision, costs=costs, fences=unfenced, gone=done)


def rest(rollout: Rollout) -> Decision | None:
    """Everything but the strategy goes back to what the user has."""
    walls = superseded.walls_left(rollout)
    if not walls and not moves.differs(moves.rest(rollout, Move.FINISH), rollout):
        return None
    move = Move.ADOPT if rollout.ledger is None else Move.FINISH
    wait = Wait(Reason.FINISHING, "the Deployment is set to rest", SOON)
    decision = waiting(rollout, wait, moves.rest(rollout, move))
    return replace(decision, costs=victims.ranks_to_write(rollout.live), fences=walls)


def await_end(rollout: Rollout) -> Decision | None:
    """The rollout ends when the last targets are gone; in place, when the last new pods serve too."""
    memory = rollout.observation.memory
    if memory.started_at is None:
        return None
    step = gates.Step(rollout, victims.Plan(), {}, memory.draining, planned_at=0)
    if rollout.in_place:
        wait = gates.first_closed(step, _LAST_IN_PLACE)
    else:
        wait = gates.first_closed(step, _LAST) if memory.draining else None
    return None if wait is None else waiting(rollout, wait)


def idle(rollout: Rollout) -> Decision:
    """Nothing is to be done. A rollout that has led here has ended."""
    memory, now = rollout.observation.memory, rollout.observation.now
    revision = rollout.target.hash if rollout.target else ""
    missing = len(rollout.serving.pods) < rollout.deployment.replicas
    wait = Wait(Reason.COMPLETE, f"revision {revision} is complete", UNHURRIED if missing else math.inf)
    decision = waiting(rollout, wait)
    ended = replace(
        remember.completed(revision, memory), reason=wait.reason, waiting_since=decision.memory.waiting_since
    )
    costs = victims.ranks_to_write(rollout.live) if rollout.unsettled is None else ()
    decision = replace(decision, memory=ended, costs=costs)
    if memory.started_at is None:
        return decision
    took = f"revision {revision} is complete after {now - memory.started_at:.0f}s"
    return replace(
        decision,
        finished=Finished(revision, memory.started_at, now, len(rollout.planned_steps)),
        notes=(*decision.notes, Note("RolloutCompleted", took), *exposure.advice(rollout)),
    )
