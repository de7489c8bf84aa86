"""Which of several old ReplicaSets goes first: one whose pods do not serve, and the stable one last.

By itself the Deployment controller takes unavailable pods first, and then those of the oldest ReplicaSet,
which is the stable one. A wall makes all pods of a ReplicaSet count as unavailable (docs/findings.md, 11).
Nobody else ever writes a superseded ReplicaSet again, so the wall is taken down when it has done its work.
"""

from __future__ import annotations

from collections.abc import Iterator

from saferollout.decide.decision import Fence
from saferollout.decide.fences import WALL
from saferollout.decide.rollout import Rollout
from saferollout.decide.workload import ReplicaSet


def first_to_go(rollout: Rollout) -> tuple[ReplicaSet, ...]:
    """Return the old ReplicaSets that need a wall for the next release to take their pods first."""
    stable = rollout.observation.memory.stable
    wanted = sorted(rollout.old_sets, key=lambda each: -each.created_at)
    wanted.sort(key=lambda each: (_all_serve(rollout, each), each.hash == stable))
    if not wanted or wanted[0] is rollout.old_sets[0]:
        return ()
    return tuple(_enough(wanted, rollout))


def walls_to_write(rollout: Rollout) -> tuple[Fence, ...]:
    """Return what puts the missing walls up and takes those down that are in the way."""
    first = first_to_go(rollout)
    return tuple(
        Fence(each.name, WALL if each in first else rollout.users.min_ready_seconds)
        for each in rollout.old_sets
        if (each in first) != (each.min_ready_seconds >= WALL)
    )


def walls_left(rollout: Rollout) -> tuple[Fence, ...]:
    """Return what takes the walls down, of all ReplicaSets but the one that follows the Deployment."""
    return tuple(
        Fence(each.name, rollout.users.min_ready_seconds)
        for each in rollout.observation.replica_sets
        if each is not rollout.target and each.min_ready_seconds >= WALL
    )


def notes_left(rollout: Rollout) -> tuple[Fence, ...]:
    """Return what takes copies of our annotations off ReplicaSets that have no wall."""
    return tuple(
        Fence(each.name, each.min_ready_seconds)
        for each in rollout.observation.replica_sets
        if each.noted and each.min_ready_seconds < WALL
    )


def _all_serve(rollout: Rollout, replica_set: ReplicaSet) -> bool:
    pods = rollout.pods_of([replica_set])
    return rollout.serving.count(pods) == len(pods)


def _enough(wanted: list[ReplicaSet], rollout: Rollout) -> Iterator[ReplicaSet]:
    """Yield the first ReplicaSets that have as many pods as are to go, but never the stable one.

    Behind a wall the oldest goes first again: one whose pods all serve is not put there beside others.
    """
    count = rollout.going
    for number, each in enumerate(wanted):
        if count <= 0 or each.hash == rollout.observation.memory.stable:
            return
        if number and _all_serve(rollout, each):
            return
        yield each
        count -= each.replicas
