"""Fields of the Deployment that somebody else writes too: set back a few times, then left, never fought over.

A field was taken over when it is in the ledger and its value is no longer the operator's. It counts when the
operator writes it again, so one foreign write is one takeover, however often it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from saferollout.decide.decision import Change, Decision, Note
from saferollout.decide.ledger import SETTINGS, live_settings
from saferollout.decide.memory import Memory, Takeover
from saferollout.decide.rollout import Rollout

PATIENCE = 3
"""Takeovers of a field after which it belongs to whoever else writes it."""

FORGOTTEN_AFTER = 3600.0
"""Seconds without a takeover after which a rollout that begins takes the field back."""

API_NAMES = {
    "paused": "paused",
    "strategy": "strategy",
    "min_ready_seconds": "minReadySeconds",
    "progress_deadline_seconds": "progressDeadlineSeconds",
}
"""What the fields of `Settings` are called in a Deployment's ``spec``."""


def lasting(rollout: Rollout) -> frozenset[str]:
    """Return the fields of `Settings` that somebody else has written too often for it to be an accident."""
    told = {each.field for each in rollout.observation.memory.takeovers if each.times >= PATIENCE}
    return frozenset(name for name in SETTINGS if API_NAMES[name] in told)


def pause_is_left(rollout: Rollout) -> bool:
    """Whether the wall alone holds the Deployment: whoever un-pauses it lets the wall and its surge be."""
    others = lasting(rollout)
    alone = "strategy" not in others and not rollout.in_place and _wall_lasts(rollout)
    return "paused" in others and alone


def wall_is_kept(rollout: Rollout) -> bool:
    """Whether a wall is to stand in mid-rollout.

    Before the target is complete the pause alone holds too. Then ``minReadySeconds`` is left to somebody who
    keeps writing it; and a manifest that has ``progressDeadlineSeconds`` in it is to be accepted, with the
    fix that it may bring: the API server wants it to be greater than ``minReadySeconds``.
    """
    complete = rollout.last_batch or (
        rollout.new == 0 and (rollout.surplus or rollout.first_step) >= rollout.deployment.replicas
    )
    return complete or rollout.in_place or _wall_lasts(rollout)


def _wall_lasts(rollout: Rollout) -> bool:
    return not (rollout.deployment.deadline_declared or "min_ready_seconds" in lasting(rollout))


def at_the_start(rollout: Rollout) -> tuple[Takeover, ...]:
    """Return the takeovers that a rollout begins with: those of the last hour."""
    now = rollout.observation.now
    return tuple(
        each for each in rollout.observation.memory.takeovers if now - each.latest <= FORGOTTEN_AFTER
    )


def forget(memory: Memory) -> Memory:
    """Return the memory without any takeover: everything is to be tried again."""
    return replace(memory, takeovers=())


def counted(decision: Decision, rollout: Rollout) -> Decision:
    """Return the decision with those takeovers counted, and told of, that it takes back."""
    if decision.change is None:
        return decision
    names = tuple(_taken_back(decision.change, rollout))
    if not names:
        return decision
    before = {each.field: each for each in decision.memory.takeovers}
    now, writers = rollout.observation.now, dict(rollout.deployment.writers)
    fresh = {
        name: _again(before.get(name) or Takeover(name, "", 0, now, now), manager, now)
        for name, manager in ((API_NAMES[each], writers.get(each) or writers.get("", "")) for each in names)
    }
    kept = tuple(sorted({**before, **fresh}.values(), key=lambda each: each.field))
    notes = tuple(_told(each) for each in fresh.values() if each.times <= PATIENCE)
    memory = replace(decision.memory, takeovers=kept)
    picture = replace(decision.picture, takeovers=kept)
    return replace(decision, memory=memory, picture=picture, notes=(*decision.notes, *notes))


def _taken_back(change: Change, rollout: Rollout) -> Iterator[str]:
    live, ours = live_settings(rollout.deployment), rollout.ledger.ours if rollout.ledger else {}
    for name, value in ours.items():
        is_live = getattr(live, name)
        if is_live != value and getattr(change.settings, name) != is_live:
            yield name


def _again(takeover: Takeover, manager: str, now: float) -> Takeover:
    return replace(takeover, manager=manager or takeover.manager, times=takeover.times + 1, latest=now)


def _told(takeover: Takeover) -> Note:
    who = takeover.manager or "somebody"
    text = f"{who} wrote spec.{takeover.field} of the Deployment; it is set back ({takeover.times} times)"
    return Note("FieldTakenOver", text, warning=True)
