"""What may happen to a Deployment and its pods, one thing at a time: the alphabet of the likeness.

Nothing in it depends on the time that passes. A pod gets a node, becomes Ready and stops being so only when
an operation says it, and since when it is Ready is made up, hours to months ago: see `Ready`. So whether a
pod is available, and which pod goes first, has one answer, however fast either cluster is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.likeness_scene import NUMBER, Pod, Scene
from controlplane.likeness_world import World
from saferollout.sim.controllers.ranking import DELETION_COST
from saferollout.sim.store import Object
from saferollout.sim.timestamps import timestamp

NAME = "web"
NO_DEADLINE = 2_000_000_000
"""Seconds of a progress deadline that leaves room for any fence, and is never reached."""

_HOUR = 3600


def template(tag: str) -> Object:
    """Return the pod template of a tag. kube-scheduler leaves its pods alone, and they end at once."""
    container = {"name": NAME, "image": f"{NAME}:{tag}"}
    spec = {
        "containers": [container],
        "schedulerName": "by-hand",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }
    return {"metadata": {"labels": {"app": NAME}}, "spec": spec}


def rolling(surge: int | str, unavailable: int | str) -> Object:
    """Return a rolling strategy."""
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def age(seniority: int) -> int:
    """Return for how many seconds a pod of a seniority has been Ready: the next is three times as old.

    ReplicaSets compare ages by powers of two, so this order stands however long a test takes.
    """
    return _HOUR * int(3**seniority)


def fence(seniority: int) -> int:
    """Return the ``minReadySeconds`` that pods of this seniority just do not reach, and the next one does."""
    return age(seniority) * 9 // 5


@dataclass(frozen=True, slots=True)
class Patch:
    """One write of the Deployment's spec; ``template`` is a tag."""

    spec: Mapping[str, Any]

    async def happen(self, world: World) -> None:
        """Write it."""
        changes = dict(self.spec)
        if "template" in changes:
            changes["template"] = template(changes["template"])
        await world.patch(changes)


@dataclass(frozen=True, slots=True)
class Place:
    """A pod without a node gets one, and is pending there. ``which`` counts those that have none, around."""

    which: int
    node: int

    async def happen(self, world: World) -> None:
        """Bind the pod, and number it."""
        pod = _pick(world.scene, self.which, lambda each: not each.number)
        if pod is not None:
            await _place(world, pod, self.node)


@dataclass(frozen=True, slots=True)
class Ready:
    """A pod that is not Ready becomes so, as one that has been for the age of its seniority.

    It gets a node first if it has none.
    """

    which: int
    node: int
    seniority: int

    async def happen(self, world: World) -> None:
        """Report the pod Ready."""
        pod = _pick(world.scene, self.which, lambda each: not each.ready)
        if pod is None:
            return
        if not pod.number:
            await _place(world, pod, self.node)
        await world.report(pod, _readiness("True", world.began - age(self.seniority)))


@dataclass(frozen=True, slots=True)
class Unready:
    """A Ready pod stops being so."""

    which: int

    async def happen(self, world: World) -> None:
        """Report the pod not Ready."""
        pod = _pick(world.scene, self.which, lambda each: each.ready)
        if pod is not None:
            await world.report(pod, _readiness("False", world.began))


@dataclass(frozen=True, slots=True)
class Cost:
    """A pod is given a deletion cost."""

    which: int
    cost: int

    async def happen(self, world: World) -> None:
        """Annotate the pod."""
        pod = _pick(world.scene, self.which, lambda _: True)
        if pod is not None:
            await world.annotate(pod, DELETION_COST, str(self.cost))


@dataclass(frozen=True, slots=True)
class Kill:
    """A pod is deleted by somebody else."""

    which: int

    async def happen(self, world: World) -> None:
        """Delete the pod."""
        pod = _pick(world.scene, self.which, lambda _: True)
        if pod is not None:
            await world.delete(pod)


Operation = Patch | Place | Ready | Unready | Cost | Kill


@dataclass(frozen=True, slots=True)
class Sequence:
    """A Deployment whose pods are all Ready, and what happens to it then."""

    replicas: int
    strategy: Mapping[str, Any]
    history: int
    operations: tuple[Operation, ...]

    @property
    def deployment(self) -> Object:
        """The Deployment it begins with."""
        labels = {"app": NAME}
        spec = {
            "replicas": self.replicas,
            "selector": {"matchLabels": labels},
            "strategy": self.strategy,
            "revisionHistoryLimit": self.history,
            "minReadySeconds": 0,
            "progressDeadlineSeconds": NO_DEADLINE,
            "template": template("v1"),
        }
        return {"metadata": {"name": NAME}, "spec": spec}

    @property
    def code(self) -> str:
        """Itself, as one would write it to see it again."""
        operations = "".join(f"\n        {each!r}," for each in self.operations)
        head = f"{self.replicas},\n    {self.strategy!r},\n    {self.history}"
        return f"Sequence(\n    {head},\n    ({operations}\n    ),\n)"


def _pick(scene: Scene, which: int, eligible: Callable[[Pod], bool]) -> Pod | None:
    found = [each for each in scene.pods if eligible(each)]
    return found[which % len(found)] if found else None


async def _place(world: World, pod: Pod, node: int) -> None:
    """Bind a pod. Restarts of its own keep the original from drawing lots between pods of the same age."""
    number = world.scene.next_number()
    await world.bind(pod, node, {NUMBER: str(number)})
    started = {"name": NAME, "image": f"{NAME}:{pod.tag}", "imageID": "", "ready": False}
    await world.report(
        pod, {"phase": "Pending", "containerStatuses": [{**started, "restartCount": number * 7 % 101}]}
    )


def _readiness(status: str, since: float) -> Object:
    ready = {"type": "Ready", "status": status, "lastTransitionTime": timestamp(since)}
    return {"phase": "Running", "conditions": [ready]}
