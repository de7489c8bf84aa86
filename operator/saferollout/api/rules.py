"""What a field's value has to be, said once: the API server is told in CEL, the operator checks it too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from saferollout.api.quantities import DURATION_PATTERN, PERCENT_PATTERN, seconds


@dataclass(frozen=True, slots=True)
class Rule:
    """A demand on a field, to be put into its ``Annotated`` type.

    The operator checks it again because it may meet objects that were stored before the API server knew
    the rule.

    Attributes:
        instead: What to write, completing the sentence "write …".
        cel: The demand in CEL, about ``self``.
        holds: The same demand on whatever JSON value was found.
        keywords: What of it the schema can say without CEL, for editors and ``kubectl explain``.
    """

    instead: str
    cel: str
    holds: Callable[[object], bool]
    keywords: Mapping[str, object] = field(default_factory=dict, hash=False)

    def check(self, value: object) -> object:
        """Return ``value``, or raise a pydantic error whose message is ``instead``."""
        if not self.holds(value):
            raise PydanticCustomError("rule", "{instead}", {"instead": self.instead})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), **self.keywords, **validation(self.cel, f"write {self.instead}")}


def validation(cel: str, message: str) -> dict[str, Any]:
    """The schema keyword that makes the API server refuse what breaks a CEL rule, with a message."""
    return validations((cel, message))


def validations(*rules: tuple[str, str]) -> dict[str, Any]:
    """The same for several rules, each with its message."""
    return {"x-kubernetes-validations": [{"rule": cel, "message": message} for cel, message in rules]}


def _matches(pattern: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _is_count(value: object, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _is_span(value: object) -> bool:
    try:
        return isinstance(value, str) and seconds(value) >= 0
    except ValueError:
        return False


def _is_timeout(value: object) -> bool:
    return _is_span(value) and seconds(str(value)) > 0


_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
_is_percent = _matches(PERCENT_PATTERN)

ObjectName = Annotated[
    str,
    Rule(
        instead="the name of an object in this namespace: lower-case letters, digits, '-' and '.'",
        cel=f"self.matches('{_NAME_PATTERN}')",
        holds=_matches(_NAME_PATTERN),
        keywords={"minLength": 1, "maxLength": 253},
    ),
]

_PORT_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_is_port_name = _matches(_PORT_NAME_PATTERN)

ServicePort = Annotated[
    int | str,
    Rule(
        instead="the number or the name of a port of the Service",
        cel=f"type(self) == int ? self >= 1 && self <= 65535 : self.matches('{_PORT_NAME_PATTERN}')",
        holds=lambda value: (_is_count(value, 1) and int(str(value)) <= 65535) or _is_port_name(value),
        keywords={"minimum": 1, "maximum": 65535, "maxLength": 63, "pattern": _PORT_NAME_PATTERN},
    ),
]

_ALARM_PATTERN = r"^[^\x00-\x1f\x7f]{1,255}$"

AlarmName = Annotated[
    str,
    Rule(
        instead="the name of a CloudWatch alarm: 1 to 255 characters, no control characters",
        cel=f"self.matches(r'{_ALARM_PATTERN}')",
        holds=_matches(_ALARM_PATTERN),
        keywords={"minLength": 1, "maxLength": 255},
    ),
]

Pods = Annotated[
    int | str,
    Rule(
        instead="0 or more pods, or a percent from 0% to 100% such as 50%",
        cel=f"type(self) == int ? self >= 0 : self.matches('{PERCENT_PATTERN}')",
        holds=lambda value: _is_count(value, 0) or _is_percent(value),
        keywords={"minimum": 0, "pattern": PERCENT_PATTERN},
    ),
]

ApprovalPoint = Annotated[
    int | str,
    Rule(
        instead="1 or more pods, or a percent from 1% to 100% such as 50%",
        cel=f"type(self) == int ? self >= 1 : self.matches('{PERCENT_PATTERN}') && self != '0%'",
        holds=lambda value: _is_count(value, 1) or (_is_percent(value) and value != "0%"),
        keywords={"minimum": 1, "maxLength": 4, "pattern": PERCENT_PATTERN},
    ),
]

Timeout = Annotated[
    str,
    Rule(
        instead="a duration above zero such as 90s, 10m or 1h30m",
        # CEL forgives an error on one side of && when the other is false, so text that is no duration
        # gets this rule's message and not one about a failed conversion.
        cel=f"self.matches('{DURATION_PATTERN}') && duration(self) > duration('0s')",
        holds=_is_timeout,
        keywords={"pattern": DURATION_PATTERN, "maxLength": 32},
    ),
]

Span = Annotated[
    str,
    Rule(
        instead="a duration such as 0s, 90s or 10m",
        cel=f"self.matches('{DURATION_PATTERN}') && duration(self) >= duration('0s')",
        holds=_is_span,
        keywords={"pattern": DURATION_PATTERN, "maxLength": 32},
    ),
]
