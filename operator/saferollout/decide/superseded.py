"""ReplicaSets of revisions that never became the stable one: their pods go before any stable pod does.

Of several old ReplicaSets the Deployment controller takes unavailable pods first, and then those of the
oldest, which is the stable one. A wall makes all pods of a superseded ReplicaSet count as unavailable
(docs/findings.md, 11). Nobody else ever writes it again, so it is taken down when the rollout ends.
"""

from __future__ import annotations

from saferollout.decide.decision import Fence
from saferollout.decide.fences import WALL
from saferollout.decide.observation import ReplicaSet
from saferollout.decide.rollout import Rollout


def superseded(rollout: Rollout) -> tuple[ReplicaSet, ...]:
    """Return the old ReplicaSets that are to go before the stable one; none if that is not among them."""
    stable = rollout.observation.memory.stable
    if stable not in {each.hash for each in rollout.old_sets}:
        return ()
    return tuple(each for each in rollout.old_sets if each.hash != stable)


def walls_to_put(rollout: Rollout) -> tuple[Fence, ...]:
    """Return the walls that superseded ReplicaSets do not have yet."""
    return tuple(Fence(each.name, WALL) for each in superseded(rollout) if each.min_ready_seconds < WALL)


def walls_left(rollout: Rollout) -> tuple[Fence, ...]:
    """Return what takes the walls down, of all ReplicaSets but the one that follows the Deployment."""
    return tuple(
        Fence(each.name, rollout.users.min_ready_seconds)
        for each in rollout.observation.replica_sets
        if each is not rollout.target and each.min_ready_seconds >= WALL
    )


def notes_left(rollout: Rollout) -> tuple[Fence, ...]:
    """Return what takes copies of the ledger off ReplicaSets that have no wall."""
    return tuple(
        Fence(each.name, each.min_ready_seconds)
        for each in rollout.observation.replica_sets
        if each.noted and each.min_ready_seconds < WALL
    )
