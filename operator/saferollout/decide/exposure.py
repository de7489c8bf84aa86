"""How long targets outlive their pods: requests that are sent meanwhile reach nobody.

A target that is registered or draining can be sent requests (AWS, *Deregistration delay*; an NLB sends new
connections while it says ``draining``: aws-load-balancer-controller issue 2366). From the end of a pod's last
container until ELBv2 has let go of its last target the pod is exposed. Seen from poll to poll.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from saferollout.decide import losses
from saferollout.decide.decision import Note
from saferollout.decide.memory import Draining, Exposure, Memory
from saferollout.decide.rollout import Rollout

_ROUND = 5
"""Advice is given in multiples of so many seconds, with a tenth to spare."""


def with_ends(entries: Iterable[Draining], rollout: Rollout) -> tuple[Draining, ...]:
    """Note on each target when the containers of its pod ended; at the latest when the pod is gone."""
    seen = rollout.observation
    ends = {pod.name: pod.ended_at for pod in seen.pods}
    return tuple(
        replace(each, ended_at=ends.get(each.pod, seen.now)) if each.pod and each.ended_at is None else each
        for each in entries
    )


def after(memory: Memory, left: Iterable[Draining], rollout: Rollout) -> Exposure:
    """Return the rollout's exposure, with that of the pods whose last target is no longer ``left``."""
    if memory.started_at is None:
        return Exposure() if rollout.in_progress else memory.exposure
    here = {each.pod for each in left} | {pod.name for pod in rollout.live}
    lost = losses.names(memory.lost)
    retired = (each for each in with_ends(memory.draining, rollout) if each.pod and each.pod not in lost)
    ends = {each.pod: each.ended_at for each in retired if each.pod not in here}
    total = memory.exposure
    for ended_at in ends.values():
        seconds = 0 if ended_at is None else max(0, round(rollout.observation.now - ended_at))
        total = Exposure(total.pods + 1, total.seconds + seconds, max(total.worst, seconds))
    return total


def advice(rollout: Rollout) -> Iterator[Note]:
    """Tell what to write into the template, if the pods of the last one were gone too early."""
    memory, deployment = rollout.observation.memory, rollout.deployment
    worst = memory.exposure.worst
    retired = next((each for each in rollout.observation.replica_sets if each.hash == memory.stable), None)
    needed = worst + (retired.leave.pre_stop if retired else 0.0)
    if worst == 0 or deployment.leave.pre_stop >= needed:
        return
    leave = deployment.leave
    pre_stop = math.ceil(1.1 * needed / _ROUND) * _ROUND
    grace = leave.grace + pre_stop - math.floor(leave.pre_stop)
    yield Note(
        "PodsExposed",
        f"load balancers could still send to retired pods whose containers had ended, for {worst}s at the"
        f" most: raise the template's preStop from {leave.pre_stop:.0f}s to {pre_stop}s, and"
        f" terminationGracePeriodSeconds from {leave.grace} to {grace}",
        warning=True,
    )
