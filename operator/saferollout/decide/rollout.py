"""The snapshot, sorted: which ReplicaSet is the target, which are old, whose pods are whose, who serves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from saferollout.api.names import GUARDED
from saferollout.api.quantities import rounded_up
from saferollout.decide import ledger as ledgers
from saferollout.decide import steps, zones
from saferollout.decide.ledger import Ledger, Settings
from saferollout.decide.observation import FINISHED, Deployment, Observation, Pod, ReplicaSet
from saferollout.decide.serving import Serving, who_serves


@dataclass(frozen=True)
class Rollout:
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
        return ledgers.users_settings(self.deployment, self.ledger)

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

    @cached_property
    def planned_steps(self) -> steps.Steps:
        """The steps of the whole rollout."""
        growth = 1 if self.in_place else self.observation.policy.growth
        stops = () if self.in_place or self.rolling_back else self.approval_points
        return steps.steps(self.step_size, growth, self.deployment.replicas, stops)

    @cached_property
    def approval_points(self) -> tuple[int, ...]:
        """New pods at which somebody has to approve of more, in order; a percent rounds up."""
        replicas = self.deployment.replicas
        points = {rounded_up(each, replicas) for each in self.observation.policy.approvals}
        return tuple(sorted(point for point in points if 0 < point <= replicas))

    @property
    def rolling_back(self) -> bool:
        """Whether the template is the one that took the place of one that had failed."""
        failed = self.observation.memory.failed
        return failed is not None and failed.restored == self.deployment.template

    @cached_property
    def step_size(self) -> int:
        """Pods of a full step, by ``step.maxSurge``, or ``step.maxUnavailable`` where there is no surge."""
        policy, replicas = self.observation.policy, self.deployment.replicas
        if self.in_place:
            return steps.in_place(policy.max_unavailable, replicas)
        return steps.size(policy.max_surge, replicas)

    @property
    def first_step(self) -> int:
        """Pods that the Deployment at rest may add before the operator sees a new template."""
        policy = self.observation.policy
        if self.in_place or policy.growth > 1 or policy.zone_by_zone:
            return 1
        return min(self.step_size, *self.approval_points[:1], self.step_size)

    @property
    def in_place(self) -> bool:
        """Whether a step takes old pods away first, for want of room for more than ``spec.replicas``."""
        return self.observation.policy.max_unavailable not in {0, "0%"}

    @cached_property
    def surplus(self) -> int:
        """Pods wanted beyond ``spec.replicas``."""
        return max(0, self.new + self.old - self.deployment.replicas)

    @cached_property
    def going(self) -> int:
        """Old pods that the next release takes away: what is beyond ``spec.replicas``, and a step in place.

        Pods that could take nothing over are not beyond it (kubernetes ``reconcileOldReplicaSets``).
        """
        if not self.in_place:
            return self.surplus
        return min(self.old, self.step_size + self.surplus - len(self.without_room))

    @cached_property
    def coming(self) -> int:
        """New pods that the next release adds."""
        if self.in_place:
            return max(0, self.deployment.replicas - (self.old - self.going) - self.new)
        return min(steps.next_batch(self.planned_steps, self.new), self._allowed, self._of_one_zone)

    @property
    def _allowed(self) -> int:
        """New pods that could be paid for with old ones if the new ones landed where those are not needed.

        A release takes away all that is beyond ``spec.replicas`` or nothing: once too many new pods are in
        the wrong zones, none of the old ones can go. Where they have landed evenly so far they are trusted
        to go on so.
        """
        floors = dict(self.observation.memory.floors or ())
        new = zones.serving_by_zone(self.serving_among(self.new_pods))
        if zones.even(new, floors):
            return self.deployment.replicas
        old = zones.serving_by_zone(self.serving_among(self.old_pods))
        others = len(self.old_pods) - old.total()
        return max(1, others + zones.to_spare(old, new + old, floors) - self.surplus)

    @property
    def _of_one_zone(self) -> int:
        """Old pods that the zone has whose turn it is after the next release: no step is of two zones."""
        if self.observation.policy.zone_by_zone:
            going = self.going
            for _, count in sorted(Counter(pod.zone or "" for pod in self.old_pods).items()):
                if going < count:
                    return count - going
                going -= count
        return self.deployment.replicas

    def serving_among(self, pods: Iterable[Pod]) -> Iterator[Pod]:
        """Yield those of these pods that serve."""
        return (pod for pod in pods if pod.name not in self.serving.why_not)

    @cached_property
    def least_serving(self) -> int:
        """Pods that are to serve at every moment: all, or all but a step in place."""
        replicas = self.deployment.replicas
        return max(0, replicas - self.step_size) if self.in_place else replicas

    @cached_property
    def without_room(self) -> tuple[Pod, ...]:
        """New pods beyond ``spec.replicas`` that have no node: in place, they get one when old pods go."""
        if not self.in_place:
            return ()
        return tuple(pod for pod in self.new_pods if pod.node is None)[: self.surplus]

    @cached_property
    def placed_pods(self) -> tuple[Pod, ...]:
        """New pods but for those `without_room`: the ones that a release has to wait for."""
        return tuple(pod for pod in self.new_pods if pod not in self.without_room)

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
