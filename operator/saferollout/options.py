"""The operator's own settings: the same for every SafeRollout, from flags or the environment."""

from __future__ import annotations

import os
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from saferollout.decide.policy import Tuning

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
        description="Questions to ELBv2 a second at the most, for each account and Region, and as many to"
        " CloudWatch. AWS allows about 10 of either, shared with everything else.",
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
    elect: bool = Field(
        default=True, description="Act only while holding a Lease, so that several operators can run."
    )
    lease_namespace: str | None = Field(
        default=None, description="Namespace of the Lease; none: the pod's own, or that of the kubeconfig."
    )
    lease_name: str = Field(default="saferollout", description="Name of the Lease.")
    lease_duration: int = Field(
        default=10,
        ge=1,
        description="Seconds after which others may have the Lease of an operator that has died. With two"
        " renewals it is to be less than least-fence.",
    )
    renew_deadline: float = Field(
        default=6.0, gt=0.0, description="Seconds after which an operator that cannot renew its Lease ends."
    )
    renew_interval: float = Field(
        default=1.0,
        gt=0.0,
        description="Seconds between two renewals of the Lease, and between two looks at it.",
    )
    guard_interval: float = Field(
        default=600.0,
        ge=1.0,
        description="Seconds between two questions to the API server whether a guard is in force, for each"
        " Deployment: a dry run of a patch.",
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

    @model_validator(mode="after")
    def _lease_outlasts(self) -> Self:
        if not self.renew_interval < self.renew_deadline < self.lease_duration:
            raise ValueError(
                "renew_interval must be less than renew_deadline, and that less than lease_duration"
            )
        return self

    @property
    def tuning(self) -> Tuning:
        """What decisions need of it. An answer counts for three polls."""
        return Tuning(self.least_fence, self.settle, stale_after=3 * self.poll_interval)

    @property
    def outlasts_a_takeover(self) -> bool:
        """Whether a release is fenced until another operator is there, should the one that made it die."""
        return self.lease_duration + 2 * self.renew_interval < self.least_fence

    @property
    def patience(self) -> float:
        """Seconds for which a turn waits for ELBv2: not until the fence of a release has expired."""
        return self.least_fence / 2
