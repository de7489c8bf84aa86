"""What the status keeps from one decision to the next, because the cluster cannot tell it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from saferollout.decide import draining, exposure, gates, ledger, losses, takeovers, zones
from saferollout.decide.decision import Decision, Move
from saferollout.decide.memory import Draining, Failed, Memory
from saferollout.decide.rollout import Rollout
from saferollout.decide.workload import Pod


def remember(rollout: Rollout) -> Memory:
    """Return the memory brought up to date with what is there now."""
    before, left = rollout.observation.memory, exposure.with_ends(_draining(rollout), rollout)
    memory = replace(
        before,
        draining=left,
        exposure=exposure.after(before, left, rollout),
        failed=_failed(rollout),
        lost=losses.after(before, left, rollout),
    )
    if not rollout.in_progress and before.started_at is None:
        return memory
    groups = rollout.observation.target_groups
    known = all(gates.unanswered(group, rollout) is None for group in groups)
    memory = _of_the_target(memory, rollout, known=known)
    return _of_the_steps(memory, rollout, known=known) if rollout.in_progress else memory


def _of_the_target(memory: Memory, rollout: Rollout, *, known: bool) -> Memory:
    """How the new pods are doing; ``known`` is whether ELBv2 has answered about them."""
    target = rollout.target.hash if rollout.target else None
    return replace(
        memory,
        target=target,
        approved=memory.approved if memory.target == target else (),
        failing_since=_failing_since(rollout) if known else None,
        baking_since=_baking_since(rollout, memory.draining) if known else memory.baking_since,
    )


def _of_the_steps(memory: Memory, rollout: Rollout, *, known: bool) -> Memory:
    """What the rollout began with, what it is at, and what somebody has had skipped for its next release."""
    seen = rollout.observation
    before = seen.memory
    used = not rollout.releasing and (before.skipped_at or 0) < (before.step_started_at or 0)
    zone = zones.first_in_order(rollout.old_pods) if seen.policy.zone_by_zone else None
    moved_on = before.zone is not None and zone != before.zone
    return replace(
        memory,
        started_at=before.started_at or seen.now,
        stable=before.stable or (rollout.old_sets[0].hash if rollout.old_sets else None),
        had=_had(rollout) if known and before.had is None else before.had,
        takeovers=takeovers.at_the_start(rollout) if before.started_at is None else before.takeovers,
        serving_since=_serving_since(rollout) if known else None,
        zone=zone,
        zone_since=seen.now if moved_on else before.zone_since,
        skipped=() if used else before.skipped,
        skipped_at=None if used else before.skipped_at,
    )


def _had(rollout: Rollout) -> tuple[tuple[str, int], ...]:
    """What each zone has: its old pods, be one ill just now, and new ones as far as they serve already."""
    pods = (*rollout.old_pods, *rollout.serving_among(rollout.new_pods))
    return tuple(sorted(zones.by_zone(pods).items()))


def changed(decision: Decision) -> Decision:
    """Return the decision with a copy of the ledger it writes, kept until nothing is to give back."""
    change = decision.change
    if change is None or change.move is Move.GIVE_BACK:
        return decision
    text = None if change.ledger is None else ledger.write(change.ledger)
    return replace(decision, memory=replace(decision.memory, ledger=text))


def released(memory: Memory, victims: Iterable[Pod], rollout: Rollout) -> Memory:
    """Return the memory with which a release is made: its moment, and the targets that will have to drain."""
    now = rollout.observation.now
    known = {(each.target_group, each.id, each.port) for each in memory.draining}
    leaving = draining.targets_to_drain(victims, rollout.observation.target_groups, now)
    added = (each for each in leaving if (each.target_group, each.id, each.port) not in known)
    return replace(memory, step_started_at=now, baking_since=None, draining=(*memory.draining, *added))


def survivors(rollout: Rollout) -> list[str]:
    """Return the pods that the last release was to take and that are still here: others went instead."""
    memory = rollout.observation.memory
    if memory.planned_at is None or (memory.step_started_at or 0) < memory.planned_at or not rollout.released:
        return []
    alive = {pod.name for pod in rollout.live}
    return [each.pod for each in memory.retiring if each.pod in alive]


def completed(revision: str, rollout: Rollout) -> Memory:
    """Return what is remembered of a rollout that has ended: its revision, how it went, what it was for."""
    memory = rollout.observation.memory
    failed = memory.failed if rollout.rolling_back else None
    return Memory(
        stable=revision,
        target=revision,
        exposure=memory.exposure,
        lost=memory.lost,
        failed=failed,
        ledger=memory.ledger,
        takeovers=memory.takeovers,
    )


def _all_new_serve(rollout: Rollout) -> bool:
    pods = rollout.placed_pods
    return rollout.unsettled is None and rollout.serving.count(pods) == len(pods)


def _failing_since(rollout: Rollout) -> float | None:
    """Since when new pods are missing or do not serve; not while the user holds the rollout."""
    seen = rollout.observation
    if seen.policy.paused or rollout.users.paused or _all_new_serve(rollout):
        return None
    if seen.memory.target != (rollout.target.hash if rollout.target else None):
        return seen.now
    return seen.memory.failing_since or seen.now


def _baking_since(rollout: Rollout, left: Iterable[Draining]) -> float | None:
    """Since when a step is complete: all its pods serve, and nothing drains any more."""
    if not rollout.new_pods or any(left) or rollout.releasing or not _all_new_serve(rollout):
        return None
    return rollout.observation.memory.baking_since or rollout.observation.now


def _failed(rollout: Rollout) -> Failed | None:
    """The failed revision, for as long as the template is its own or the one that took its place."""
    failed, template = rollout.observation.memory.failed, rollout.deployment.template
    if failed is None or template not in {failed.template, failed.restored}:
        return None
    return replace(failed, rolled_back=failed.rolled_back or template == failed.restored)


def _serving_since(rollout: Rollout) -> float | None:
    """Since when all new pods have been seen to serve; ``None`` if they do not, or if nobody asks for now."""
    seen, pods = rollout.observation, rollout.new_pods
    if seen.policy.stable_for == 0 or seen.policy.paused:
        return None
    if not pods or rollout.serving.count(pods) < len(pods):
        return None
    youngest = max(pod.ready_since or 0.0 for pod in pods)
    return max(seen.memory.serving_since or seen.now, seen.watched_since, youngest)


def _draining(rollout: Rollout) -> tuple[Draining, ...]:
    entries = draining.still_draining(rollout)
    if rollout.releasing or rollout.unsettled is not None:
        return entries
    return draining.without_survivors(entries, rollout)
