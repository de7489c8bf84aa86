"""Quotas of pods: how many a namespace may have, and how many it has.

After kubernetes ``pkg/controller/resourcequota`` and its admission plugin, for ``pods`` alone.
"""

from __future__ import annotations

from http import HTTPStatus

from saferollout.sim.controllers.ranking import is_active
from saferollout.sim.errors import ApiError
from saferollout.sim.resources import PODS, RESOURCE_QUOTAS
from saferollout.sim.store import Change, Object, Store


class QuotaController:
    """Keeps the ``status`` of quotas up to date."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.subscribe(self._observe)

    def _observe(self, change: Change) -> None:
        if change.resource in {PODS, RESOURCE_QUOTAS}:
            for each in self._store.list(RESOURCE_QUOTAS, change.object["metadata"]["namespace"]):
                self._count(each)

    def _count(self, quota: Object) -> None:
        limit = _limit(quota)
        counted = {"pods": str(_used(self._store, quota))} if limit is not None else {}
        status = {"hard": quota["spec"].get("hard") or {}, "used": counted}
        if quota.get("status") != status:
            self._store.update_status(RESOURCE_QUOTAS, {**quota, "status": status})


def check(store: Store, pod: Object) -> None:
    """Let one pod more into its namespace.

    Raises:
        ApiError: ``Forbidden``, where a quota has no room for it.
    """
    meta = pod["metadata"]
    for quota in store.list(RESOURCE_QUOTAS, meta["namespace"]):
        limit, used = _limit(quota), _used(store, quota)
        if limit is not None and used >= limit:
            numbers = f"requested: pods=1, used: pods={used}, limited: pods={limit}"
            which = f"exceeded quota: {quota['metadata']['name']}, {numbers}"
            message = f'pods "{meta["generateName"]}" is forbidden: {which}'
            raise ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message)


def _limit(quota: Object) -> int | None:
    limit = (quota["spec"].get("hard") or {}).get("pods")
    return None if limit is None else int(limit)


def _used(store: Store, quota: Object) -> int:
    return sum(map(is_active, store.list(PODS, quota["metadata"]["namespace"])))
