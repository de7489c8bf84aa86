"""Takes the operator's traces out of a cluster, also where no operator runs any more.

A SafeRollout is deleted first, and an operator that runs does the rest: so nobody ever works against it. Only
where nobody reacts is the Deployment given back from here, and the finalizer taken off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from kubernetes.aio.client import ApiClient, CustomObjectsApi, V1DeleteOptions, V1Preconditions
from kubernetes.aio.client.exceptions import ApiException

from saferollout.act.finalizing import let_go
from saferollout.act.requests import TIMEOUT
from saferollout.api.names import (
    API_VERSION,
    COST_BEFORE_ANNOTATION,
    FIELD_MANAGER,
    GROUP,
    LEDGER_ANNOTATION,
    PLURAL,
    VERSION,
)
from saferollout.decide.fences import WALL
from saferollout.ending import subject_of
from saferollout.leaving import Subject, Turn, leave
from saferollout.observe.listwatch import Refused
from saferollout.observe.looking import listed
from saferollout.observe.saferollouts import SafeRollout, parse

BETWEEN_LOOKS = 0.5
"""Seconds."""


class Outcome(StrEnum):
    """What became, or is to become, of a SafeRollout and its Deployment."""

    FOUND = "Found"
    """With a dry run: this is what there is."""
    BY_OPERATOR = "GivenBackByOperator"
    BY_COMMAND = "GivenBack"
    LEFT = "Left"
    """It could not be given back, and its SafeRollout, if there is one, is still there."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One Deployment; ``rollout`` is the name of its SafeRollout, empty where there was none any more."""

    namespace: str
    deployment: str
    rollout: str
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look; ``namespace`` is ``None`` for everywhere."""

    api: ApiClient
    namespace: str | None

    def path(self, api: str, plural: str) -> str:
        """Return the path under which the objects of a kind are listed."""
        return f"{api}{'' if self.namespace is None else f'/namespaces/{self.namespace}'}/{plural}"

    async def rollouts(self) -> list[SafeRollout]:
        """Return all SafeRollouts; none where the cluster knows no such kind.

        Raises:
            Refused: The API server answered with another error.
        """
        try:
            return [parse(each) async for each in listed(self.api, self.path(f"/apis/{API_VERSION}", PLURAL))]
        except Refused as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return []
            raise

    async def touched(self) -> list[tuple[str, str]]:
        """Return the namespace and name of every Deployment that has something of the operator's on it.

        On itself, on one of its ReplicaSets, or on one of their pods.

        Raises:
            Refused: The API server answered with an error.
        """
        found: dict[tuple[str, str], None] = {}
        async for raw in listed(self.api, self.path("/apis/apps/v1", "deployments")):
            if _is_touched(raw["metadata"]):
                found[raw["metadata"]["namespace"], raw["metadata"]["name"]] = None
        noted = {uid async for uid in self._owners_of_noted_pods()}
        async for raw in listed(self.api, self.path("/apis/apps/v1", "replicasets")):
            meta, walled = raw["metadata"], raw["spec"].get("minReadySeconds", 0) >= WALL
            owner = _owner(meta, "Deployment")
            if owner is not None and (walled or _is_touched(meta) or meta["uid"] in noted):
                found[meta["namespace"], owner["name"]] = None
        return list(found)

    async def _owners_of_noted_pods(self) -> AsyncIterator[str]:
        async for raw in listed(self.api, self.path("/api/v1", "pods")):
            owner = _owner(raw["metadata"], "ReplicaSet")
            if owner is not None and COST_BEFORE_ANNOTATION in (raw["metadata"].get("annotations") or {}):
                yield owner["uid"]


async def found(scope: Scope) -> list[Ended]:
    """Return what is there to be given back, and change nothing.

    Raises:
        Refused: The API server answered with an error.
    """
    rollouts = await scope.rollouts()
    wrapped = {(each.namespace, each.deployment or "") for each in rollouts}
    orphans = [each for each in await scope.touched() if each not in wrapped]
    return [
        *(_ended(each, Outcome.FOUND) for each in rollouts),
        *(Ended(namespace, name, "", Outcome.FOUND) for namespace, name in orphans),
    ]


async def uninstall(scope: Scope, patience: float, told: Callable[[str], None]) -> AsyncIterator[Ended]:
    """Delete every SafeRollout, give back whatever is left after that, and yield what came of each.

    Args:
        scope: Where.
        patience: Seconds without any reaction after which no operator is reckoned with.
        told: Is called with sentences on how it goes.

    Raises:
        Refused: The API server does not let itself be asked.
        ApiException: It does not let SafeRollouts be deleted.
    """
    rollouts = await scope.rollouts()
    await asyncio.gather(*(_delete(scope.api, each) for each in rollouts if not each.deleting))
    left = {each.uid for each in await _unattended(scope, patience, told)} if rollouts else set()
    for each in rollouts:
        if each.uid not in left:
            yield _ended(each, Outcome.BY_OPERATOR)
    for each in rollouts:
        if each.uid in left:
            yield await _end(scope.api, each, told)
    kept = {(each.namespace, each.deployment or "") for each in await scope.rollouts()}
    for namespace, name in await scope.touched():
        if (namespace, name) not in kept:
            last = await leave(scope.api, Subject(namespace, name), _telling(f"{namespace}/{name}", told))
            yield Ended(namespace, name, "", _outcome(last), "" if last.done else last.decision.message)


async def _unattended(scope: Scope, patience: float, told: Callable[[str], None]) -> Collection[SafeRollout]:
    """Wait for an operator, and return the SafeRollouts that are still there when nothing moves any more."""
    before: set[tuple[str, int]] = set()
    moved = time.monotonic()
    while True:
        rollouts = [each for each in await scope.rollouts() if each.deleting]
        now = {(each.uid, each.version) for each in rollouts}
        if now != before:
            before, moved = now, time.monotonic()
        if not rollouts or all(not each.held for each in rollouts):
            return rollouts
        if time.monotonic() - moved > patience:
            told(f"no operator has reacted for {patience:g} s: {len(rollouts)} are given back from here")
            return rollouts
        await asyncio.sleep(BETWEEN_LOOKS)


async def _end(api: ApiClient, rollout: SafeRollout, told: Callable[[str], None]) -> Ended:
    last = await leave(api, subject_of(rollout), _telling(f"{rollout.namespace}/{rollout.deployment}", told))
    if not last.done:
        return _ended(rollout, Outcome.LEFT, last.decision.message)
    others = await let_go(api, rollout)
    held = f"the SafeRollout is still held by {', '.join(others)}" if others else ""
    return _ended(rollout, Outcome.BY_COMMAND, held)


def _telling(what: str, told: Callable[[str], None]) -> Callable[[Turn], Awaitable[None]]:
    """Return how the turns of leaving a Deployment are told: trouble once, and what people have to know."""
    said = set[str]()

    async def tell(turn: Turn) -> None:
        news = {turn.decision.message} if turn.troubles else {each.message for each in turn.decision.notes}
        for each in sorted(news - said):
            told(f"{what}: {each}")
        said.update(news)

    return tell


async def _delete(api: ApiClient, rollout: SafeRollout) -> None:
    """Delete a SafeRollout, but not another one of its name."""
    options = V1DeleteOptions(preconditions=V1Preconditions(uid=rollout.uid))
    try:
        await CustomObjectsApi(api).delete_namespaced_custom_object(
            GROUP, VERSION, rollout.namespace, PLURAL, rollout.name, body=options, _request_timeout=TIMEOUT
        )
    except ApiException as error:
        if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
            raise


def _ended(rollout: SafeRollout, outcome: Outcome, message: str = "") -> Ended:
    return Ended(rollout.namespace, rollout.deployment or "", rollout.name, outcome, message)


def _outcome(last: Turn) -> Outcome:
    return Outcome.BY_COMMAND if last.done else Outcome.LEFT


def _is_touched(meta: Any) -> bool:
    by_us = (each.get("manager") == FIELD_MANAGER for each in meta.get("managedFields") or ())
    return LEDGER_ANNOTATION in (meta.get("annotations") or {}) or any(by_us)


def _owner(meta: Any, kind: str) -> Any | None:
    references = meta.get("ownerReferences") or ()
    return next((each for each in references if each.get("controller") and each["kind"] == kind), None)
