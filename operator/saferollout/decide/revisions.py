"""The snapshot, sorted: which ReplicaSet is the target, which are old, whose pods are whose, who serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from saferollout.api.names import GUARDED
from saferollout.decide import fences
from saferollout.decide import ledger as ledgers
from saferollout.decide.ledger import Ledger, Settings
from saferollout.decide.observation import Observation
from saferollout.decide.serving import Serving, who_serves
from saferollout.decide.workload import FINISHED, Deployment, Pod, ReplicaSet

_ROUNDED = 0.001
"""Seconds by which two records of one moment may differ: a status has microseconds."""


@dataclass(frozen=True)
class Revisions:
    """A Deployment that is there, with everything that belongs to it. Sizes are numbers of pods."""

    observation: Observation
    deployment: Deployment

    @cached_property
    def ledger(self) -> Ledger | None:
        """What the operator has changed on the Deployment; ``None`` if that is nothing."""
        return ledgers.in_force(self.deployment, self.observation.memory.ledger)

    @property
    def adopted(self) -> bool:
        """Whether the operator has had the Deployment in hand."""
        return self.ledger is not None or self.deployment.label == GUARDED

    @cached_property
    def users(self) -> Settings:
        """The settings the user wants the Deployment to have."""
        return fences.without_wall(ledgers.users_settings(self.deployment, self.ledger))

    @cached_property
    def target(self) -> ReplicaSet | None:
        """The ReplicaSet of the current template, if it exists yet.

        Of several with an equal template the oldest counts (kubernetes ``FindNewReplicaSet``).
        """
        same = [each for each in self.observation.replica_sets if each.template == self.deployment.template]
        return min(same, key=lambda each: (each.created_at, each.name), default=None)

    @cached_property
    def old_sets(self) -> tuple[ReplicaSet, ...]:
        """All other ReplicaSets that still want pods, oldest first."""
        others = [each for each in self.observation.replica_sets if each is not self.target and each.replicas]
        return tuple(sorted(others, key=lambda each: (each.created_at, each.name)))

    @cached_property
    def new(self) -> int:
        """How many pods the target ReplicaSet wants."""
        return self.target.replicas if self.target else 0

    @cached_property
    def old(self) -> int:
        """How many pods all other ReplicaSets want."""
        return sum(each.replicas for each in self.old_sets)

    @cached_property
    def live(self) -> tuple[Pod, ...]:
        """Pods that are not on their way out."""
        return tuple(
            pod for pod in self.observation.pods if not pod.terminating and pod.phase not in FINISHED
        )

    @cached_property
    def new_pods(self) -> tuple[Pod, ...]:
        """Live pods of the target ReplicaSet."""
        return self.pods_of([self.target] if self.target else [])

    @cached_property
    def old_pods(self) -> tuple[Pod, ...]:
        """Live pods of every other ReplicaSet."""
        new = {pod.uid for pod in self.new_pods}
        return tuple(pod for pod in self.live if pod.uid not in new)

    def pods_of(self, sets: Iterable[ReplicaSet]) -> tuple[Pod, ...]:
        """Return the live pods of these ReplicaSets."""
        owners = {each.uid for each in sets}
        return tuple(pod for pod in self.live if pod.owner in owners)

    @cached_property
    def serving(self) -> Serving:
        """Which live pods serve, and why the others do not."""
        return who_serves(self.live, self.observation.target_groups)

    def serving_among(self, pods: Iterable[Pod]) -> Iterator[Pod]:
        """Yield those of these pods that serve."""
        return filter(self.serving.serves, pods)

    @property
    def last_batch(self) -> bool:
        """Whether the target ReplicaSet is complete: then the pause no longer protects the old pods."""
        return self.target is not None and self.new >= self.deployment.replicas

    @property
    def in_progress(self) -> bool:
        """Whether the cluster is on its way from one template to another."""
        return self.target is None or self.old > 0

    @property
    def releasing(self) -> bool:
        """Whether a release of the current template and size is on record and has not happened yet."""
        release = self.ledger.release if self.ledger else None
        return (
            release is not None
            and (release.target, release.replicas) == (self.deployment.template, self.deployment.replicas)
            and not (self.target is not None and self.new >= release.new and self.old <= release.old)
        )

    @property
    def released(self) -> bool:
        """Whether the last release that the status tells of was made.

        It is told of first: an operator may die between the two writes, and the second may be refused.
        """
        told = self.observation.memory.step_started_at
        return told is not None and self.ledger is not None and told - self.ledger.released_at < _ROUNDED

    @cached_property
    def unsettled(self) -> str | None:
        """What the controllers have yet to do before the sizes mean what they say, ``None`` if nothing."""
        seen, current = self.deployment.observed_generation, self.deployment.generation
        if seen < current:
            return "the Deployment controller has not seen the latest change of the Deployment"
        if len(self.new_pods) != self.new:
            return f"{len(self.new_pods)} of {self.new} new pods exist"
        if len(self.old_pods) != self.old:
            return f"{len(self.old_pods)} old pods exist where {self.old} are wanted"
        return None
