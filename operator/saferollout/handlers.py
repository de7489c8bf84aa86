"""kopf's part: the lifecycle of SafeRollouts. Handlers wire, they do not think.

Started by ``saferollout run``, or by ``kopf run -m saferollout.handlers``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import kopf

from saferollout import app, metrics
from saferollout.api.names import API_VERSION, FINALIZER, GROUP, KIND, PLURAL, VERSION
from saferollout.api.plain import message
from saferollout.decide.decision import Note
from saferollout.ending import end
from saferollout.loop import Loop, Stopper
from saferollout.observe.saferollouts import SafeRollout
from saferollout.options import Options
from saferollout.parts import Parts
from saferollout.plainly import log_plainly
from saferollout.reach import UnreachableError

LOOKS, BETWEEN_LOOKS = 200, 0.05
"""How often, and with how many seconds in between, the cache is looked at for what kopf has seen."""


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Set kopf up and start what all loops share. While this operator stands by, kopf waits here.

    Raises:
        kopf.PermanentError: That cannot be done, and would not be a minute later either.
    """
    settings.peering.standalone = True
    settings.persistence.finalizer = FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    settings.posting.loggers = False
    settings.posting.reporting_component = "saferollout"
    settings.posting.event_name_prefix = "saferollout-"
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 10.0
    settings.networking.error_backoffs = (1, 2, 3, 5, 8, 13)  # then it gives up
    settings.watching.server_timeout = 300  # an integer: the API server refuses 300.0
    settings.background.cancellation_polling = 1.0
    memo.stack = AsyncExitStack()
    log_plainly()
    options = memo.get("options") or Options.from_environment()
    # What kopf finds out of types and namespaces by watching them takes rights in all of the cluster.
    settings.scanning.disabled = bool(options.namespaces)
    try:
        memo.parts = await memo.stack.enter_async_context(app.running(options))
    except (UnreachableError, OSError) as error:
        raise kopf.PermanentError(str(error)) from error
    try:
        await memo.parts.office.taken.wait()
    except asyncio.CancelledError:  # Told to end while standing by: kopf does not clean up then.
        await memo.stack.aclose()
        raise


@kopf.on.login()
async def log_in(
    memo: kopf.Memo, logger: Any, settings: kopf.OperatorSettings, **_: Any
) -> kopf.AiohttpSession | None:
    """Log kopf in as it would itself, in a session that writes nothing without the lease."""
    login = await asyncio.to_thread(kopf.login_via_client, logger=logger, settings=settings)
    return None if login is None else memo.parts.office.term.session(login)


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """End what all loops share."""
    await memo.stack.aclose()


@kopf.daemon(GROUP, VERSION, PLURAL)
async def roll_out(memo: kopf.Memo, body: kopf.Body, stopped: kopf.DaemonStopped, **_: Any) -> None:
    """Look after one SafeRollout for as long as it is there."""
    with metrics.ROLLOUTS.track_inprogress(), memo.parts.reminder.attending(body.meta.uid):
        await app.synced(memo.parts)
        found = await _as_kopf_sees_it(memo.parts, body, stopped)
        if found is not None:
            await Loop(memo.parts, found, _turning(memo), _noting(body)).run(stopped)


@kopf.on.delete(GROUP, VERSION, PLURAL)
async def give_back(memo: kopf.Memo, body: kopf.Body, **_: Any) -> None:
    """Give the Deployment back before the SafeRollout may go."""
    with memo.parts.reminder.attending(body.meta.uid):
        await memo.parts.rollouts.synced()
        found = await _as_kopf_sees_it(memo.parts, body, asyncio.Event())
        if found is not None:
            async with _turning(memo):
                await end(memo.parts.api, memo.parts.rollouts, found, _noting(body))


def _turning(memo: kopf.Memo) -> asyncio.Lock:
    """Return the lock of a SafeRollout's turns. Its two handlers share a memo."""
    lock: asyncio.Lock = memo.setdefault("turning", asyncio.Lock())
    return lock


async def _as_kopf_sees_it(parts: Parts, body: kopf.Body, stopped: Stopper) -> SafeRollout | None:
    """Return the SafeRollout once our own cache shows what made kopf call us; ``None`` if stopped before.

    kopf has a watch of its own, and nothing says which of the two is told first. And it calls before its
    finalizer is on: nothing may be changed yet that would have to be given back.

    Raises:
        kopf.TemporaryError: The cache takes long; kopf tries again.
    """
    deleting = body.meta.deletion_timestamp is not None
    for _ in range(LOOKS):
        found = parts.rollouts.get(str(body.meta.namespace), str(body.meta.name))
        if found is not None and (found.uid, found.deleting, found.held) == (body.meta.uid, deleting, True):
            return found
        if stopped.is_set():
            return None
        await asyncio.sleep(BETWEEN_LOOKS)
    raise kopf.TemporaryError("the cache does not show yet what kopf has seen", delay=1.0)


def _noting(body: kopf.Body) -> Callable[[Note], None]:
    """Return how Events are recorded on this SafeRollout."""
    metadata: Any = {name: body.metadata[name] for name in ("namespace", "name", "uid")}
    subject = kopf.Body({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata})

    def note(each: Note) -> None:
        kopf.event(
            subject,
            type="Warning" if each.warning else "Normal",
            reason=each.reason,
            message=message(each.message),
        )

    return note
