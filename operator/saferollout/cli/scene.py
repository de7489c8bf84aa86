"""What there is to show of one SafeRollout: frozen data, put together from what the Kubernetes API says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from saferollout.api.reasons import Phase
from saferollout.api.status import Status
from saferollout.decide.workload import Deployment, Pod, ReplicaSet

UNPLACED = "(none yet)"
"""Stands for the zone of pods that are in none, or in one that nobody knows."""


class PodState(StrEnum):
    """Where a pod is on its way from creation to the end of its last target."""

    SERVING = "serving"
    READY = "ready"
    STARTING = "starting"
    PENDING = "pending"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Mark:
    """One pod. ``new`` says that it is of the revision the Deployment leads to."""

    pod: str
    new: bool
    state: PodState


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: its pods, how many of them serve, and the floor in force, ``None`` at rest."""

    name: str
    marks: tuple[Mark, ...]
    serving: int
    floor: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An Event of the SafeRollout or its Deployment. ``at`` is seconds since the epoch."""

    uid: str
    at: float
    subject: str
    reason: str
    message: str
    warning: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is shown. ``trouble`` says why it may not be up to date, empty if it is.

    ``observed`` says that the status is about the present spec, and ``current`` that it is about the present
    pod template too: the operator may not have noticed either yet.
    """

    namespace: str
    name: str
    deployment: str
    status: Status
    zones: tuple[Zone, ...] = ()
    events: tuple[Entry, ...] = ()
    observed: bool = False
    current: bool = False
    trouble: str = ""

    @property
    def done(self) -> bool:
        """Whether the rollout of what is asked for now has ended."""
        return self.observed and self.current and self.status.phase == Phase.IDLE

    @property
    def failed(self) -> bool:
        """Whether the operator cannot follow what is asked for now."""
        return self.observed and self.status.phase == Phase.DEGRADED


@dataclass(frozen=True, slots=True)
class Workload:
    """The Deployment and what it controls, ``deployment`` being ``None`` if there is none of that name."""

    deployment: Deployment | None = None
    replica_sets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()

    @property
    def target(self) -> ReplicaSet | None:
        """The ReplicaSet of the present template, ``None`` if the Deployment controller has made none yet."""
        if self.deployment is None:
            return None
        template = self.deployment.template
        return next((each for each in self.replica_sets if each.template == template), None)

    def followed_by(self, status: Status) -> bool:
        """Whether the status speaks of the present template, and the Deployment controller knows it too."""
        if self.deployment is None or self.target is None or status.revision is None:
            return False
        noticed = self.deployment.observed_generation >= self.deployment.generation
        return noticed and status.revision.target == self.target.hash


def zones(workload: Workload, status: Status) -> tuple[Zone, ...]:
    """Sort pods, and targets that outlive theirs, by zone.

    The status says how many pods of a zone serve, not which. Those that have been Ready for the shortest
    time are taken for the ones that do not.
    """
    pods = _by_zone(workload.pods)
    gone = _gone(workload.pods, status)
    serving = {each.name: each.serving for each in status.zones}
    floors = {each.name: each.floor for each in status.zones}
    return tuple(
        Zone(
            name,
            (*_marks(pods.get(name, ()), serving.get(name, 0), workload), *gone.get(name, ())),
            serving=serving.get(name, 0),
            floor=floors.get(name),
        )
        for name in sorted({*pods, *serving, *gone})
    )


def _by_zone(pods: Iterable[Pod]) -> dict[str, list[Pod]]:
    found: dict[str, list[Pod]] = {}
    for pod in pods:
        if pod.phase not in {"Succeeded", "Failed"}:
            found.setdefault(pod.zone or UNPLACED, []).append(pod)
    return found


def _marks(pods: Sequence[Pod], serving: int, workload: Workload) -> Iterable[Mark]:
    ready = [pod for pod in pods if pod.ready_since is not None and not pod.terminating]
    ready.sort(key=lambda pod: pod.ready_since or 0.0)
    serves = {pod.name for pod in ready[:serving]}
    target = workload.target
    for pod in pods:
        new = target is not None and pod.owner == target.uid
        yield Mark(pod.name, new, _state(pod, is_serving=pod.name in serves))


def _state(pod: Pod, *, is_serving: bool) -> PodState:
    if pod.terminating:
        return PodState.LEAVING
    if pod.node is None:
        return PodState.PENDING
    if pod.ready_since is None:
        return PodState.STARTING
    return PodState.SERVING if is_serving else PodState.READY


def _gone(pods: Iterable[Pod], status: Status) -> dict[str, list[Mark]]:
    """Pods that are no more, but whose targets still drain."""
    there = {pod.name for pod in pods}
    found: dict[str, list[Mark]] = {}
    for name, zone in {each.pod: each.zone for each in status.draining if each.pod not in there}.items():
        found.setdefault(zone or UNPLACED, []).append(Mark(name or "", new=False, state=PodState.LEAVING))
    return found


def entry(raw: Mapping[str, Any], subjects: Collection[tuple[Any, Any]]) -> Entry | None:
    """Read an Event, ``None`` unless it is about one of the ``subjects`` (kind and name)."""
    about = raw.get("involvedObject") or {}
    if (about.get("kind"), about.get("name")) not in subjects:
        return None
    meta = raw["metadata"]
    at = raw.get("lastTimestamp") or raw.get("eventTime") or meta["creationTimestamp"]
    return Entry(
        uid=meta["uid"],
        at=datetime.fromisoformat(at).timestamp(),
        subject=about["kind"],
        reason=raw.get("reason") or "",
        message=raw.get("message") or "",
        warning=raw.get("type") == "Warning",
    )
