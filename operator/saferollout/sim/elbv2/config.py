"""How a target group and the load balancer in front of it behave, as written in a world's YAML.

All durations are seconds of the simulation's own time: the timeline's speed shortens them.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

OF_AN_NLB: dict[str, Any] = {
    "protocol": "TCP",
    "registration_seconds": 120.0,
    "stray_seconds": 120.0,
    "lag_seconds": 5.0,
}
"""The defaults that differ for an NLB (aws-load-balancer-controller 1834, 2366; containers-roadmap 470)."""


class Config(BaseModel):
    """A part of a world's configuration: camelCase in YAML, unknown keys refused, frozen."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class HealthCheck(Config):
    """The health check of a target group. ``port`` absent means the port a target is registered with."""

    enabled: bool = True
    protocol: Literal["HTTP", "HTTPS", "TCP"] | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    path: str = "/"
    interval_seconds: float = Field(default=10.0, gt=0)
    timeout_seconds: float = Field(default=5.0, gt=0)
    healthy_threshold: int = Field(default=3, ge=1, le=10)
    unhealthy_threshold: int = Field(default=3, ge=1, le=10)


class TargetGroupConfig(Config):
    """A target group and its load balancer.

    ``stray_seconds``: how long new connections still reach a target after its deregistration began.
    ``lag_seconds``: how long after a change of health, or a deregistration, the data plane learns of it.
    ``unhealthy_draining_seconds``: how long an NLB target that fails its checks is ``unhealthy.draining``.
    ``zones``: those enabled on the load balancer; empty means all. ``attached`` false: no load balancer
    uses the group. ``role``: the ARN of the role that whoever asks has to act in. ``network``: the CIDR block
    an IP target has to be in.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$")
    arn: str = ""
    region: str = "us-east-1"
    kind: Literal["alb", "nlb"]
    target_type: Literal["ip", "instance", "lambda", "alb"] = "ip"
    protocol: Literal["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP"] = "HTTP"
    port: int = Field(default=80, ge=1, le=65535)
    network: str = "10.0.0.0/8"
    zones: tuple[str, ...] = ()
    cross_zone: bool = False
    attached: bool = True
    role: str = ""
    health_check: HealthCheck = HealthCheck()
    registration_seconds: float = Field(default=5.0, ge=0)
    deregistration_delay_seconds: float = Field(default=300.0, ge=0, le=3600)
    unhealthy_draining_seconds: float = Field(default=0.0, ge=0)
    stray_seconds: float = Field(default=17.0, ge=0)
    lag_seconds: float = Field(default=1.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_kind(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        defaults = OF_AN_NLB if given.get("kind") == "nlb" else {}
        return given | {k: v for k, v in defaults.items() if k not in given and to_camel(k) not in given}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.arn:
            digest = hashlib.sha256(f"{self.region}/{self.name}".encode()).hexdigest()[:16]
            arn = f"arn:aws:elasticloadbalancing:{self.region}:123456789012:targetgroup/{self.name}/{digest}"
            object.__setattr__(self, "arn", arn)
        return self

    @property
    def check_protocol(self) -> str:
        """The protocol of the health check: HTTP behind an ALB, TCP behind an NLB by default."""
        return self.health_check.protocol or ("HTTP" if self.kind == "alb" else "TCP")
