"""Target group ARNs, read locally: what can be told without asking AWS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_TARGET_GROUP = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*)"  # aws, aws-cn, aws-us-gov, aws-eusc, aws-iso-b, …
    r":elasticloadbalancing"
    r":(?P<region>[a-z]+(?:-[a-z]+)+-\d+)"
    r":(?P<account>\d{12})"
    r":targetgroup/(?P<name>[A-Za-z0-9-]{1,32})/[0-9a-f]+",
    re.ASCII,
)

EXAMPLE = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/0123456789abcdef"


@dataclass(frozen=True, slots=True)
class TargetGroupArn:
    """The parts of a target group's ARN that are needed here."""

    region: str
    account: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read an ARN, ``None`` when it is not one of a target group."""
        match = _TARGET_GROUP.fullmatch(text)
        return cls(match["region"], match["account"], match["name"]) if match else None
