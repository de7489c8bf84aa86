"""What the status remembers because the cluster cannot tell it. Times are seconds since the epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from saferollout.api.reasons import Reason
from saferollout.decide.workload import Disruption


@dataclass(frozen=True, slots=True)
class Draining:
    """A target of a pod that was chosen to go, kept in status until ELBv2 has let go of it.

    ``ended_at`` is when the pod's containers had ended.
    """

    target_group: str
    id: str
    port: int
    pod: str
    zone: str | None
    since: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """How long load balancers could still send to retired pods whose containers had ended, in whole seconds.

    ``pods`` have been retired and let go of; ``seconds`` is their sum, ``worst`` that of one pod.
    """

    pods: int = 0
    seconds: int = 0
    worst: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """Pods that somebody took in mid-rollout, by who it was.

    ``leaving`` are the names of those that something is still left of, so that no pod is counted twice.
    """

    by: Disruption
    pods: int
    leaving: tuple[str, ...] = ()


class Because(StrEnum):
    """Why an old pod goes in the next step."""

    NOT_READY = "NotReady"
    ALL_GO = "AllGo"
    NOT_SERVING = "NotServing"
    MOST_TO_SPARE = "MostToSpare"


@dataclass(frozen=True, slots=True)
class Chosen:
    """An old pod that goes in the next step, by name."""

    pod: str
    zone: str | None
    because: Because


@dataclass(frozen=True, slots=True)
class Failed:
    """A revision that is not rolled out again until its template changes, or somebody retries.

    ``template`` is the digest of its template, ``restored`` of the one that takes its place. ``rolled_back``:
    that one has been seen on the Deployment since, so that the failed one, if it is back, is somebody's wish.
    """

    revision: str
    template: str
    restored: str
    cause: str
    at: float
    rolled_back: bool = False


@dataclass(frozen=True, slots=True)
class Takeover:
    """A field of the Deployment that somebody else has written over the operator's value.

    ``field`` is its name in the API (``minReadySeconds``), ``manager`` the last writer by ``managedFields``,
    ``times`` how often the operator has written it again; ``since`` and ``latest`` are seconds.
    """

    field: str
    manager: str
    times: int
    since: float
    latest: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What the status remembers because the cluster cannot tell it.

    ``had``: how many pods each zone had when the rollout began, ``None`` before. Floors are measured by it.
    ``retiring``: the old pods chosen for the next release, ``planned_at`` since when.
    ``waiting_since``: when the wait for ``reason`` began. ``step_started_at``: when the last release was.
    ``exposure`` is that of the rollout in progress, or of the last one, and so are the pods ``lost``.
    ``serving_since``: since when all new pods have been seen to serve, if that is asked for.
    ``zone``: whose old pods go now, if they go zone by zone; ``zone_since``: since when it is that one.
    ``failing_since``: since when not all new pods have served, ``None`` while they do or nobody knows.
    ``baking_since``: since when all new pods have served and all old targets been drained.
    ``approved``: the points of approval, as written, that somebody has approved of. ``skipped``: gates that
    somebody has had skipped for the next release, at ``skipped_at``. ``failed``: what was rolled back, or is
    to be.
    ``ledger`` is a copy of the Deployment's annotation, which others may take away or replace by an old one.
    ``takeovers``: fields of the Deployment that somebody else writes too.
    """

    stable: str | None = None
    target: str | None = None
    reason: Reason | None = None
    waiting_since: float | None = None
    started_at: float | None = None
    step_started_at: float | None = None
    had: tuple[tuple[str, int], ...] | None = None
    retiring: tuple[Chosen, ...] = ()
    planned_at: float | None = None
    draining: tuple[Draining, ...] = ()
    serving_since: float | None = None
    exposure: Exposure = Exposure()
    zone: str | None = None
    zone_since: float | None = None
    failing_since: float | None = None
    baking_since: float | None = None
    approved: tuple[str, ...] = ()
    skipped: tuple[Reason, ...] = ()
    skipped_at: float | None = None
    failed: Failed | None = None
    lost: tuple[Lost, ...] = ()
    ledger: str | None = None
    takeovers: tuple[Takeover, ...] = ()
