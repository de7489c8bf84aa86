"""Trouble that can be switched on at the ELBv2 endpoint: throttling, refusals, delay, silence."""

from __future__ import annotations

import random
from typing import Self

from pydantic import Field, model_validator

from saferollout.sim.elbv2.config import Config
from saferollout.sim.elbv2.query import Fault

FAULTS: dict[str, tuple[int, str]] = {
    "Throttling": (400, "Rate exceeded"),
    "AccessDenied": (403, "User is not authorized to perform this operation on the resource"),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "TargetGroupNotFound": (400, "One or more target groups not found"),
    "InvalidTarget": (400, "The specified target does not exist or is not in the same VPC"),
    "ValidationError": (400, "The request is not valid"),
    "HealthUnavailable": (500, "The health of the specified targets could not be retrieved"),
    "InternalFailure": (500, "The request processing has failed because of an unknown error"),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server"),
}
"""HTTP status and message of every error code that can be injected."""


class FaultRule(Config):
    """What is to happen to some calls.

    ``operation``, ``target_group`` (a name or an ARN) and ``client`` (text in the ``User-Agent``) say which,
    absent means any. ``share`` of them are hit. ``error`` is a key of `FAULTS`; ``delay_seconds`` of the wall
    clock go by before any answer; ``silent`` ones get none at all.
    """

    operation: str | None = None
    target_group: str | None = None
    client: str | None = None
    share: float = Field(default=1.0, ge=0, le=1)
    error: str | None = None
    delay_seconds: float = Field(default=0.0, ge=0)
    silent: bool = False

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.error is not None and self.error not in FAULTS:
            raise ValueError(f"error must be one of {', '.join(FAULTS)}")
        return self

    def concerns(self, operation: str, arn: str, user_agent: str) -> bool:
        """Whether a call of ``operation`` about the target group ``arn`` by ``user_agent`` is meant."""
        name = arn.split("/")[1] if "/" in arn else arn
        return (
            self.operation in {None, operation}
            and self.target_group in {None, arn, name}
            and (self.client is None or self.client in user_agent)
        )

    def fault(self) -> Fault | None:
        """Return the error reply that is asked for, ``None`` if the call is to be answered truly."""
        if self.error is None:
            return None
        status, message = FAULTS[self.error]
        return Fault(self.error, message, status)


class Faults:
    """The rules in force. Which calls a share hits follows from ``seed``, so a run can be repeated."""

    def __init__(self, *, seed: int = 0) -> None:
        self.rules: tuple[FaultRule, ...] = ()
        self._random = random.Random(seed)  # noqa: S311 - a share of calls that can be repeated, no secret

    def strike(self, operation: str, arn: str, user_agent: str) -> FaultRule | None:
        """Return the first rule that hits this call."""
        for rule in self.rules:
            if rule.concerns(operation, arn, user_agent) and self._random.random() < rule.share:
                return rule
        return None
