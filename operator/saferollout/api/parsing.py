"""Reads the spec of a SafeRollout into what decisions are made from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from saferollout.api.model import (
    AlarmRef,
    InsufficientData,
    OnDelete,
    OnFailure,
    Spec,
    TargetGroupRef,
    WhenUnsatisfiable,
    ZoneOrder,
    Zones,
)
from saferollout.api.quantities import seconds
from saferollout.decide.policy import Policy, WatchedAlarm


class InvalidSpecError(ValueError):
    """A spec that cannot be followed. The text names each field, its value and what to write instead."""


@dataclass(frozen=True, slots=True)
class ParsedSpec:
    """A spec that can be followed: the Deployment's name, the target groups asked for, and the policy."""

    deployment: str
    target_groups: tuple[TargetGroupRef, ...]
    policy: Policy


def parse_spec(raw: Mapping[str, Any]) -> ParsedSpec:
    """Read ``spec`` as it is in the API, defaults filled in where it leaves something out.

    The API server refuses most of what is wrong; this is for what was stored before it knew how.

    Raises:
        InvalidSpecError: If the spec cannot be followed.
    """
    try:
        spec = Spec.model_validate(_without_nulls(raw))
    except ValidationError as error:
        problems = "; ".join(_sentence(each) for each in error.errors())
        raise InvalidSpecError(problems) from error
    return ParsedSpec(
        deployment=spec.deployment_ref.name,
        target_groups=tuple(dict.fromkeys(spec.target_groups)),
        policy=Policy(
            max_surge=spec.step.max_surge,
            max_unavailable=spec.step.max_unavailable,
            health_timeout=seconds(spec.gates.target_health.timeout),
            stable_for=seconds(spec.gates.target_health.stable_for),
            drain_timeout=seconds(spec.gates.drain.timeout),
            growth=spec.step.growth,
            min_healthy=spec.zones.min_healthy,
            floor_patience=_patience(spec.zones),
            zone_by_zone=spec.zones.order is ZoneOrder.ZONE_BY_ZONE,
            zone_bake=seconds(spec.zones.bake),
            bake=seconds(spec.gates.bake),
            approvals=tuple(spec.approvals),
            rolls_back=spec.on_failure is OnFailure.ROLLBACK,
            paused=spec.paused,
            keep_paused=spec.on_delete is OnDelete.KEEP_PAUSED,
            alarms=tuple(dict.fromkeys(map(_watched, spec.gates.alarms))),
        ),
    )


def _watched(alarm: AlarmRef) -> WatchedAlarm:
    return WatchedAlarm(alarm.name, counts_without_data=alarm.insufficient_data is InsufficientData.ALARM)


def _patience(zones: Zones) -> float:
    proceeds = zones.when_unsatisfiable is WhenUnsatisfiable.PROCEED
    return seconds(zones.timeout) if proceeds else math.inf


def _without_nulls(value: Any) -> Any:
    """Leave out members that are null, as the API server does where a default stands ready."""
    if not isinstance(value, Mapping):
        return value
    return {name: _without_nulls(each) for name, each in value.items() if each is not None}


_INSTEAD = {
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a mapping of its fields",
    "model_attributes_type": "a mapping of its fields",
    "string_too_short": "some text",
    "string_type": "text",
    "too_long": "fewer of them",
}
"""What to write instead, by pydantic's type of error. Rules bring a text of their own."""


def _sentence(error: ErrorDetails) -> str:
    where = _path(error["loc"])
    if error["type"] == "missing":
        field = ".".join(part for part in error["loc"] if isinstance(part, str))
        return f"{where} is missing: write it, see kubectl explain saferollout.spec.{field}"
    instead = _INSTEAD.get(error["type"], error["msg"])
    return f"{where} is {_shown(error['input'])}: write {instead}"


def _path(location: tuple[int | str, ...]) -> str:
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"
