"""Has kopf look again at SafeRollouts that it has lost sight of."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import aiohttp
from kubernetes.aio.client import ApiClient, CustomObjectsApi
from kubernetes.aio.client.exceptions import ApiException

from saferollout.act.finalizing import let_go
from saferollout.act.requests import MERGE, PATCHED_BY
from saferollout.api.names import GROUP, PLURAL, TOUCH_ANNOTATION, VERSION
from saferollout.ending import end
from saferollout.observe.listwatch import Refused
from saferollout.observe.saferollouts import SafeRollout, SafeRollouts

BETWEEN_LOOKS = 2.0
"""Seconds. Whoever is found without its loop twice in a row is reminded of."""

PATIENCE = 4
"""Looks in a row at which a SafeRollout that is being deleted is left alone before kopf is not waited for."""

UNHEEDED = 10
"""Looks in a row at which reminding has been to no avail, and nobody is looked after: kopf is deaf."""


log = logging.getLogger("saferollout")


class Reminder:
    """Touches every SafeRollout that needs a loop and has none, so that kopf is told of it once more.

    When a write of kopf's own is refused (it puts the finalizer on first, and takes it off last), kopf goes
    on when it is next told of a change, and there may be none any more: docs/findings.md, 25. When it has
    given up listening, nothing in this process can help (26): it ends, to be started again. But a SafeRollout
    that is being deleted does not wait for that: of a CustomResourceDefinition that is being deleted, kopf
    serves no object any more (29).
    """

    def __init__(self, api: ApiClient, rollouts: SafeRollouts) -> None:
        self._api = api
        self._rollouts = rollouts
        self._attended: Counter[str] = Counter()
        self._ending: set[asyncio.Task[None]] = set()

    @contextmanager
    def attending(self, uid: str) -> Iterator[None]:
        """Nobody has to be reminded of this SafeRollout for as long as the context lasts."""
        self._attended[uid] += 1
        try:
            yield
        finally:
            self._attended[uid] -= 1
            self._attended += Counter()  # drops those at zero

    async def run(self) -> None:
        """Look again and again until cancelled."""
        before: Counter[str] = Counter()
        unheeded = 0
        while True:
            await asyncio.sleep(BETWEEN_LOOKS)
            alone = [each for each in self._rollouts.all() if self._is_alone(each)]
            touched = [await self._touch(each) for each in alone if each.uid in before]
            before = Counter({each.uid: before[each.uid] + 1 for each in alone})
            for each in alone:
                if each.deleting and before[each.uid] >= PATIENCE:
                    task = asyncio.create_task(self._end(each))
                    self._ending.add(task)
                    task.add_done_callback(self._ending.discard)
            unheeded = unheeded + 1 if any(touched) and not self._attended else 0
            if unheeded >= UNHEEDED:
                log.critical("kopf does not listen any more: the operator ends, to be started again")
                signal.raise_signal(signal.SIGTERM)
                unheeded = 0

    def _is_alone(self, rollout: SafeRollout) -> bool:
        return self._attended[rollout.uid] == 0 if rollout.held else not rollout.deleting

    async def _end(self, rollout: SafeRollout) -> None:
        """Do what kopf does not ask for any more."""
        with self.attending(rollout.uid):
            log.warning("%s/%s: it goes without kopf", rollout.namespace, rollout.name)
            try:
                await end(self._api, self._rollouts, rollout, lambda note: log.warning(note.message))
                await let_go(self._api, rollout)
            except (ApiException, Refused, aiohttp.ClientError, OSError) as error:
                log.warning("%s/%s: it stays: %s", rollout.namespace, rollout.name, error)

    async def _touch(self, rollout: SafeRollout) -> bool:
        """Change what means nothing, and return whether that could be done."""
        touch = {"metadata": {"annotations": {TOUCH_ANNOTATION: datetime.now(UTC).isoformat()}}}
        log.warning("%s/%s: nobody looks after it; kopf is told again", rollout.namespace, rollout.name)
        try:
            await CustomObjectsApi(self._api).patch_namespaced_custom_object(
                GROUP, VERSION, rollout.namespace, PLURAL, rollout.name, touch, **PATCHED_BY, **MERGE
            )
        except (ApiException, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("%s/%s: that failed too: %s", rollout.namespace, rollout.name, error)
            return False
        return True
