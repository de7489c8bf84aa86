"""What to do next: ``decide`` is the whole of the operator's judgement, and ``STAGES`` its outline."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from saferollout.api.reasons import EXPLANATIONS, Phase, Reason
from saferollout.decide import fences, gates, moves, remember, steps, superseded, victims
from saferollout.decide.decision import Change, Decision, Finished, Move, Note, Picture, Wait
from saferollout.decide.observation import Observation, Problem
from saferollout.decide.picture import picture_of
from saferollout.decide.rollout import Rollout

SOON = 0.25
"""Seconds until the next look while controllers are at work; they usually need 50 to 190 ms."""

IDLE_LOOK = 15.0
"""Seconds between looks at a Deployment that is at rest and not all of whose pods serve."""

_LONGEST_RELEASE = 60.0
_WARNED = {Phase.HOLDING, Phase.DEGRADED}
_OVERDUE = {Reason.WAITING_FOR_HEALTH: Reason.HEALTH_TIMEOUT, Reason.WAITING_FOR_DRAIN: Reason.DRAIN_TIMEOUT}


def decide(seen: Observation) -> Decision:
    """Return the next move. The same snapshot always gives the same decision."""
    if seen.deployment is None:
        return _without_deployment(seen)
    rollout = Rollout(seen, seen.deployment)
    rollout = Rollout(replace(seen, memory=remember.remember(rollout)), seen.deployment)
    return next(stage(rollout) for applies, stage in STAGES if applies(rollout))


def _without_deployment(seen: Observation) -> Decision:
    unknown = Wait(Reason.DEPLOYMENT_NOT_FOUND, "the Deployment has not been seen yet")
    wait = next((Wait(each.reason, each.message) for each in seen.problems), unknown)
    gone = seen.deleting and wait.reason is not Reason.CACHE_STALE
    return Decision(wait.reason, wait.message, seen.memory, Picture(), look_again=math.inf, gone=gone)


# --- another SafeRollout has the Deployment


def _rival(rollout: Rollout) -> Problem | None:
    wrapped = Reason.DEPLOYMENT_ALREADY_WRAPPED
    return next((each for each in rollout.observation.problems if each.reason is wrapped), None)


def _is_anothers(rollout: Rollout) -> bool:
    return _rival(rollout) is not None


def _stand_back(rollout: Rollout) -> Decision:
    """Touch nothing: whatever the Deployment does, the other one has let it."""
    rival = _rival(rollout) or Problem(Reason.DEPLOYMENT_ALREADY_WRAPPED, "")
    return replace(_wait(rollout, Wait(rival.reason, rival.message)), gone=rollout.observation.deleting)


# --- the SafeRollout is being deleted


def _is_leaving(rollout: Rollout) -> bool:
    return rollout.observation.deleting


def _leave(rollout: Rollout) -> Decision:
    """Give the Deployment and its pods back as the user had them, whatever else is wrong."""
    problems = {problem.reason for problem in rollout.observation.problems}
    costs = victims.costs_to_give_back(rollout.live)
    unfenced = (*superseded.walls_left(rollout), *superseded.notes_left(rollout))
    change = moves.give_back(rollout)
    done = change is None and not costs and not unfenced and Reason.CACHE_STALE not in problems
    decision = _wait(rollout, Wait(Reason.FINISHING, "the Deployment is given back", SOON))
    return replace(decision, change=change, costs=costs, fences=unfenced, gone=done)


# --- the Deployment moves, or may move, without a gate


def _is_loose(rollout: Rollout) -> bool:
    if not rollout.in_progress or (rollout.ledger is None and _blocker(rollout) is not None):
        return False
    if rollout.releasing:
        return _release_is_lost(rollout)
    return not rollout.deployment.paused or _lacks_wall(rollout)


def _pause(rollout: Rollout) -> Decision:
    """Hold it at once: this comes before anything that may be wrong with the SafeRollout."""
    message = "the Deployment is paused at the sizes it has"
    decision = _wait(rollout, Wait(Reason.PAUSING, message, SOON), moves.pause(rollout))
    if rollout.releasing:
        return replace(decision, memory=replace(decision.memory, step_started_at=None))
    return decision


def _lacks_wall(rollout: Rollout) -> bool:
    """Whether nothing but its new pods' youth keeps a paused Deployment from retiring its old pods."""
    ours = rollout.ledger is not None and not rollout.users.paused
    return ours and rollout.last_batch and rollout.deployment.min_ready_seconds < fences.WALL


def _release_is_lost(rollout: Rollout) -> bool:
    """Whether a release that is on record should be taken back: it takes too long, or a gate has closed."""
    started = rollout.observation.memory.step_started_at
    patience = min(_LONGEST_RELEASE, max(1.0, rollout.deployment.min_ready_seconds / 2))
    if rollout.deployment.paused:
        return rollout.serving.count(rollout.new_pods) < rollout.new
    return started is None or rollout.observation.now - started > patience


# --- something is wrong, or somebody else holds it


def _blocker(rollout: Rollout) -> Wait | None:
    seen = rollout.observation
    for problem in seen.problems:
        return Wait(problem.reason, problem.message)
    if rollout.users.strategy.type != "RollingUpdate":
        message = (
            f"strategy {rollout.users.strategy.type} cannot be stepped: "
            f"set spec.strategy.type of deployment/{rollout.deployment.name} to RollingUpdate"
        )
        return Wait(Reason.STRATEGY_UNSUPPORTED, message)
    if not seen.target_groups:
        return Wait(Reason.NO_TARGET_GROUP, "no target group is named: nothing can say that a pod serves")
    return next(
        (gates.unanswered(each, rollout) for each in seen.target_groups if each.targets is None), None
    )


def _is_blocked(rollout: Rollout) -> bool:
    return _blocker(rollout) is not None


def _stay_blocked(rollout: Rollout) -> Decision:
    wait = _blocker(rollout) or Wait(Reason.CACHE_STALE, "")
    moving = rollout.in_progress and not rollout.deployment.paused
    return _wait(rollout, replace(wait, look_again=SOON if moving else None))


def _is_held_by_user(rollout: Rollout) -> bool:
    return rollout.users.paused


def _leave_held(rollout: Rollout) -> Decision:
    message = f"somebody paused the Deployment: kubectl rollout resume deployment/{rollout.deployment.name}"
    return _wait(rollout, Wait(Reason.DEPLOYMENT_PAUSED, message, math.inf))


# --- a rollout is in progress


def _is_releasing(rollout: Rollout) -> bool:
    return rollout.in_progress and rollout.releasing


def _await_release(rollout: Rollout) -> Decision:
    return _wait(rollout, Wait(Reason.RELEASING, "the Deployment controller makes the step", SOON))


def _is_in_progress(rollout: Rollout) -> bool:
    return rollout.in_progress


def _step(rollout: Rollout) -> Decision:
    """Between two releases: plan the next one, ask the gates, and release or wait."""
    memory, now = rollout.observation.memory, rollout.observation.now
    floors = dict(memory.floors or ())
    plan = victims.plan(rollout, floors)
    names = tuple(pod.name for pod in plan.victims)
    settled = rollout.unsettled is None
    costs = victims.costs_to_write(plan, rollout.live) if settled else ()
    unchosen = remember.survivors(rollout) if settled else []
    walls = superseded.walls_to_put(rollout) if settled else ()
    fresh = names == memory.retiring and not costs and not walls and not unchosen
    kept = memory.planned_at if fresh else None
    planned_at = now if kept is None or kept <= (memory.step_started_at or 0) else kept
    if settled:
        memory = replace(memory, retiring=names, planned_at=planned_at)
    rollout = Rollout(replace(rollout.observation, memory=memory), rollout.deployment)
    if rollout.observation.policy.paused:
        wait: Wait | None = Wait(Reason.PAUSED_BY_SPEC, "held by spec.paused", math.inf)
    else:
        wait = gates.first_closed(gates.Step(rollout, plan, floors, memory.draining, planned_at))
    decision = _release(rollout, plan) if wait is None else _wait(rollout, wait)
    missed = [Note("UnchosenPodRetired", _unchosen(unchosen), warning=True)] if unchosen else []
    return replace(decision, costs=costs, fences=walls, notes=(*missed, *decision.notes))


def _release(rollout: Rollout, plan: victims.Plan) -> Decision:
    change = moves.release(rollout)
    size, replicas = rollout.step_size, rollout.deployment.replicas
    batch = steps.next_batch(size, rollout.new, replicas)
    going = gates.shortened([pod.name for pod in plan.victims]) or "no pod"
    message = f"retires {going}, adds {batch} new"
    decision = _wait(rollout, Wait(Reason.RELEASING, message, SOON), change)
    memory = remember.released(decision.memory, plan.victims, rollout)
    index, total = steps.index(size, rollout.new + batch, replicas), steps.total(size, replicas)
    note = Note("StepReleased", f"step {index}/{total}: {message}")
    return replace(decision, memory=memory, notes=(*decision.notes, note))


def _unchosen(names: list[str]) -> str:
    return f"others went instead of {gates.shortened(names)}; the next plan starts from what is there"


# --- no old pods are left


def _is_unrested(rollout: Rollout) -> bool:
    return moves.differs(moves.rest(rollout, Move.FINISH), rollout) or bool(superseded.walls_left(rollout))


def _rest(rollout: Rollout) -> Decision:
    """Everything but the strategy goes back to what the user has."""
    move = Move.ADOPT if rollout.ledger is None else Move.FINISH
    wait = Wait(Reason.FINISHING, "the Deployment is set to rest", SOON)
    decision = _wait(rollout, wait, moves.rest(rollout, move))
    return replace(
        decision, costs=victims.costs_to_give_back(rollout.live), fences=superseded.walls_left(rollout)
    )


def _is_draining(rollout: Rollout) -> bool:
    return rollout.observation.memory.started_at is not None and bool(rollout.observation.memory.draining)


def _await_last_drain(rollout: Rollout) -> Decision:
    step = gates.Step(rollout, victims.Plan((), ()), {}, rollout.observation.memory.draining, 0)
    return _wait(rollout, gates.drained(step) or Wait(Reason.WAITING_FOR_DRAIN, ""))


def _idle(rollout: Rollout) -> Decision:
    memory, now = rollout.observation.memory, rollout.observation.now
    revision = rollout.target.hash if rollout.target else ""
    missing = len(rollout.serving.pods) < rollout.deployment.replicas
    wait = Wait(Reason.COMPLETE, f"revision {revision} is complete", IDLE_LOOK if missing else math.inf)
    finished = None
    notes: tuple[Note, ...] = ()
    if memory.started_at is not None:
        total = steps.total(rollout.step_size, rollout.deployment.replicas)
        finished = Finished(revision, memory.started_at, now, total)
        notes = (
            Note("RolloutCompleted", f"revision {revision} is complete after {now - memory.started_at:.0f}s"),
        )
    decision = _wait(rollout, wait)
    ended = replace(
        remember.completed(revision), reason=wait.reason, waiting_since=decision.memory.waiting_since
    )
    return replace(decision, memory=ended, finished=finished, notes=(*decision.notes, *notes))


def _wait(rollout: Rollout, wait: Wait, change: Change | None = None) -> Decision:
    """Return the decision to wait (and perhaps to make ``change``), with since when and whether too long."""
    seen = rollout.observation
    before = seen.memory
    family = {wait.reason, _OVERDUE.get(wait.reason, wait.reason)}
    since = before.waiting_since if before.reason in family and before.waiting_since is not None else seen.now
    reason = _OVERDUE[wait.reason] if _is_overdue(rollout, wait.reason, since) else wait.reason
    memory = replace(before, reason=reason, waiting_since=since)
    notes = []
    if reason is not before.reason and EXPLANATIONS[reason].phase in _WARNED:
        notes.append(Note(reason.value, wait.message, warning=True))
    return Decision(
        reason,
        wait.message,
        memory,
        picture_of(rollout),
        change=change,
        notes=tuple(notes),
        look_again=wait.look_again,
    )


def _is_overdue(rollout: Rollout, reason: Reason, since: float) -> bool:
    seen = rollout.observation
    if reason is Reason.WAITING_FOR_HEALTH:
        return seen.now - since > seen.policy.health_timeout
    if reason is Reason.WAITING_FOR_DRAIN:
        oldest = min((each.since for each in seen.memory.draining), default=seen.now)
        return seen.now - oldest > seen.policy.drain_timeout
    return False


Stage = tuple[Callable[[Rollout], bool], Callable[[Rollout], Decision]]

STAGES: tuple[Stage, ...] = (
    (_is_anothers, _stand_back),
    (_is_leaving, _leave),
    (_is_loose, _pause),
    (_is_blocked, _stay_blocked),
    (_is_held_by_user, _leave_held),
    (_is_releasing, _await_release),
    (_is_in_progress, _step),
    (_is_unrested, _rest),
    (_is_draining, _await_last_drain),
    (lambda _: True, _idle),
)
"""The first stage that applies decides. Holding a loose Deployment comes before every complaint about it."""
