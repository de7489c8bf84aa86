"""The real cluster in the shape of the embedded one's store, so that one kubelet serves both."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from controlplane.client import Client
from saferollout.sim.errors import ApiError
from saferollout.sim.objects import Key, annotations_of, conditions_of, key_of, with_metadata
from saferollout.sim.resources import Resource
from saferollout.sim.store import Change, Object, Store
from saferollout.sim.timeline import Timeline

_log = logging.getLogger(__name__)

_GONE = sys.maxsize
"""Later than any version: an answer that was on its way does not bring an object back."""

RETRY = 0.2
"""Seconds until an API server that did not answer is asked again."""


@dataclass(frozen=True, slots=True)
class Write:
    """What a write changed: annotations, entries of the status, and of its conditions those that differ.

    An annotation of ``None`` was taken off.
    """

    resource: Resource
    uid: str
    key: Key
    annotations: dict[str, str | None]
    entries: Object
    conditions: list[Object]

    def as_patch(self) -> Object:
        """Return it as a strategic merge patch of the status subresource, which merges conditions by type.

        That of a pod takes annotations too (kubernetes ``pkg/registry/core/pod/strategy.go``).
        """
        status = self.entries | ({"conditions": self.conditions} if self.conditions else {})
        return {"metadata": {"uid": self.uid, "annotations": self.annotations}, "status": status}

    def on(self, obj: Object) -> Object:
        """Return a copy of ``obj`` with the write made."""
        said = annotations_of(obj) | self.annotations
        written = {each["type"]: each for each in self.conditions}
        kept = [each for each in conditions_of(obj) if each["type"] not in written]
        status = {**obj.get("status", {}), **self.entries, "conditions": kept + self.conditions}
        left = {name: value for name, value in said.items() if value is not None}
        return with_metadata({**obj, "status": status}, annotations=left)


@dataclass(frozen=True, slots=True)
class Deletion:
    """The deletion of an object. A grace of no seconds is a kubelet's word that its pod has ended."""

    resource: Resource
    uid: str
    key: Key
    grace_seconds: int | None

    def as_options(self) -> Object:
        """Return it as the fields of ``DeleteOptions``."""
        grace = {} if self.grace_seconds is None else {"gracePeriodSeconds": self.grace_seconds}
        return {"preconditions": {"uid": self.uid}, **grace}


class Mirror(Store):
    """A store that follows the real API server, and sends it what is written here.

    A write counts here at once, and whatever the server tells before it has answered is read with that write
    on top. A deletion counts when the server tells of it. What is around a cluster writes nothing but status
    and annotations, and creates nothing.
    """

    def __init__(self, timeline: Timeline, client: Client, followed: tuple[Resource, ...]) -> None:
        super().__init__(timeline)
        self._client = client
        self._followed = followed
        for each in followed:
            self.register(each)
        self._seen: dict[str, int] = {}
        self._unanswered: defaultdict[str, list[Write]] = defaultdict(list)
        self._unsent: asyncio.Queue[Write | Deletion] = asyncio.Queue()

    async def follow(self) -> None:
        """List and watch, and send what is written, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for resource in self._followed:
                tasks.create_task(self._follow(resource))
            tasks.create_task(self._send())

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Have the server delete an object; with another ``uid`` it will not.

        Raises:
            ApiError: ``NotFound``.
        """
        current = self.get(resource, namespace, name)
        self._unsent.put_nowait(
            Deletion(resource, uid or current["metadata"]["uid"], key_of(current), grace_seconds)
        )

    def remove(self, resource: Resource, namespace: str | None, name: str) -> None:
        """Have the server end an object now."""
        self.delete(resource, namespace, name, grace_seconds=0)

    def _replace(self, resource: Resource, current: Object, updated: Object) -> Object:
        write = _difference(resource, current, updated)
        self._unanswered[write.uid].append(write)
        self._unsent.put_nowait(write)
        return super()._replace(resource, current, updated)

    async def _follow(self, resource: Resource) -> None:
        while True:
            try:
                listing = await self._client.listing(resource)
                self._swap(resource, listing["items"])
                version = listing["metadata"]["resourceVersion"]
                while True:
                    async for kind, obj in self._client.watch(resource, version):
                        version = obj["metadata"]["resourceVersion"]
                        if kind == "DELETED":
                            self._forget(resource, obj)
                        elif kind != "BOOKMARK":
                            self._absorb(resource, obj)
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
                _log.debug("relist of %s: %s", resource.plural, error)
                await asyncio.sleep(RETRY)

    def _swap(self, resource: Resource, listed: list[Object]) -> None:
        """Take a whole list: what is not in it is gone."""
        uids = {each["metadata"]["uid"] for each in listed}
        for obj in self.list(resource):
            if obj["metadata"]["uid"] not in uids:
                self._forget(resource, obj)
        for obj in listed:
            # A list leaves out of its items what it says once itself.
            self._absorb(resource, {"apiVersion": resource.api_version, "kind": resource.kind, **obj})

    def _absorb(self, resource: Resource, obj: Object) -> None:
        uid, version = obj["metadata"]["uid"], int(obj["metadata"]["resourceVersion"])
        if version <= self._seen.get(uid, 0):
            return
        self._seen[uid] = version
        for write in self._unanswered.get(uid, ()):
            obj = write.on(obj)
        objects = self._objects[resource.key]
        old = objects.get(key_of(obj))
        objects[key_of(obj)] = obj
        self._announcer.tell(Change("MODIFIED" if old else "ADDED", resource, obj, old))

    def _forget(self, resource: Resource, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        self._seen[uid] = _GONE
        old = self._objects[resource.key].get(key_of(obj))
        if old is not None and old["metadata"]["uid"] == uid:
            del self._objects[resource.key][key_of(obj)]
            self._announcer.tell(Change("DELETED", resource, obj, old))

    async def _send(self) -> None:
        while True:
            write = await self._unsent.get()
            answer = await self._send_until_answered(write)
            if isinstance(write, Write):
                self._unanswered[write.uid].remove(write)
                if not self._unanswered[write.uid]:
                    del self._unanswered[write.uid]
                if answer is not None:
                    self._absorb(write.resource, answer)

    async def _send_until_answered(self, write: Write | Deletion) -> Object | None:
        """Send it, again and again while nobody answers; return the object, ``None`` if that is gone."""
        namespace, name = write.key
        while True:
            try:
                if isinstance(write, Write):
                    return await self._client.patch(
                        write.resource,
                        namespace,
                        name,
                        "status",
                        change=write.as_patch(),
                        kind="strategic-merge",
                    )
                await self._client.delete(write.resource, namespace, name, **write.as_options())
            except ApiError as error:
                if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                    return None
                _log.warning("%s %s/%s: %s", write.resource.kind, namespace, name, error)
                await asyncio.sleep(RETRY)
            except (aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(RETRY)
            else:
                return None


def _difference(resource: Resource, current: Object, updated: Object) -> Write:
    """Return what differs.

    Raises:
        ValueError: Something differs that is not sent.
    """
    if any(updated[part] != current.get(part) for part in updated.keys() - {"metadata", "status"}):
        raise ValueError(
            f"only status and annotations of a {resource.kind} are written by what is around a cluster"
        )
    before, after = current.get("status") or {}, updated.get("status") or {}
    entries = {
        name: after.get(name)
        for name in (before.keys() | after.keys()) - {"conditions"}
        if before.get(name) != after.get(name)
    }
    was, said = annotations_of(current), annotations_of(updated)
    annotations = {
        name: said.get(name) for name in was.keys() | said.keys() if was.get(name) != said.get(name)
    }
    changed = [each for each in conditions_of(updated) if each not in conditions_of(current)]
    return Write(resource, updated["metadata"]["uid"], key_of(updated), annotations, entries, changed)
