"""The real cluster in the shape of the embedded one's store, so that one kubelet serves both."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp

from controlplane.client import Client
from saferollout.sim.errors import ApiError
from saferollout.sim.objects import Key, conditions_of, key_of
from saferollout.sim.resources import Resource
from saferollout.sim.store import Change, Object, Store
from saferollout.sim.timeline import Timeline

_log = logging.getLogger(__name__)

RETRY = 0.2
"""Seconds until an API server that did not answer is asked again."""


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """What a write changed of an object's status: its entries, and of the conditions those that differ."""

    resource: Resource
    uid: str
    key: Key
    entries: Object
    conditions: list[Object] = field(default_factory=list)

    def as_patch(self) -> Object:
        """Return it as a strategic merge patch, which merges conditions by their type."""
        status = self.entries | ({"conditions": self.conditions} if self.conditions else {})
        return {"metadata": {"uid": self.uid}, "status": status}

    def on(self, obj: Object) -> Object:
        """Return a copy of ``obj`` with the write made."""
        written = {each["type"]: each for each in self.conditions}
        kept = [each for each in conditions_of(obj) if each["type"] not in written]
        return {
            **obj,
            "status": {**obj.get("status", {}), **self.entries, "conditions": kept + self.conditions},
        }


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

    A status that is written counts here at once, and whatever the server tells before it has answered is read
    with that write on top. A deletion counts when the server tells of it. Kubelets and load balancer
    controllers write nothing else.
    """

    def __init__(self, timeline: Timeline, client: Client, followed: tuple[Resource, ...]) -> None:
        super().__init__(timeline)
        self._client = client
        self._followed = followed
        self._seen: dict[str, int] = {}
        self._unanswered: defaultdict[str, list[StatusWrite]] = defaultdict(list)
        self._unsent: asyncio.Queue[StatusWrite | Deletion] = asyncio.Queue()

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
        """Have the server delete an object, as `Store.delete` would."""
        current = self.get(resource, namespace, name)
        self._check_preconditions(resource, current, {"name": name, "uid": uid})
        known: str = current["metadata"]["uid"]
        self._unsent.put_nowait(Deletion(resource, known, key_of(current), grace_seconds))

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
        self._tell(Change("MODIFIED" if old else "ADDED", resource, obj, old))

    def _forget(self, resource: Resource, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        self._seen.pop(uid, None)
        old = self._objects[resource.key].get(key_of(obj))
        if old is not None and old["metadata"]["uid"] == uid:
            del self._objects[resource.key][key_of(obj)]
            self._tell(Change("DELETED", resource, obj, old))

    async def _send(self) -> None:
        while True:
            write = await self._unsent.get()
            answer = await self._send_until_answered(write)
            if isinstance(write, StatusWrite):
                self._unanswered[write.uid].remove(write)
                if not self._unanswered[write.uid]:
                    del self._unanswered[write.uid]
                if answer is not None:
                    self._absorb(write.resource, answer)

    async def _send_until_answered(self, write: StatusWrite | Deletion) -> Object | None:
        """Send it, again and again while nobody answers; return the object, ``None`` if that is gone."""
        namespace, name = write.key
        while True:
            try:
                if isinstance(write, StatusWrite):
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


def _difference(resource: Resource, current: Object, updated: Object) -> StatusWrite:
    """Return what of the status differs. Writes to anything else are not a kubelet's.

    Raises:
        ValueError: Something else differs too.
    """
    strangers = {
        key
        for key in current.keys() | updated.keys()
        if key not in {"status", "metadata"} and current.get(key) != updated.get(key)
    }
    if strangers:
        raise ValueError(f"a mirror sends status only, not {', '.join(sorted(strangers))}")
    before, after = current.get("status") or {}, updated.get("status") or {}
    entries = {
        key: after.get(key)
        for key in before.keys() | after.keys()
        if key != "conditions" and before.get(key) != after.get(key)
    }
    changed = [each for each in conditions_of(updated) if each not in conditions_of(current)]
    return StatusWrite(resource, updated["metadata"]["uid"], key_of(updated), entries, changed)
