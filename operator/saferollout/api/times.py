"""Times in status: seconds since the epoch in the operator, RFC 3339 in JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema


def to_micro_time(moment: float) -> str:
    """Write seconds since the epoch to the microsecond, as ``metav1.MicroTime`` does."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_time(moment: float) -> str:
    """Write seconds since the epoch to the second, as ``metav1.Time`` does."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_rfc3339(text: str) -> float:
    """Read an RFC 3339 time as seconds since the epoch.

    Raises:
        ValueError: If it is no time, or one without an offset from UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} does not say its offset from UTC, such as Z")
    return moment.timestamp()


def _seconds(value: object) -> object:
    return from_rfc3339(value) if isinstance(value, str) else value


# The years that RFC 3339 can write, from the epoch on.
_RANGE = Field(ge=0, lt=datetime(9999, 12, 31, tzinfo=UTC).timestamp(), allow_inf_nan=False)
_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})

MicroTime = Annotated[float, _RANGE, BeforeValidator(_seconds), PlainSerializer(to_micro_time), _SCHEMA]
"""A moment that decisions depend on, kept to the microsecond."""

Time = Annotated[float, _RANGE, BeforeValidator(_seconds), PlainSerializer(to_time), _SCHEMA]
"""A moment that people read, kept to the second."""
