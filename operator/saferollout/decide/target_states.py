"""What every state of a target means to a rollout, in one table.

Sources: ``TargetHealthStateEnum`` and ``TargetHealthReasonEnum`` of botocore's ``elbv2`` model; AWS, *Health
checks for target groups* and *Edit target group attributes*, of Application and Network Load Balancers.
``python -m saferollout.decide.target_states`` writes ``docs/target-states.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from saferollout.decide.answers import Target, TargetState

NOT_REGISTERED = "Target.NotRegistered"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a state means; ``behind`` are load balancers that have it.

    ``serves`` opens the health gate. ``passes``: nothing is wrong, and the target may serve a moment later.
    """

    behind: str
    text: str
    serves: bool = False
    passes: bool = False


MEANINGS: Mapping[TargetState, Meaning] = {
    TargetState.INITIAL: Meaning(
        "ALB, NLB",
        "Being registered, or not yet checked often enough. No request is sent to it.",
        passes=True,
    ),
    TargetState.HEALTHY: Meaning("ALB, NLB", "Gets requests.", serves=True),
    TargetState.UNHEALTHY: Meaning(
        "ALB, NLB",
        "Registered, and fails its checks. Gets requests only when all others of its zone, or of the group, "
        "do so too.",
    ),
    TargetState.UNHEALTHY_DRAINING: Meaning(
        "NLB", "Registered, and fails its checks: no new connections; those it has go on for a while."
    ),
    TargetState.DRAINING: Meaning(
        "ALB, NLB",
        "Deregistered. Requests under way go on, and new ones still come: for seconds behind an ALB, for "
        "minutes behind an NLB.",
    ),
    TargetState.UNUSED: Meaning(
        "ALB, NLB",
        f"Not registered ({NOT_REGISTERED}): that alone is drained. Or registered and sent nothing: no "
        "listener uses the group, or the zone is not enabled for the load balancer.",
    ),
    TargetState.UNAVAILABLE: Meaning(
        "ALB, NLB",
        "Nobody can say how it is: checks are disabled, or failed inside of ELBv2. So is any state that "
        "ELBv2 has learned since this version was written.",
    ),
}

ADVICE: Mapping[str, str] = {
    "Target.HealthCheckDisabled": "enable the health checks of the target group",
    "Target.NotInUse": "let a listener forward to the target group, and enable the zone at the load balancer",
    "Target.IpUnusable": "the address is in use by a load balancer: give the pods another subnet",
    "Target.ResponseCodeMismatch": "see the health check's path and matcher, and what the pod answers there",
    "Target.FailedHealthChecks": "see the health check's port, and whether a security group is in its way",
    "Target.Timeout": "see the health check's port, and whether a security group is in its way",
}
"""What to do about a target that does not serve, by the reason code that ELBv2 gives."""


def serves(target: Target) -> bool:
    """Whether the target gets requests as it should."""
    return MEANINGS[target.state].serves


def passes(target: Target) -> bool:
    """Whether nothing but time keeps the target from getting requests: it may get them by now."""
    return MEANINGS[target.state].passes


def is_drained(target: Target) -> bool:
    """Whether ELBv2 has let go of the target. One that it does not list at all is drained as well."""
    return target.state is TargetState.UNUSED and target.reason in {"", NOT_REGISTERED}


def explained(target: Target, group: str) -> str:
    """Say how a target is, why, and what to do where that is known."""
    told = f"{target.id}:{target.port} is {target.state} in {group}"
    if target.reason in ADVICE:
        why = f"{target.reason}: {target.description}" if target.description else target.reason
        return f"{told} ({why}): {ADVICE[target.reason]}"
    return f"{told} ({target.reason})" if target.reason else told


_PAGE = """\
<!-- Generated: python -m saferollout.decide.target_states > docs/target-states.md -->
# What ELBv2 says of a target, and what it means to a rollout

| State | Behind | Health gate, for a new pod | Drain gate, for a retired one | |
|---|---|---|---|---|
{states}
| not listed | ALB, NLB | closed | open | Never registered, or let go of. |

A target is a pod's by address and port. An address that a live pod has is that pod's, whoever had it
before.

An active **zonal shift** (`AdministrativeOverride`) is independent of health: the targets of the zone stay
`healthy` and get nothing. While a target of one of the groups is shifted away no pod is retired
(`ZonalShift`), for those of the other zones carry its requests.

## What to do about a target that does not serve

| Reason | What to do |
|---|---|
{advice}
"""


def page() -> str:
    """Return the table as docs/target-states.md has it."""
    return _PAGE.format(
        states="\n".join(map(_row, MEANINGS)),
        advice="\n".join(
            f"| `{reason}` | {text[:1].upper()}{text[1:]}. |" for reason, text in ADVICE.items()
        ),
    )


def _row(state: TargetState) -> str:
    meaning = MEANINGS[state]
    health = "open" if meaning.serves else "closed"
    drain = f"open if `{NOT_REGISTERED}`" if state is TargetState.UNUSED else "closed"
    return f"| `{state}` | {meaning.behind} | {health} | {drain} | {meaning.text} |"


if __name__ == "__main__":
    sys.stdout.write(page())
