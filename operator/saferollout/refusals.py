"""Writes that the API server refuses: told in the status, and not asked for again at once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from http import HTTPStatus

from kubernetes.aio.client.exceptions import ApiException

from saferollout.api.plain import message
from saferollout.api.reasons import Reason
from saferollout.decide.decision import Decision, Note
from saferollout.decide.observation import Observation
from saferollout.observe.backoff import Backoff


@dataclass(frozen=True, slots=True)
class _Refusal:
    """``until`` is a time of the monotonic clock."""

    decision: Decision
    message: str
    until: float


class Refusals:
    """What was refused to one SafeRollout the last time, for as long as it wants the same."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._latest: _Refusal | None = None

    def instead_of(self, decision: Decision, seen: Observation) -> Decision:
        """Return the decision, or to wait, where the same has just been refused."""
        latest = self._latest
        if latest is None or _writes(decision) != _writes(latest.decision):
            self._latest = None
            self._backoff.succeeded()
            return decision
        wait = latest.until - time.monotonic()
        if wait <= 0:
            return decision
        idle = replace(
            decision, change=None, costs=(), fences=(), notes=(), finished=None, answered=None, gone=False
        )
        return replace(_told(replace(idle, memory=seen.memory), latest, seen), look_again=wait)

    def told_of(self, decision: Decision, seen: Observation) -> Decision:
        """Return the decision as the status is to tell it: that something is tried again is no news."""
        return decision if self._latest is None else _told(decision, self._latest, seen)

    def take(self, error: ApiException, decision: Decision, seen: Observation) -> Decision:
        """Take note that what is left of a decision was refused; return what is to be told and recorded.

        Of a conflict there is nothing to tell: the next decision is made at once, from what is there now.
        """
        left = replace(_undone(error, decision, seen), notes=())
        if error.status == HTTPStatus.CONFLICT or not any(_writes(decision)):
            return left
        first = self._latest is None
        self._latest = _Refusal(decision, sentence(error), time.monotonic() + self._backoff.failed())
        note = Note(Reason.API_REFUSED.value, self._latest.message, warning=True)
        return replace(_told(left, self._latest, seen), notes=(note,) if first else ())


def sentence(error: ApiException) -> str:
    """Return what the API server said: the message of its ``Status`` object, if it sent one."""
    try:
        said = str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        said = str(error.reason)
    return message(f"the API server refused: {error.status} {said}")


def _writes(decision: Decision) -> tuple[object, ...]:
    return decision.change and decision.change.move, decision.costs, decision.fences, decision.gone


def _told(decision: Decision, refusal: _Refusal, seen: Observation) -> Decision:
    reason = Reason.API_REFUSED
    since = seen.memory.waiting_since if seen.memory.reason is reason else seen.now
    memory = replace(decision.memory, reason=reason, waiting_since=since)
    return replace(decision, reason=reason, message=refusal.message, memory=memory)


def _undone(error: ApiException, decision: Decision, seen: Observation) -> Decision:
    """Forget that a step has begun, if it surely has not: pods would be missed that nobody sent away.

    What was refused outright has not happened; after an error of the server's own it may have.
    """
    if decision.change is None or (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return decision
    reason, since = decision.memory.reason, decision.memory.waiting_since
    return replace(decision, memory=replace(seen.memory, reason=reason, waiting_since=since))
