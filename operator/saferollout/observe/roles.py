"""IAM roles to be assumed for target groups of other accounts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

SESSION_NAME = "saferollout"
"""What CloudTrail shows of whoever assumed the role."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and the external id that its trust policy may ask for."""

    arn: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A boto3 session that acts in a role, and until when (epoch seconds)."""

    session: boto3.session.Session
    expires_at: float = math.inf


def assume(
    role: Role, session: boto3.session.Session, config: Config, endpoint_url: str | None = None
) -> Credentials:
    """Assume a role. The session that does so needs ``sts:AssumeRole``, and the role has to trust it.

    Raises:
        botocore.exceptions.ClientError: STS refuses it.
        botocore.exceptions.BotoCoreError: There is no way to STS.
    """
    sts: Any = session.client("sts", endpoint_url=endpoint_url, config=config)
    external_id = {} if role.external_id is None else {"ExternalId": role.external_id}
    given = sts.assume_role(RoleArn=role.arn, RoleSessionName=SESSION_NAME, **external_id)["Credentials"]
    acting = boto3.session.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=session.region_name,
    )
    return Credentials(acting, given["Expiration"].timestamp())
