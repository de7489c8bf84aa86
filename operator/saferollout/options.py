"""The operator's own settings: the same for every SafeRollout, from flags or the environment."""

from __future__ import annotations

import os
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from saferollout.decide.observation import Tuning

PREFIX = "SAFEROLLOUT_"


class Options(BaseModel):
    """Settings of the operator. Every one can be given as an environment variable with ``SAFEROLLOUT_``."""

    model_config = ConfigDict(frozen=True)

    namespaces: tuple[str, ...] = Field(default=(), description="Namespaces to watch; none: all of them.")
    poll_interval: float = Field(
        default=5.0, ge=0.05, description="Seconds between two looks at ELBv2 while something is awaited."
    )
    describe_rate: float = Field(
        default=5.0,
        gt=0.0,
        description="Questions to ELBv2 a second at the most, for each account and Region. AWS allows about"
        " 10, shared with everything else.",
    )
    least_fence: float = Field(
        default=15.0,
        ge=1.0,
        description="Seconds that a release is fenced for at the least: for so long the operator may be dead"
        " in mid-release before the Deployment could move on by itself.",
    )
    settle: float = Field(
        default=2.0, ge=0.0, description="Seconds that deletion costs are given to reach the controllers."
    )
    listen: str = Field(default="0.0.0.0", description="Address of probes and metrics.")  # noqa: S104 - a pod's
    port: int = Field(
        default=8080, ge=0, le=65535, description="Port of probes and metrics; 0: any free one."
    )

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings from ``SAFEROLLOUT_…``; lists are separated by commas.

        Raises:
            pydantic.ValidationError: If one of them is not what it should be.
        """
        given = {
            name: os.environ[f"{PREFIX}{name.upper()}"]
            for name in cls.model_fields
            if os.environ.get(f"{PREFIX}{name.upper()}")
        }
        lists = {"namespaces": tuple(filter(None, given.pop("namespaces", "").split(",")))}
        return cls.model_validate(given | lists)

    @property
    def tuning(self) -> Tuning:
        """What decisions need of it. An answer counts for three polls."""
        return Tuning(self.least_fence, self.settle, stale_after=3 * self.poll_interval)

    @property
    def patience(self) -> float:
        """Seconds for which a turn waits for ELBv2: not until the fence of a release has expired."""
        return self.least_fence / 2
