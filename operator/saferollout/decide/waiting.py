"""Decisions that wait: with the reason, since when it holds, and whether that is too long."""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.reasons import EXPLANATIONS, Phase, Reason
from saferollout.decide.decision import Change, Decision, Note, Picture, Wait
from saferollout.decide.observation import Observation
from saferollout.decide.picture import picture_of
from saferollout.decide.rollout import Rollout

SOON = 0.25
"""Seconds until the next look while controllers are at work; they usually need 50 to 190 ms."""

UNHURRIED = 15.0
"""Seconds between looks when nothing is awaited, but not all is as it should be for ever."""

_WARNED = {Phase.HOLDING, Phase.DEGRADED}
_OVERDUE = {
    Reason.WAITING_FOR_PODS: Reason.HEALTH_TIMEOUT,
    Reason.WAITING_FOR_HEALTH: Reason.HEALTH_TIMEOUT,
    Reason.WAITING_FOR_DRAIN: Reason.DRAIN_TIMEOUT,
}


def waiting(rollout: Rollout, wait: Wait, change: Change | None = None) -> Decision:
    """Return the decision to wait, and perhaps to make ``change``, with the rollout as it stands."""
    return replace(waiting_with(picture_of(rollout), rollout.observation, wait), change=change)


def waiting_with(picture: Picture, seen: Observation, wait: Wait) -> Decision:
    """Return the decision to wait. A wait and its time-out are one wait: its ``since`` stays.

    Entering a phase in which somebody should have a look is worth a warning.
    """
    before = seen.memory
    family = {wait.reason, _OVERDUE.get(wait.reason, wait.reason)}
    since = before.waiting_since if before.reason in family and before.waiting_since is not None else seen.now
    reason = _OVERDUE[wait.reason] if _is_overdue(seen, wait.reason) else wait.reason
    warn = reason is not before.reason and EXPLANATIONS[reason].phase in _WARNED
    return Decision(
        reason,
        wait.message,
        memory=replace(before, reason=reason, waiting_since=since),
        picture=picture,
        notes=(Note(reason.value, wait.message, warning=True),) if warn else (),
        look_again=wait.look_again,
    )


def awaited(reason: Reason | None) -> Reason | None:
    """Return what is waited for under this reason, which may be that it takes too long."""
    if reason is Reason.HEALTH_TIMEOUT:
        return Reason.WAITING_FOR_HEALTH
    return Reason.WAITING_FOR_DRAIN if reason is Reason.DRAIN_TIMEOUT else reason


def _is_overdue(seen: Observation, reason: Reason) -> bool:
    if reason is Reason.WAITING_FOR_DRAIN:
        oldest = min((each.since for each in seen.memory.draining), default=seen.now)
        return seen.now - oldest > seen.policy.drain_timeout
    since = seen.memory.failing_since
    return reason in _OVERDUE and since is not None and seen.now - since > seen.policy.health_timeout
