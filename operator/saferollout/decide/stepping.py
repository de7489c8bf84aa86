"""Stages of a rollout that is in progress: a release happens, or the next one is planned and gated."""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import gates, moves, remember, steps, superseded, victims
from saferollout.decide.decision import Decision, Note, Wait
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import SOON, UNHURRIED, waiting


def await_release(rollout: Rollout) -> Decision | None:
    """A release is on record and has not happened yet."""
    if not (rollout.in_progress and rollout.releasing):
        return None
    return waiting(rollout, Wait(Reason.RELEASING, "the Deployment controller makes the step", SOON))


def step(rollout: Rollout) -> Decision | None:
    """Between two releases: plan the next one, ask the gates, and release or wait."""
    if not rollout.in_progress:
        return None
    memory, now = rollout.observation.memory, rollout.observation.now
    floors = dict(memory.floors or ())
    plan = victims.plan(rollout, floors)
    names = tuple(pod.name for pod in plan.victims)
    settled = rollout.unsettled is None
    costs = victims.costs_to_write(plan, rollout.live) if settled else ()
    unchosen = remember.survivors(rollout) if settled else []
    walls = superseded.walls_to_write(rollout) if settled else ()
    fresh = names == memory.retiring and not costs and not walls and not unchosen
    kept = memory.planned_at if fresh else None
    planned_at = now if kept is None or kept <= (memory.step_started_at or 0) else kept
    if settled:
        memory = replace(memory, retiring=names, planned_at=planned_at)
    rollout = Rollout(replace(rollout.observation, memory=memory), rollout.deployment)
    if rollout.observation.policy.paused:
        wait: Wait | None = Wait(Reason.PAUSED_BY_SPEC, "held by spec.paused", UNHURRIED)
    else:
        wait = gates.first_closed(gates.Step(rollout, plan, floors, memory.draining, planned_at))
    decision = _release(rollout, plan) if wait is None else waiting(rollout, wait)
    missed = [Note("UnchosenPodRetired", _unchosen(unchosen), warning=True)] if unchosen else []
    return replace(decision, costs=costs, fences=walls, notes=(*missed, *decision.notes))


def _release(rollout: Rollout, plan: victims.Plan) -> Decision:
    change = moves.release(rollout)
    size, replicas = rollout.step_size, rollout.deployment.replicas
    batch = rollout.coming
    going = gates.shortened([pod.name for pod in plan.victims])
    parts = (f"retires {going}" if going else "", f"adds {batch} new" if batch else "")
    message = ", ".join(filter(None, parts)) or "no pod is to be replaced"
    decision = waiting(rollout, Wait(Reason.RELEASING, message, SOON), change)
    memory = remember.released(decision.memory, plan.victims, rollout)
    index, total = steps.index(size, rollout.new + batch, replicas), steps.total(size, replicas)
    note = Note("StepReleased", f"step {index}/{total}: {message}")
    return replace(decision, memory=memory, notes=(*decision.notes, note))


def _unchosen(names: list[str]) -> str:
    return f"others went instead of {gates.shortened(names)}; the next plan starts from what is there"
