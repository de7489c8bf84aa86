"""What is wrong with an object, worded as ``field.Error`` of Kubernetes words it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from saferollout.sim.errors import ApiError, about
from saferollout.sim.resources import Resource


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is not as it has to be. ``problem`` starts with the kind of it, as people read it."""

    field: str
    reason: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


def invalid(field: str, value: Any, why: str) -> Violation:
    """The value is not allowed, because ``why``."""
    return Violation(field, "FieldValueInvalid", f"Invalid value: {orjson.dumps(value).decode()}: {why}")


def wrong_type(field: str, value: Any, why: str) -> Violation:
    """The value is of a type that it must not have."""
    return Violation(field, "FieldValueTypeInvalid", invalid(field, value, why).problem)


def forbidden(field: str, why: str) -> Violation:
    """The field is not to be written now, whatever the value."""
    return Violation(field, "FieldValueForbidden", f"Forbidden: {why}")


def required(field: str, why: str = "") -> Violation:
    """The value is missing."""
    return Violation(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def unsupported(field: str, value: Any, supported: Sequence[Any]) -> Violation:
    """The value is none of those that there are."""
    listed = ", ".join(orjson.dumps(each).decode() for each in supported)
    problem = f"Unsupported value: {orjson.dumps(value).decode()}: supported values: {listed}"
    return Violation(field, "FieldValueNotSupported", problem)


def duplicate(field: str, value: Any) -> Violation:
    """The value is in the list already."""
    return Violation(field, "FieldValueDuplicate", f"Duplicate value: {orjson.dumps(value).decode()}")


def too_long(field: str, most: int) -> Violation:
    """The text has too many bytes."""
    return Violation(field, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")


def too_many(field: str, length: int, most: int) -> Violation:
    """The list has too many items."""
    return Violation(field, "FieldValueTooMany", f"Too many: {length}: must have at most {most} items")


def refusal(resource: Resource, name: str, violations: Sequence[Violation]) -> ApiError:
    """Make one answer of all that is wrong: ``Deployment.apps "web" is invalid: …``."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    said = str(violations[0]) if len(violations) == 1 else f"[{', '.join(map(str, violations))}]"
    causes = [{"reason": each.reason, "message": each.problem, "field": each.field} for each in violations]
    details = {**about(resource, name, resource.kind), "causes": causes}
    message = f'{kind} "{name}" is invalid: {said}'
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, details)
