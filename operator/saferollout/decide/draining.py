"""Which targets of retired pods ELBv2 has not let go of yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saferollout.decide.answers import Target, TargetGroup, TargetState
from saferollout.decide.memory import Draining
from saferollout.decide.rollout import Rollout
from saferollout.decide.serving import by_address, targets_of
from saferollout.decide.target_states import is_drained
from saferollout.decide.workload import FINISHED, Pod

LINGERS = 30.0
"""Seconds within which a load balancer controller that is at work deregisters what has gone."""


def targets_to_drain(pods: Iterable[Pod], groups: Iterable[TargetGroup], since: float) -> Iterator[Draining]:
    """Yield an entry for every target that these pods have, to be remembered until it has drained.

    An instance stays when a pod of it goes: there is nothing to drain.
    """
    leaving = tuple(pods)
    for group in groups:
        if group.by_instance:
            continue
        targets = by_address(group)
        for pod in leaving:
            for target in targets_of(pod, group, targets):
                if not is_drained(target):
                    yield Draining(group.arn, target.id, target.port, pod.name, pod.zone, since)


def still_draining(rollout: Rollout) -> tuple[Draining, ...]:
    """Return every target that is not drained, oldest first.

    They are those on record, those of pods on their way out or gone (whoever sent them), and those that
    ELBv2 calls ``draining`` at an address no live pod has. What is drained: `target_states`; an address that
    a live pod has is that pod's.
    """
    seen = rollout.observation
    entries = {
        _key(each): each
        for each in (
            *_orphans(rollout),
            *targets_to_drain(_leaving(rollout), seen.target_groups, seen.now),
            *seen.memory.draining,
        )
    }
    listed = {group.arn: by_address(group) for group in seen.target_groups if group.targets is not None}
    known = {group.arn for group in seen.target_groups}
    live = {pod.ip: pod for pod in rollout.live}

    def open_still(entry: Draining) -> bool:
        if entry.target_group not in known:
            # A spec that cannot be read names no target group, and takes none back.
            return bool(seen.problems)
        successor = live.get(entry.id)
        if entry.id in seen.foreign or (successor is not None and successor.name != entry.pod):
            return False
        if entry.target_group not in listed:
            return True
        return any(
            target.port == entry.port and not is_drained(target)
            for target in listed[entry.target_group].get(entry.id, ())
        )

    return tuple(sorted(filter(open_still, entries.values()), key=lambda each: (each.since, _key(each))))


def unasked(rollout: Rollout) -> Iterator[str]:
    """Yield where ELBv2 has not been asked since a pod was sent away: it may have a target there by now.

    Kubernetes writes times in whole seconds.
    """
    seen = rollout.observation
    leaving = [pod for pod in _leaving(rollout) if pod.deleted_at is not None and pod.ip]
    for group in seen.target_groups:
        for pod in leaving:
            if not group.by_instance and group.asked_at < (pod.deleted_at or 0) + 1:
                yield f"{group.name} has not been asked since {pod.name} began to go"


def still_registered(entries: Iterable[Draining], rollout: Rollout) -> tuple[tuple[Draining, Target], ...]:
    """Return the targets that nobody has begun to deregister, `LINGERS` after their pods had ended."""
    seen = rollout.observation
    targets = {
        (group.arn, target.id, target.port): target
        for group in seen.target_groups
        for target in group.targets or ()
    }
    return tuple(
        (each, target)
        for each in entries
        if each.ended_at is not None
        and seen.now - each.ended_at > LINGERS
        and (target := targets.get(_key(each))) is not None
        and target.state is not TargetState.DRAINING
    )


def without_survivors(entries: Iterable[Draining], rollout: Rollout) -> tuple[Draining, ...]:
    """Drop the entries of pods that were chosen and are still here: only for sizes that have settled."""
    alive = {pod.name for pod in rollout.live}
    return tuple(each for each in entries if each.pod not in alive)


def _leaving(rollout: Rollout) -> Iterator[Pod]:
    yield from (pod for pod in rollout.observation.pods if pod.terminating)
    yield from rollout.observation.vanished


def _orphans(rollout: Rollout) -> Iterator[Draining]:
    # A pod that has ended, such as one that its kubelet evicted, has given its address back.
    held = {
        pod.ip for pod in rollout.observation.pods if pod.phase not in FINISHED
    } | rollout.observation.foreign
    for group in rollout.observation.target_groups:
        if group.shared or group.by_instance:
            continue  # An address that nobody has here may be a pod's of another cluster, or a Node's.
        for target in group.targets or ():
            if target.state is TargetState.DRAINING and target.id not in held:
                yield Draining(group.arn, target.id, target.port, "", None, rollout.observation.now)


def _key(entry: Draining) -> tuple[str, str, int]:
    return entry.target_group, entry.id, entry.port
