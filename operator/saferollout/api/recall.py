"""Reads back from a status what it was written to remember.

A status can be edited by anybody who may, so whatever is malformed in it counts as absent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from saferollout.api.reasons import ConditionType, Reason
from saferollout.api.status import DrainingTarget, Status, StepStatus
from saferollout.api.unshown import unpack
from saferollout.decide.memory import Chosen, Draining, Exposure, Failed, Lost, Memory, Takeover
from saferollout.decide.observation import Guard

_TRUTH = {"True": True, "False": False}

_Path = tuple[int | str, ...]


def read_status(raw: object) -> Status:
    """Read ``status`` as it is in the API, without the members that are not what they should be."""
    left = raw if isinstance(raw, Mapping) else {}
    while True:
        try:
            return Status.model_validate(left)
        except ValidationError as error:
            # What lacks a member it cannot do without goes as a whole, so every round removes something.
            malformed = {
                each["loc"][:-1] if each["type"] == "missing" else each["loc"] for each in error.errors()
            }
            left = _without(left, malformed)


def memory_of(status: Status) -> Memory:
    """Return what the status remembers.

    What zones had comes back as unknown when none had a pod at the time: it is then what they have later.
    """
    revision, step = status.revision, status.step
    unshown = unpack(status.unshown)
    return Memory(
        stable=revision.stable if revision else None,
        target=revision.target if revision else None,
        reason=Reason(status.reason) if status.reason in set(Reason) else None,
        waiting_since=status.waiting_since,
        started_at=status.started_at,
        step_started_at=step.started_at if step else None,
        had=tuple((zone.name, zone.had) for zone in status.zones if zone.had is not None) or None,
        retiring=_retiring(step) + unshown.retiring,
        failing_since=step.failing_since if step else None,
        baking_since=step.baking_since if step else None,
        approved=step.approved if step else (),
        skipped=tuple(Reason(each) for each in step.skipped if each in set(Reason)) if step else (),
        skipped_at=step.skipped_at if step else None,
        failed=_failed(status),
        zone=step.zone if step else None,
        zone_since=step.zone_since if step else None,
        planned_at=step.planned_at if step else None,
        serving_since=step.serving_since if step else None,
        exposure=_exposure(status),
        draining=tuple(_draining(each) for each in status.draining) + unshown.draining,
        lost=tuple(
            Lost(each.by, each.pods, (*each.leaving, *unshown.names(each.by))) for each in status.lost
        ),
        ledger=status.ledger,
        takeovers=_takeovers(status),
    )


def guard_of(status: Status) -> Guard:
    """Return what was last known of the guard."""
    told = (each.status for each in status.conditions if each.type == ConditionType.GUARDED)
    return Guard(_TRUTH.get(next(told, "")))


def _retiring(step: StepStatus | None) -> tuple[Chosen, ...]:
    return tuple(Chosen(each.pod, each.zone, each.because) for each in step.retiring) if step else ()


def _takeovers(status: Status) -> tuple[Takeover, ...]:
    """Return one for each field: the API server lets no status have two, other readers may."""
    found = {
        each.field: Takeover(each.field, each.manager, each.times, each.since, each.latest)
        for each in status.takeovers
    }
    return tuple(found.values())


def _draining(target: DrainingTarget) -> Draining:
    return Draining(
        target_group=target.arn,
        id=target.id,
        port=target.port,
        pod=target.pod or "",
        zone=target.zone,
        since=target.since,
        ended_at=target.ended_at,
    )


def _failed(status: Status) -> Failed | None:
    told = status.failed
    return None if told is None else Failed(**dict(told))


def _exposure(status: Status) -> Exposure:
    told = status.exposure
    return Exposure(told.pods, told.seconds, told.worst) if told else Exposure()


def _without(value: Any, paths: Collection[_Path], here: _Path = ()) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _without(each, paths, (*here, name))
            for name, each in value.items()
            if (*here, name) not in paths
        }
    if isinstance(value, list | tuple):
        return [
            _without(each, paths, (*here, index))
            for index, each in enumerate(value)
            if (*here, index) not in paths
        ]
    return value
