"""Target health for all who ask: one shared call for each target group, and none while nobody asks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from saferollout.api.reasons import Reason
from saferollout.decide.answers import TargetGroup
from saferollout.decide.observation import Problem
from saferollout.observe import arn as arns
from saferollout.observe import elb
from saferollout.observe.aws_errors import ELBV2, explain
from saferollout.observe.bucket import TokenBucket
from saferollout.observe.question import Question, Unanswered, Way
from saferollout.observe.roles import Role

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

DESCRIBED_SECONDS = 600.0
"""How long a target group's type, which cannot change, is taken for known."""

FIRST_ANSWER_SECONDS = 8.0
"""How long the first answer of a target group is waited for: without one there is nothing to go by."""

RENEWED_SECONDS = 300.0
"""How long before they end the credentials of a role are renewed."""

_FOLLOWED = frozenset({"ip", "instance"})
"""Types of targets that lead to pods."""

NO_ROLES: Mapping[str, Role] = MappingProxyType({})


class Connect(Protocol):
    """Makes a connection to ELBv2, in a role or as whoever the operator is."""

    def __call__(self, *, role: Role | None) -> elb.Connection:
        """Make it. Whatever is raised is a problem of the target group that it is for."""


class _Clients:
    """The clients, one for each role: made once for as long as its credentials last."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connections: dict[Role | None, elb.Connection] = {}
        self._connecting: dict[Role | None, threading.Lock] = {}

    def expect(self, role: Role | None) -> None:
        """Be ready to make a client for this role."""
        self._connecting.setdefault(role, threading.Lock())

    def get(self, role: Role | None) -> ElasticLoadBalancingv2Client:
        """Return the client for a role.

        botocore's clients are thread-safe, making them is not. To assume a role is a call of its own: whoever
        waits for it does not keep those who need another.

        Raises:
            Unanswered: It cannot be made.
        """
        with self._connecting[role]:
            connection = self._connections.get(role)
            if connection is None or connection.expires_at - time.time() < RENEWED_SECONDS:
                try:
                    connection = self._connections[role] = self._connect(role=role)
                except Exception as error:
                    doing = "connecting to ELBv2" if role is None else "AssumeRole"
                    raise Unanswered(explain(error, doing)) from error
            return connection.client

    def forget(self, role: Role | None) -> None:
        """Make another client next time: one keeps for good what credentials it found, or did not."""
        self._connections.pop(role, None)


class _Group(Question[TargetGroup]):
    """What is known of one target group."""

    def __init__(self, arn: str, parsed: arns.TargetGroupArn, role: Role | None, clients: _Clients, way: Way):
        super().__init__(TargetGroup(arn, parsed.name), way)
        self._arn = parsed
        self._role = role
        self._clients = clients
        self._described_at = 0.0

    def calls(self) -> int:
        return 1 + self._is_to_be_described

    def look(self) -> TargetGroup:
        try:
            return self._look()
        except Unanswered as unanswered:
            if unanswered.problem.reason is Reason.NO_CREDENTIALS:
                self._clients.forget(self._role)
            raise

    def spoilt(self, problem: Problem) -> TargetGroup:
        return replace(self.answer, problem=problem.reason, detail=problem.message)

    def _look(self) -> TargetGroup:
        client, arn = self._clients.get(self._role), self.answer.arn
        if self._arn.region != client.meta.region_name:
            raise Unanswered(self._other_region(client.meta.region_name))
        kind = self.answer.target_type
        if self._is_to_be_described:
            kind = elb.target_type(client, arn)
            if kind not in _FOLLOWED:
                raise Unanswered(self._unsupported(kind))
            self._described_at = time.time()
        sent = time.time()
        found = elb.targets(client, arn)
        return replace(self.answer, target_type=kind, targets=found, asked_at=sent, problem=None, detail="")

    @property
    def _is_to_be_described(self) -> bool:
        return time.time() - self._described_at > DESCRIBED_SECONDS

    def _other_region(self, ours: str) -> Problem:
        return Problem(
            Reason.TARGET_GROUP_OTHER_REGION,
            f"target group {self._arn.name} is in {self._arn.region}, the operator asks in {ours}. What to"
            f" do: correct the ARN, or run an operator with AWS_DEFAULT_REGION={self._arn.region}.",
        )

    def _unsupported(self, kind: str) -> Problem:
        return Problem(
            Reason.TARGET_GROUP_UNSUPPORTED,
            f"target group {self._arn.name} has targets of type {kind}; only pods (type ip) and the instances"
            " they run on can be followed. What to do: use target-type ip.",
        )


class TargetHealth:
    """Asks ELBv2 on behalf of every SafeRollout, in threads of its own.

    Nothing that goes wrong is raised: it is the ``problem`` of the target group it concerns. Nobody waits for
    an answer longer than ``patience`` seconds after the question was sent.
    """

    def __init__(
        self,
        connect: Connect = elb.connect,
        *,
        patience: float,
        rate: float,
    ) -> None:
        self._patience = patience
        self._clients = _Clients(connect)
        self._threads = ThreadPoolExecutor(elb.THREADS, thread_name_prefix="elbv2")
        self._groups: dict[tuple[str, Role | None], _Group] = {}
        self._buckets: defaultdict[tuple[str, str], TokenBucket] = defaultdict(lambda: TokenBucket(rate))

    async def ask(
        self, target_groups: Iterable[str], *, not_before: float, roles: Mapping[str, Role] = NO_ROLES
    ) -> tuple[TargetGroup, ...]:
        """Return the state of these target groups (ARNs), in the same order.

        ``roles`` says which of them are to be asked about in a role.

        An answer to a question that was sent at ``not_before`` (epoch seconds) or later is given as it is;
        an older one is asked for anew, together with everybody else who is waiting for it.
        """
        latest = min(not_before, time.time())
        return tuple(await asyncio.gather(*(self._one(arn, roles.get(arn), latest) for arn in target_groups)))

    def close(self) -> None:
        """Ask no more. Calls under way end by themselves, at the latest with their timeouts."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _one(self, arn: str, role: Role | None, not_before: float) -> TargetGroup:
        parsed = arns.TargetGroupArn.parse(arn)
        if parsed is None:
            detail = (
                f"{arn!r} is not the ARN of a target group. What to do: write one such as {arns.EXAMPLE}."
            )
            return TargetGroup(arn, arn, problem=Reason.TARGET_GROUP_MALFORMED, detail=detail)
        group = self._groups.get((arn, role))
        if group is None:
            self._clients.expect(role)
            bucket = self._buckets[parsed.account, parsed.region]
            way = Way(ELBV2, self._threads, bucket, self._patience, FIRST_ANSWER_SECONDS)
            group = self._groups[arn, role] = _Group(arn, parsed, role, self._clients, way)
        return await group.ask(not_before)
