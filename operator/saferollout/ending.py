"""The end of a SafeRollout: its Deployment is given back, and people are told how that goes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

from saferollout import metrics
from saferollout.act.saferollouts import write_status
from saferollout.api.parsing import InvalidSpecError, parse_spec
from saferollout.api.recall import memory_of, read_status
from saferollout.api.report import report
from saferollout.decide.decision import Note
from saferollout.decide.policy import Policy
from saferollout.leaving import Subject, Turn, leave
from saferollout.observe.saferollouts import SafeRollout, SafeRollouts

log = logging.getLogger("saferollout")


async def end(
    api: ApiClient, rollouts: SafeRollouts, found: SafeRollout, note: Callable[[Note], None]
) -> None:
    """Return when a SafeRollout that is being deleted may go.

    That is when nothing of the operator's is left on the Deployment, or when the API server has refused for
    long to have it taken off: a finalizer must not keep a namespace for ever. ``note`` records an Event.
    """
    holder = rollouts.holder(found.namespace, found.deployment or "")
    if holder is not None and holder.uid != found.uid:
        return  # The Deployment is another's; whatever is on it, too.
    last = await leave(api, subject_of(found), _Told(api, rollouts, found, note))
    if not last.done:
        command = f"saferollout uninstall --namespace {found.namespace}"
        text = f"deployment/{found.deployment} is not given back: {last.decision.message}; do {command}"
        log.error("%s/%s: %s", found.namespace, found.name, text)
        note(Note("LeftBehind", text, warning=True))


def subject_of(found: SafeRollout) -> Subject:
    """Return what is to be given back. Of a spec that cannot be followed only the name is taken."""
    try:
        policy = parse_spec(found.spec).policy
    except InvalidSpecError:
        policy = Policy()
    memory = memory_of(read_status(found.status))
    return Subject(found.namespace, found.deployment or "", policy, memory)


class _Told:
    """Writes the status and records Events. Neither is worth a delay: the SafeRollout is about to go."""

    def __init__(
        self, api: ApiClient, rollouts: SafeRollouts, found: SafeRollout, note: Callable[[Note], None]
    ) -> None:
        self._api = api
        self._rollouts = rollouts
        self._found = found
        self._note = note
        self._status = read_status(found.status)
        self._version = found.version

    async def __call__(self, turn: Turn) -> None:
        decision, found = turn.decision, self._found
        metrics.DECISIONS.labels(decision.reason).inc()
        for each in decision.notes:
            self._note(each)
        if decision.change is not None:
            metrics.MOVES.labels(decision.change.move).inc()
            log.info("%s/%s: %s deployment/%s", *_of(found), decision.change.move, found.deployment)
        told = report(
            decision,
            previous=self._status,
            problems=(),
            generation=found.generation,
            now=time.time(),
        )
        if told == self._status or turn.done:
            return
        log.info("%s/%s: %s: %s", *_of(found), decision.reason, decision.message)
        try:
            self._version = await write_status(self._api, *_of(found), told, self._newest())
        except (ApiException, aiohttp.ClientError, OSError) as error:
            log.warning("%s/%s: the status could not be written: %s", *_of(found), error)
        else:
            self._status = told

    def _newest(self) -> int:
        """The newest resourceVersion that is known: kopf writes SafeRollouts too while they are deleted."""
        cached = self._rollouts.get(*_of(self._found))
        return max(self._version, cached.version if cached is not None else 0)


def _of(found: SafeRollout) -> tuple[str, str]:
    return found.namespace, found.name
