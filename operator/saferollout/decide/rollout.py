"""How far a rollout is, and how many pods the next release adds and takes away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from saferollout.api.quantities import rounded_up
from saferollout.decide import steps, zones
from saferollout.decide.revisions import Revisions
from saferollout.decide.workload import Pod


@dataclass(frozen=True)
class Rollout(Revisions):
    """A Deployment on its way from one template to another. Sizes are numbers of pods."""

    @cached_property
    def planned_steps(self) -> steps.Steps:
        """The steps of the whole rollout."""
        growth = 1 if self.in_place else self.observation.policy.growth
        stops = () if self.in_place or self.rolling_back else tuple(self.approval_points.values())
        return steps.steps(self.step_size, growth, self.deployment.replicas, stops)

    @cached_property
    def approval_points(self) -> Mapping[str, int]:
        """New pods at which somebody has to approve of more, by the point as it is written.

        A percent rounds up. What is no number of this Deployment's pods is no point.
        """
        replicas = self.deployment.replicas
        points = {str(each): rounded_up(each, replicas) for each in self.observation.policy.approvals}
        return {written: point for written, point in points.items() if 0 < point <= replicas}

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
        return min((self.step_size, *self.approval_points.values()))

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

    @cached_property
    def floors(self) -> Mapping[str, int]:
        """Serving pods below which no zone is brought, by what it had and by what the user asks for now."""
        seen = self.observation
        had = zones.scaled(dict(seen.memory.had or ()), self.deployment.replicas)
        return zones.floors(seen.policy.min_healthy, had)

    @property
    def _allowed(self) -> int:
        """New pods that could be paid for with old ones if the new ones landed where those are not needed.

        A release takes away all that is beyond ``spec.replicas`` or nothing: once too many new pods are in
        the wrong zones, none of the old ones can go. Where they have landed evenly so far they are trusted
        to go on so.
        """
        new = zones.by_zone(self.serving_among(self.new_pods))
        if zones.even(new, self.floors):
            return self.deployment.replicas
        old = zones.by_zone(self.serving_among(self.old_pods))
        others = len(self.old_pods) - old.total()
        return max(1, others + zones.to_spare(old, new + old, self.floors) - self.surplus)

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
