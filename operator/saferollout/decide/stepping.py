"""Stages of a rollout that is in progress: a release happens, or the next one is planned and gated."""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide import failing, gates, losses, moves, remember, steps, superseded, victims
from saferollout.decide.decision import Decision, Note, Wait
from saferollout.decide.rollout import Rollout
from saferollout.decide.waiting import SOON, UNHURRIED, waiting
from saferollout.decide.wording import shortened


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
    plan = victims.plan(rollout, rollout.floors)
    settled = rollout.unsettled is None
    costs = victims.costs_to_write(plan, rollout) if settled else ()
    survivors = remember.survivors(rollout) if settled else []
    unchosen = survivors[losses.in_place_of_chosen(rollout) :]
    walls = superseded.walls_to_write(rollout) if settled else ()
    reordered = victims.changes_the_order(costs, rollout.live)
    same = {each.pod for each in memory.retiring} == {pod.name for pod in plan.victims}
    fresh = same and not reordered and not walls and not survivors
    kept = memory.planned_at if fresh else None
    planned_at = now if kept is None or kept <= (memory.step_started_at or 0) else kept
    if settled:
        memory = replace(memory, retiring=plan.chosen, planned_at=planned_at)
    rollout = Rollout(replace(rollout.observation, memory=memory), rollout.deployment)
    considered = gates.Step(rollout, plan, memory.draining, planned_at)
    policy = rollout.observation.policy
    if policy.paused:
        wait: Wait | None = Wait(Reason.PAUSED_BY_SPEC, "held by spec.paused", UNHURRIED)
    else:
        wait = gates.first_closed(considered)
    decision = _release(rollout, plan) if wait is None else waiting(rollout, wait)
    if (instead := failing.instead_of(decision, rollout)) is not decision:
        return instead
    if wait is None and (broken := gates.floors_broken(considered)):
        text = f"{shortened(broken)}: nothing else was possible for {policy.floor_patience:g}s"
        decision = replace(decision, notes=(Note("ZoneFloorBroken", text, warning=True), *decision.notes))
    missed = [Note("UnchosenPodRetired", _unchosen(unchosen), warning=True)] if unchosen else []
    notes = (*missed, *decision.notes)
    return replace(decision, costs=costs, fences=walls, notes=notes, unchosen=len(unchosen))


def _release(rollout: Rollout, plan: victims.Plan) -> Decision:
    change = moves.release(rollout)
    batch = rollout.coming
    going = shortened([pod.name for pod in plan.victims])
    parts = (f"retires {going}" if going else "", f"adds {batch} new" if batch else "")
    message = ", ".join(filter(None, parts)) or "no pod is to be replaced"
    decision = waiting(rollout, Wait(Reason.RELEASING, message, SOON), change)
    memory = remember.released(decision.memory, plan.victims, rollout)
    index, total = steps.index(rollout.planned_steps, rollout.new + batch), len(rollout.planned_steps)
    when = "step" if batch else "after step"
    note = Note("StepReleased", f"{when} {index}/{total}: {message}")
    return replace(decision, memory=memory, notes=(*decision.notes, note))


def _unchosen(names: list[str]) -> str:
    return f"others went instead of {shortened(names)}; the next plan starts from what is there"
