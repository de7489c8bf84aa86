"""One Deployment as the likeness sees it, in either cluster: what has changed, and how it is when quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saferollout.sim.controllers.ranking import DELETION_COST, ready_at
from saferollout.sim.controllers.revisions import REVISION
from saferollout.sim.controllers.sizes import DESIRED_REPLICAS, MAX_REPLICAS, size
from saferollout.sim.objects import annotations_of, conditions_of, controller_uid
from saferollout.sim.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from saferollout.sim.store import Change, Object
from saferollout.sim.timestamps import seconds

NUMBER = "likeness/number"
"""The annotation that gives a pod with a node its number: names are drawn by lot, numbers are not."""

Sizes = Mapping[str, int]
"""``spec.replicas`` of every ReplicaSet, by the tag of its template."""

_COUNTS = ("replicas", "readyReplicas", "availableReplicas")


@dataclass(frozen=True, slots=True, order=True)
class Pod:
    """A pod by what decides about it. ``number`` is 0 until it has a node; ``name`` is by chance."""

    tag: str
    number: int
    node: str
    ready: bool
    cost: int
    name: str = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Picture:
    """A quiet point. ``steps`` are the sizes on the way to it, ``gone`` the pods that left on the way."""

    deployment: Mapping[str, Any]
    replica_sets: Mapping[str, Mapping[str, Any]]
    pods: tuple[Pod, ...]
    gone: tuple[Pod, ...]
    steps: tuple[Sizes, ...]

    def unlike(self, other: Picture) -> dict[str, tuple[object, object]]:
        """Return what is not the same in both, by name: here and there."""
        names = ("deployment", "replica_sets", "pods", "gone", "steps")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class Scene:
    """Follows a Deployment that has a namespace to itself."""

    def __init__(self) -> None:
        self.changed = 0
        """How many changes there have been."""
        self._objects: dict[str, dict[str, Object]] = {
            each.key: {} for each in (DEPLOYMENTS, REPLICA_SETS, PODS)
        }
        self._sizes: list[Sizes] = []
        self._pods: tuple[Pod, ...] = ()
        self._numbers = 0

    def observe(self, change: Change) -> None:
        """Take a change in."""
        objects = self._objects.get(change.resource.key)
        if objects is None:
            return
        self.changed += 1
        if change.type == "DELETED":
            objects.pop(change.object["metadata"]["uid"], None)
        else:
            objects[change.object["metadata"]["uid"]] = change.object
        if change.resource.key == REPLICA_SETS.key and self.sizes != (self._sizes or [{}])[-1]:
            self._sizes.append(self.sizes)

    def has_seen(self, obj: Object) -> bool:
        """Whether an object is known as it was answered, or later, or is gone."""
        for objects in self._objects.values():
            known = objects.get(obj["metadata"]["uid"])
            if known is not None:
                here, there = (int(each["metadata"]["resourceVersion"]) for each in (known, obj))
                return here >= there
        return True

    def next_number(self) -> int:
        """Return the number for the next pod that gets a node."""
        self._numbers += 1
        return self._numbers

    @property
    def sizes(self) -> Sizes:
        """How large each ReplicaSet is to be."""
        return {_tag(each): size(each) for each in self._replica_sets}

    @property
    def newest(self) -> float:
        """When the newest ReplicaSet was made, in seconds since the epoch; 0 while there is none."""
        return max(
            (seconds(each["metadata"]["creationTimestamp"]) for each in self._replica_sets), default=0.0
        )

    @property
    def pods(self) -> tuple[Pod, ...]:
        """The pods, in an order that has nothing to do with their names."""
        tags = {each["metadata"]["uid"]: _tag(each) for each in self._replica_sets}
        return tuple(sorted(_pod(each, tags) for each in self._objects[PODS.key].values()))

    def is_quiet(self, now: float) -> bool:
        """Whether everybody has reported on everything, and the reports are true."""
        if not self._objects[DEPLOYMENTS.key]:
            return False
        owned: dict[str | None, list[Object]] = {}
        for pod in self._objects[PODS.key].values():
            owned.setdefault(controller_uid(pod), []).append(pod)
        true = [_counted(each, owned.get(each["metadata"]["uid"], []), now) for each in self._replica_sets]
        return (
            all(map(_is_observed, (self._deployment, *self._replica_sets)))
            and [_reported(each, *_COUNTS) for each in self._replica_sets] == true
            and [size(each) for each in self._replica_sets] == [each[0] for each in true]
            and _reported(self._deployment, *_COUNTS) == tuple(map(sum, zip((0, 0, 0), *true, strict=True)))
            and self._names_its_revision()
        )

    def _names_its_revision(self) -> bool:
        """Whether the Deployment says which ReplicaSet is the one of its template, if there is one."""
        tag = _tag(self._deployment)
        updated = _reported(self._deployment, "updatedReplicas")
        for each in self._replica_sets:
            if _tag(each) == tag:
                numbers = (annotations_of(it).get(REVISION) for it in (self._deployment, each))
                return updated == (size(each),) and next(numbers) == next(numbers)
        return updated == (0,)

    def picture(self) -> Picture:
        """Return how it is, and what has happened since the last picture."""
        pods, before = self.pods, self._pods
        steps, self._sizes = tuple(self._sizes), self._sizes[-1:]
        self._pods = pods
        left = {each.name for each in pods}
        return Picture(
            deployment={
                "template": _tag(self._deployment),
                "paused": self._deployment["spec"].get("paused", False),
                **_facts(self._deployment),
            },
            replica_sets={_tag(each): _facts(each) for each in self._replica_sets},
            pods=pods,
            gone=tuple(each for each in before if each.name not in left),
            steps=steps,
        )

    @property
    def _deployment(self) -> Object:
        return next(iter(self._objects[DEPLOYMENTS.key].values()))

    @property
    def _replica_sets(self) -> list[Object]:
        return sorted(self._objects[REPLICA_SETS.key].values(), key=_tag)


def _tag(obj: Object) -> str:
    image: str = obj["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.rpartition(":")[2]


def _pod(pod: Object, tags: Mapping[str, str]) -> Pod:
    said = annotations_of(pod)
    return Pod(
        tag=tags.get(controller_uid(pod) or "", ""),
        number=int(said.get(NUMBER, 0)),
        node=pod["spec"].get("nodeName") or "",
        ready=ready_at(pod) is not None,
        cost=int(said.get(DELETION_COST, 0)),
        name=pod["metadata"]["name"],
    )


def _is_observed(obj: Object) -> bool:
    generation: int = obj["metadata"]["generation"]
    return _reported(obj, "observedGeneration") >= (generation,)


def _reported(obj: Object, *names: str) -> tuple[int, ...]:
    status = obj.get("status") or {}
    return tuple(status.get(name, 0) for name in names)


def _counted(replica_set: Object, pods: list[Object], now: float) -> tuple[int, ...]:
    """Count what a ReplicaSet has to report: all pods, Ready ones, available ones."""
    ages = [now - since for each in pods if (since := ready_at(each)) is not None]
    brake = replica_set["spec"].get("minReadySeconds", 0)
    return len(pods), len(ages), sum(each >= brake for each in ages)


def _facts(obj: Object) -> Mapping[str, Any]:
    """Return what is known of a Deployment or ReplicaSet, but for names, times and messages.

    Of the conditions it is Available alone: which reason Progressing ends with is a race in the original
    (docs/findings.md).
    """
    said = annotations_of(obj)
    status = {name: value for name, value in (obj.get("status") or {}).items() if value != 0}
    return {
        "size": size(obj),
        "fence": obj["spec"].get("minReadySeconds", 0),
        **{each.rpartition("/")[2]: said.get(each) for each in (REVISION, DESIRED_REPLICAS, MAX_REPLICAS)},
        **{name: value for name, value in status.items() if name.endswith("eplicas")},
        "available": [each["reason"] for each in conditions_of(obj) if each["type"] == "Available"],
    }
