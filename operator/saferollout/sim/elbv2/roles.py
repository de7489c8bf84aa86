"""STS, as far as roles are assumed: whoever asks about another account's target group has to act in one."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.elbv2.query import Fault, Query, Reply

LASTS = timedelta(hours=1)

_SIGNED_BY = re.compile(r"Credential=([A-Z0-9]+)/")


class Roles:
    """Gives out keys, and knows whose they are."""

    def __init__(self) -> None:
        self._roles: dict[str, str] = {}

    def assume(self, query: Query) -> Reply:
        """Answer ``AssumeRole``.

        Raises:
            Fault: ``AccessDenied`` for a role whose name ends in ``-denied``, and for one whose name ends in
                ``-external`` unless the external id is ``agreed``.
        """
        role, name = query.text("RoleArn"), query.text("RoleSessionName")
        denied = role.endswith("-denied")
        if denied or (role.endswith("-external") and query.parameters.get("ExternalId") != "agreed"):
            message = f"User: somebody is not authorized to perform: sts:AssumeRole on resource: {role}"
            raise Fault("AccessDenied", message, 403)
        key = f"ASIA{hashlib.sha256(role.encode()).hexdigest()[:16].upper()}"
        self._roles[key] = role
        until = datetime.now(UTC) + LASTS
        return {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": "nothing",
                "SessionToken": "nothing",
                "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "AssumedRoleUser": {"AssumedRoleId": f"AROA:{name}", "Arn": f"{role}/{name}"},
        }

    def check(self, authorization: str, group: TargetGroupConfig) -> None:
        """Let only those through who act in the role that a target group asks for.

        Raises:
            Fault: ``AccessDenied``.
        """
        signed = _SIGNED_BY.search(authorization)
        if group.role and (signed is None or self._roles.get(signed[1]) != group.role):
            raise Fault("AccessDenied", f"not authorized to perform this on resource: {group.arn}", 403)
