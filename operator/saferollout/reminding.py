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

from saferollout.act.requests import MERGE, PATCHED_BY
from saferollout.api.names import GROUP, PLURAL, TOUCH_ANNOTATION, VERSION
from saferollout.observe.saferollouts import SafeRollout, SafeRollouts

BETWEEN_LOOKS = 2.0
"""Seconds. Whoever is found without its loop twice in a row is reminded of."""

UNHEEDED = 10
"""Looks in a row at which reminding has been to no avail, and nobody is looked after: kopf is deaf."""


log = logging.getLogger("saferollout")


class Reminder:
    """Touches every SafeRollout that needs a loop and has none, so that kopf is told of it once more.

    When a write of kopf's own is refused (it puts the finalizer on first, and takes it off last), kopf goes
    on when it is next told of a change, and there may be none any more: docs/findings.md, 25. When it has
    given up listening, nothing in this process can help (26): it ends, to be started again.
    """

    def __init__(self, api: ApiClient, rollouts: SafeRollouts) -> None:
        self._api = api
        self._rollouts = rollouts
        self._attended: Counter[str] = Counter()

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
        before: set[str] = set()
        unheeded = 0
        while True:
            await asyncio.sleep(BETWEEN_LOOKS)
            alone = [each for each in self._rollouts.all() if self._is_alone(each)]
            touched = [await self._touch(each) for each in alone if each.uid in before]
            before = {each.uid for each in alone}
            unheeded = unheeded + 1 if any(touched) and not self._attended else 0
            if unheeded >= UNHEEDED:
                log.critical("kopf does not listen any more: the operator ends, to be started again")
                signal.raise_signal(signal.SIGTERM)
                unheeded = 0

    def _is_alone(self, rollout: SafeRollout) -> bool:
        return self._attended[rollout.uid] == 0 if rollout.held else not rollout.deleting

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
