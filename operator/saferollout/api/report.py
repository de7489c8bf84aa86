"""Writes a decision into the status of its SafeRollout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from saferollout.api.conditions import conditions
from saferollout.api.plain import message, quoted
from saferollout.api.reasons import EXPLANATIONS, Phase
from saferollout.api.status import (
    DrainingTarget,
    ExposureStatus,
    FailedRevision,
    LostPods,
    PastRollout,
    Replicas,
    RetiringPod,
    Revision,
    Status,
    StepStatus,
    Summary,
    TakeoverStatus,
    TargetGroupStatus,
    ZoneStatus,
)
from saferollout.api.unshown import LISTED, Unshown, pack
from saferollout.decide.decision import Decision, Finished, Picture, ZoneCount
from saferollout.decide.memory import Draining, Exposure, Failed, Memory
from saferollout.decide.observation import Problem

HISTORY_LENGTH = 10
"""Past rollouts that a status keeps."""

_AWS_ZONE = re.compile(r"[a-z]+(-[a-z]+)+-(?P<short>[0-9]+[a-z])")


def report(
    decision: Decision, *, previous: Status, problems: Sequence[Problem], generation: int, now: float
) -> Status:
    """Return the status that says what was decided, and remembers what has to be.

    Args:
        decision: What was decided.
        previous: The status so far; its history and its times of transition go on.
        problems: Everything that is known to be wrong.
        generation: ``metadata.generation`` of the spec that was followed.
        now: Seconds since the epoch.
    """
    memory, picture = decision.memory, decision.picture
    return Status(
        observed_generation=generation,
        phase=_phase(decision),
        reason=decision.reason,
        message=message(decision.message),
        waiting_since=memory.waiting_since,
        started_at=memory.started_at,
        revision=Revision(stable=memory.stable, target=memory.target),
        failed=_failed(memory.failed),
        step=StepStatus(
            index=picture.step,
            total=picture.steps,
            started_at=memory.step_started_at,
            planned_at=memory.planned_at,
            serving_since=memory.serving_since,
            retiring=tuple(
                RetiringPod.model_validate(each, from_attributes=True) for each in memory.retiring[:LISTED]
            ),
            failing_since=memory.failing_since,
            baking_since=memory.baking_since,
            approved=memory.approved,
            skipped=memory.skipped,
            skipped_at=memory.skipped_at,
            zone=memory.zone,
            zone_since=memory.zone_since,
        ),
        replicas=Replicas(
            desired=picture.desired,
            updated=picture.updated,
            serving=picture.serving,
            draining=len({each.id for each in memory.draining}),
        ),
        zones=_zones(picture, memory),
        target_groups=tuple(
            TargetGroupStatus.model_validate(
                replace(each, name=quoted(each.name), source=quoted(each.source)), from_attributes=True
            )
            for each in picture.groups
        ),
        draining=_draining(memory.draining[:LISTED], {group.arn: group.name for group in picture.groups}),
        unshown=pack(_unshown(memory)),
        exposure=_exposure(memory.exposure),
        lost=tuple(
            LostPods(by=each.by, pods=each.pods, leaving=each.leaving[:LISTED]) for each in memory.lost
        ),
        ledger=memory.ledger,
        takeovers=tuple(
            TakeoverStatus.model_validate(each, from_attributes=True) for each in memory.takeovers
        ),
        summary=Summary(
            step=f"{picture.step}/{picture.steps}" if picture.steps else None,
            updated=f"{picture.updated}/{picture.desired}",
            zones=_by_zone({zone.name: zone.serving for zone in picture.zones}),
        ),
        conditions=conditions(
            [
                Problem(each.reason, message(each.message))
                for each in (Problem(decision.reason, decision.message), *problems)
            ],
            picture,
            generation=generation,
            previous=previous.conditions,
            now=now,
        ),
        history=_history(previous.history, decision.finished),
    )


def to_json(status: Status) -> dict[str, Any]:
    """Return the status as a JSON merge patch takes it: null in a member removes what was there."""
    content: dict[str, Any] = status.model_dump(mode="json", by_alias=True)
    return {name: _items_without_nulls(each) for name, each in content.items()}


def _items_without_nulls(value: Any) -> Any:
    """Leave null out of the items of every list: a merge patch replaces a list as it is."""
    if isinstance(value, Mapping):
        return {name: _items_without_nulls(each) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    return [
        {name: each for name, each in item.items() if each is not None} if isinstance(item, Mapping) else item
        for item in value
    ]


def _zones(picture: Picture, memory: Memory) -> tuple[ZoneStatus, ...]:
    """Merge what zones have with what they had, zones without a pod by now included."""
    now = {zone.name: zone for zone in picture.zones}
    had = dict(memory.had or ())
    found = (now.get(name, ZoneCount(name, 0, 0, 0)) for name in sorted({*now, *had}))
    return tuple(
        ZoneStatus(
            name=zone.name,
            serving=zone.serving,
            updated=zone.updated,
            had=had.get(zone.name),
            floor=zone.floor if zone.name in had else None,
        )
        for zone in found
    )


def _phase(decision: Decision) -> Phase:
    """The phase of the reason; what makes progress on the way back says so."""
    phase = EXPLANATIONS[decision.reason].phase
    back = decision.picture.rolling_back and phase is Phase.PROGRESSING
    return Phase.ROLLING_BACK if back else phase


def _failed(failed: Failed | None) -> FailedRevision | None:
    if failed is None:
        return None
    told = replace(failed, cause=message(failed.cause))
    return FailedRevision.model_validate(told, from_attributes=True)


def _unshown(memory: Memory) -> Unshown:
    leaving = ((each.by, name) for each in memory.lost for name in each.leaving[LISTED:])
    return Unshown(memory.draining[LISTED:], memory.retiring[LISTED:], tuple(leaving))


def _exposure(exposure: Exposure) -> ExposureStatus | None:
    return ExposureStatus.model_validate(exposure, from_attributes=True) if exposure.pods else None


def _draining(entries: Sequence[Draining], names: Mapping[str, str]) -> tuple[DrainingTarget, ...]:
    return tuple(
        DrainingTarget(
            target_group=quoted(names.get(each.target_group, each.target_group)),
            arn=each.target_group,
            id=each.id,
            port=each.port,
            pod=each.pod or None,
            zone=each.zone,
            since=each.since,
            ended_at=each.ended_at,
        )
        for each in entries
    )


def _by_zone(serving: Mapping[str, int]) -> str:
    """Write serving pods by zone, AWS zones without their Region: ``1a=4 1b=3 1c=4``."""
    matches = {name: _AWS_ZONE.fullmatch(name) for name in serving}
    short = {name: match["short"] if match else name for name, match in matches.items()}
    if len(set(short.values())) < len(short):
        short = {name: name for name in serving}
    return " ".join(f"{short[name]}={count}" for name, count in sorted(serving.items()))


def _history(past: tuple[PastRollout, ...], finished: Finished | None) -> tuple[PastRollout, ...]:
    if finished is None:
        return past
    latest = PastRollout(
        revision=finished.revision,
        started_at=finished.started_at,
        finished_at=finished.finished_at,
        outcome=finished.outcome,
        steps=finished.steps,
    )
    return (latest, *past)[:HISTORY_LENGTH]
