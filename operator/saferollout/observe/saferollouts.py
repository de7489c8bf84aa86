"""The SafeRollouts themselves: which there are, and which of several has a Deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubernetes.aio.client import ApiClient

from saferollout.api.names import ACTION_ANNOTATION, API_VERSION, FINALIZER, PLURAL
from saferollout.decide.observation import Asked
from saferollout.observe.index import Groups, Lookup
from saferollout.observe.informer import Informer, run_all


@dataclass(frozen=True, slots=True)
class SafeRollout:
    """A SafeRollout as it is in the API, with ``spec`` and ``status`` yet unread. Times are epoch seconds.

    ``held`` says that it cannot go before the operator lets it. ``asked`` is what somebody asks for.
    """

    namespace: str
    name: str
    uid: str
    version: int
    generation: int
    created_at: float
    deleting: bool
    held: bool
    deployment: str | None
    asked: Asked | None
    spec: Mapping[str, Any] = field(hash=False)
    status: Mapping[str, Any] = field(hash=False)


class SafeRollouts:
    """The cache of all SafeRollouts, in all namespaces or in those given."""

    def __init__(self, api: ApiClient, namespaces: Sequence[str] = ()) -> None:
        scopes = [f"/namespaces/{namespace}" for namespace in namespaces] or [""]
        self._informers = [Informer(api, f"/apis/{API_VERSION}{scope}/{PLURAL}", parse) for scope in scopes]
        self._named = Lookup[tuple[str, str], SafeRollout](lambda each: (each.namespace, each.name))
        self._claims = Groups[tuple[str, str], SafeRollout](_claim)
        self._wakes: dict[tuple[str, str], list[asyncio.Event]] = {}
        for informer in self._informers:
            informer.listen(self._named.update)
            informer.listen(self._claims.update)
            informer.listen(self._wake)

    async def run(self) -> None:
        """Keep it up to date until cancelled."""
        await run_all(self._informers)

    async def synced(self) -> None:
        """Wait until everything has been listed once."""
        for informer in self._informers:
            await informer.synced()

    def get(self, namespace: str, name: str) -> SafeRollout | None:
        """The SafeRollout of that name."""
        return self._named.get((namespace, name))

    def all(self) -> Sequence[SafeRollout]:
        """Every one there is."""
        return self._named.all()

    def holder(self, namespace: str, deployment: str) -> SafeRollout | None:
        """The SafeRollout that has this Deployment: the oldest that names it."""
        claims = self._claims.get((namespace, deployment))
        return min(claims, key=lambda each: (each.created_at, each.name), default=None)

    @contextmanager
    def waking(self, namespace: str, name: str, wake: asyncio.Event) -> Iterator[None]:
        """Have ``wake`` set whenever this SafeRollout, or another of the same Deployment, changes."""
        wakes = self._wakes.setdefault((namespace, name), [])
        wakes.append(wake)
        try:
            yield
        finally:
            wakes.remove(wake)
            if not wakes:
                self._wakes.pop((namespace, name), None)

    def _wake(self, old: SafeRollout | None, new: SafeRollout | None) -> None:
        concerned = [each for each in (old, new) if each is not None]
        claims = {claim for each in concerned if (claim := _claim(each)) is not None}
        rivals = [rival for claim in claims for rival in self._claims.get(claim)]
        for each in (*concerned, *rivals):
            for wake in self._wakes.get((each.namespace, each.name), ()):
                wake.set()


def _asked(meta: Mapping[str, Any]) -> Asked | None:
    """What is asked for by annotation, and by whom: the manager that wrote it (``managedFields``)."""
    action = (meta.get("annotations") or {}).get(ACTION_ANNOTATION)
    if action is None:
        return None
    path = ("f:metadata", "f:annotations", f"f:{ACTION_ANNOTATION}")
    writers = (each["manager"] for each in meta.get("managedFields", ()) if _has(each.get("fieldsV1"), path))
    return Asked(action, next(writers, "somebody"))


def _has(fields: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(fields, Mapping) or name not in fields:
            return False
        fields = fields[name]
    return True


def _claim(rollout: SafeRollout) -> tuple[str, str] | None:
    return None if rollout.deployment is None else (rollout.namespace, rollout.deployment)


def parse(raw: Mapping[str, Any]) -> SafeRollout:
    """Read a SafeRollout, and nothing of its spec but the name of the Deployment."""
    meta = raw["metadata"]
    spec = raw.get("spec") or {}
    reference = spec.get("deploymentRef")
    name = reference.get("name") if isinstance(reference, Mapping) else None
    return SafeRollout(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        generation=meta.get("generation", 0),
        created_at=datetime.fromisoformat(meta["creationTimestamp"]).timestamp(),
        deleting="deletionTimestamp" in meta,
        held=FINALIZER in meta.get("finalizers", ()),
        deployment=name if isinstance(name, str) else None,
        asked=_asked(meta),
        spec=spec,
        status=raw.get("status") or {},
    )
