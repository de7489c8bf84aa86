"""Giving a Deployment back, turn after turn, until nothing of the operator's is left or it is of no use.

The operator does it for a SafeRollout that is being deleted, and ``saferollout uninstall`` where there is no
operator any more. What it needs to know is on the Deployment; AWS is not asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

from saferollout.act.leaving import give_back
from saferollout.api.reasons import Reason
from saferollout.decide.decision import Decision, Picture, Wait
from saferollout.decide.memory import Memory
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy, Tuning
from saferollout.decide.waiting import waiting_with
from saferollout.observe.backoff import Backoff
from saferollout.observe.listwatch import Refused
from saferollout.observe.looking import look
from saferollout.refusals import sentence

PATIENCE = 60.0
"""Seconds for which is tried again what the API server refuses for good (403, 422): a role may be coming."""

LONG_PATIENCE = 600.0
"""Seconds for which anything else is tried again (500, as of an admission webhook that is gone)."""

BREATH = 0.1
"""Seconds between two turns."""

_LOST = (aiohttp.ClientError, OSError)

_WAIT = Wait(Reason.API_REFUSED, "")

_PASSING = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
}

log = logging.getLogger("saferollout")


@dataclass(frozen=True, slots=True)
class Turn:
    """One look, and what came of it: what was decided and done, or that it was refused, and the troubles."""

    decision: Decision
    troubles: tuple[Exception, ...] = ()

    @property
    def done(self) -> bool:
        """Whether nothing of the operator's is left."""
        return self.decision.gone

    @property
    def patience(self) -> float:
        """For how many seconds trouble such as this is worth another try."""
        return PATIENCE if any(map(_is_for_good, self.troubles)) else LONG_PATIENCE


@dataclass(frozen=True, slots=True)
class Subject:
    """The Deployment that is given back, and what is known of its SafeRollout."""

    namespace: str
    deployment: str
    policy: Policy = field(default_factory=Policy)
    memory: Memory = field(default_factory=Memory)

    def begun(self) -> Observation:
        """What is known before anybody looks."""
        return Observation(
            time.time(), self.deployment, self.policy, Tuning(), memory=self.memory, deleting=True
        )


async def leave(api: ApiClient, subject: Subject, told: Callable[[Turn], Awaitable[None]]) -> Turn:
    """Give the Deployment back, and return the last turn: done, or with what kept it from being done.

    ``told`` is awaited after every turn.
    """
    backoff = Backoff(first=0.25, most=5.0)
    troubled_since: float | None = None
    while True:
        turn = await _turn(api, subject)
        await told(turn)
        if turn.done:
            return turn
        if not turn.troubles:
            troubled_since = None
            backoff.succeeded()
        elif troubled_since is None:
            troubled_since = time.monotonic()
        elif time.monotonic() - troubled_since > turn.patience:
            return turn
        subject = replace(subject, memory=turn.decision.memory)
        await asyncio.sleep(backoff.failed() if turn.troubles else BREATH)


async def _turn(api: ApiClient, subject: Subject) -> Turn:
    seen = subject.begun()
    try:
        seen = await look(api, subject.namespace, subject.deployment, seen)
        decision = decide(seen)
        if seen.deployment is None:
            return Turn(decision)
        troubles: tuple[Exception, ...] = await give_back(api, seen.deployment, decision, seen)
    except (Refused, *_LOST) as error:
        decision, troubles = waiting_with(Picture(), seen, _WAIT), (error,)
    except Exception as error:  # a mistake of ours must not keep a namespace either
        log.exception("%s/%s: a turn failed", subject.namespace, subject.deployment)
        decision, troubles = waiting_with(Picture(), seen, _WAIT), (error,)
    if not troubles:
        return Turn(decision)
    wait = replace(_WAIT, message=_sentence(troubles[0]))
    return Turn(waiting_with(decision.picture, seen, wait), troubles)


def _is_for_good(error: Exception) -> bool:
    code = (
        error.code if isinstance(error, Refused) else error.status if isinstance(error, ApiException) else 0
    )
    return 400 <= (code or 0) < 500 and code not in _PASSING


def _sentence(error: Exception) -> str:
    if isinstance(error, ApiException):
        return sentence(error)
    if isinstance(error, Refused):
        return f"the API server refused: {error}"
    what = "the API server cannot be reached" if isinstance(error, _LOST) else "a turn failed"
    return f"{what}: {str(error) or type(error).__name__}"
