"""The rollout in numbers, for the status."""

from __future__ import annotations

from collections import Counter

from saferollout.decide import ranking, steps, zones
from saferollout.decide.answers import TargetGroup, TargetState
from saferollout.decide.decision import GroupCount, Picture, ZoneCount
from saferollout.decide.rollout import Rollout

_COLUMN = {
    TargetState.HEALTHY: "healthy",
    TargetState.INITIAL: "initial",
    TargetState.UNHEALTHY: "unhealthy",
    TargetState.UNHEALTHY_DRAINING: "unhealthy",
    TargetState.UNAVAILABLE: "unhealthy",
    TargetState.DRAINING: "draining",
}


def picture_of(rollout: Rollout) -> Picture:
    """Count pods, zones, targets and steps as they are."""
    deployment = rollout.deployment
    return Picture(
        desired=deployment.replicas,
        updated=len(rollout.new_pods),
        serving=len(rollout.serving.pods),
        step=steps.index(rollout.planned_steps, rollout.new),
        steps=len(rollout.planned_steps),
        zones=_zones(rollout),
        takeovers=rollout.observation.memory.takeovers,
        foreign_costs=ranking.foreign_costs(rollout.live),
        guard=rollout.observation.guard,
        groups=tuple(_group(group) for group in rollout.observation.target_groups),
        rolling_back=rollout.rolling_back and rollout.in_progress,
    )


def _zones(rollout: Rollout) -> tuple[ZoneCount, ...]:
    serving = zones.by_zone(rollout.serving.pods)
    updated = Counter(pod.zone for pod in rollout.new_pods)
    floors = rollout.floors or zones.floors(rollout.observation.policy.min_healthy, serving)
    names = sorted({*serving, *floors, *(zone for zone in updated if zone is not None)})
    return tuple(ZoneCount(name, serving[name], updated[name], floors.get(name, 0)) for name in names)


def _group(group: TargetGroup) -> GroupCount:
    states = Counter(_COLUMN.get(target.state, "") for target in group.targets or ())
    counts = {column: states[column] for column in ("healthy", "initial", "unhealthy", "draining")}
    return GroupCount(group.name, group.arn, group.source, group.target_type, **counts)
