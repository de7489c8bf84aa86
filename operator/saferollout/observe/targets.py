"""Target health for all who ask: one shared call for each target group, and none while nobody asks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from saferollout.api.reasons import Reason
from saferollout.decide.observation import Problem, TargetGroup
from saferollout.observe import arn as arns
from saferollout.observe import elb, elb_errors
from saferollout.observe.backoff import Backoff
from saferollout.observe.bucket import TokenBucket
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


@dataclass(slots=True)
class _Group:
    """What is known of one target group.

    ``retry_at``: not to be asked again before, after a failure. ``took_off_at``: when the question under way
    was put, by the monotonic clock; ``queues`` while it waits for its turn.
    """

    answer: TargetGroup
    arn: arns.TargetGroupArn
    role: Role | None
    described_at: float = 0.0
    retry_at: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, most=30.0))
    flight: asyncio.Task[None] | None = None
    took_off_at: float = 0.0
    queues: bool = False


class TargetHealth:
    """Asks ELBv2 on behalf of every SafeRollout, in threads of its own.

    Nothing that goes wrong is raised: it is the ``problem`` of the target group it concerns. Nobody waits for
    an answer longer than ``patience`` seconds after the question was sent, since whoever waits does not look
    after the Deployment; the call goes on, and who asks next may find it answered.
    """

    def __init__(
        self,
        connect: Connect = elb.connect,
        *,
        patience: float,
        rate: float,
    ) -> None:
        self._connect = connect
        self._patience = patience
        self._connections: dict[Role | None, elb.Connection] = {}
        self._connecting: dict[Role | None, threading.Lock] = {}
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
        self._connecting.setdefault(role, threading.Lock())
        group = self._groups.setdefault((arn, role), _Group(TargetGroup(arn, parsed.name), parsed, role))
        while group.answer.asked_at < not_before and time.time() >= group.retry_at:
            if group.flight is None or group.flight.done():
                group.flight = asyncio.create_task(self._refresh(group))
                group.took_off_at = time.monotonic()
            patience = FIRST_ANSWER_SECONDS if group.answer.targets is None else self._patience
            left = group.took_off_at + patience - time.monotonic()
            await asyncio.wait([group.flight], timeout=max(0.0, left))
            if not group.flight.done():
                return _with(group.answer, _QUEUE if group.queues else _SILENCE)
        return group.answer

    async def _refresh(self, group: _Group) -> None:
        loop = asyncio.get_running_loop()
        bucket = self._buckets[group.arn.account, group.arn.region]
        group.queues = True
        await asyncio.sleep(bucket.take(1 + _is_to_be_described(group)))
        group.queues = False
        try:
            group.answer = await loop.run_in_executor(self._threads, self._look, group)
        except elb.Unanswered as unanswered:
            if unanswered.problem.reason is Reason.NO_CREDENTIALS:
                # A client keeps for good what it found, or did not, when it was made.
                self._connections.pop(group.role, None)
            group.answer = _with(group.answer, unanswered.problem)
            group.retry_at = time.time() + group.backoff.failed()
        else:
            group.retry_at = 0.0
            group.backoff.succeeded()

    def _look(self, group: _Group) -> TargetGroup:
        """Ask what needs to be asked; runs in a thread.

        Raises:
            Unanswered: No answer, or a target group that cannot be followed.
        """
        client, arn = self._connected(group.role), group.answer.arn
        if group.arn.region != client.meta.region_name:
            raise elb.Unanswered(_other_region(group, client.meta.region_name))
        kind = group.answer.target_type
        if _is_to_be_described(group):
            kind = elb.target_type(client, arn)
            if kind not in _FOLLOWED:
                raise elb.Unanswered(_unsupported(group, kind))
            group.described_at = time.time()
        sent = time.time()
        found = elb.targets(client, arn)
        return replace(group.answer, target_type=kind, targets=found, asked_at=sent, problem=None, detail="")

    def _connected(self, role: Role | None) -> ElasticLoadBalancingv2Client:
        """The client for a role, made once for as long as its credentials last.

        botocore's clients are thread-safe, making them is not. To assume a role is a call of its own: whoever
        waits for it does not keep those who need another.
        """
        with self._connecting[role]:
            connection = self._connections.get(role)
            if connection is None or connection.expires_at - time.time() < RENEWED_SECONDS:
                try:
                    connection = self._connections[role] = self._connect(role=role)
                except Exception as error:
                    doing = "connecting to ELBv2" if role is None else "AssumeRole"
                    raise elb.Unanswered(elb_errors.explain(error, doing)) from error
            return connection.client


def _is_to_be_described(group: _Group) -> bool:
    return time.time() - group.described_at > DESCRIBED_SECONDS


def _with(answer: TargetGroup, problem: Problem) -> TargetGroup:
    return replace(answer, problem=problem.reason, detail=problem.message)


_SILENCE = Problem(
    Reason.ENDPOINT_UNREACHABLE,
    f"ELBv2 does not answer. What to do: {elb_errors.REMEDIES[Reason.ENDPOINT_UNREACHABLE]}.",
)

_QUEUE = Problem(
    Reason.THROTTLED,
    "more target groups are awaited than may be asked about at this rate: the question waits for its turn."
    " What to do: nothing, it only takes longer; or raise --describe-rate if the account's limit allows it.",
)


def _other_region(group: _Group, ours: str) -> Problem:
    return Problem(
        Reason.TARGET_GROUP_OTHER_REGION,
        f"target group {group.answer.name} is in {group.arn.region}, the operator asks in {ours}. What to do:"
        f" correct the ARN, or run an operator with AWS_DEFAULT_REGION={group.arn.region}.",
    )


def _unsupported(group: _Group, kind: str) -> Problem:
    return Problem(
        Reason.TARGET_GROUP_UNSUPPORTED,
        f"target group {group.answer.name} has targets of type {kind}; only pods (type ip) and the instances"
        " they run on can be followed. What to do: use target-type ip.",
    )
