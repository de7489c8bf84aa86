"""What an outsider sees of a rollout, ten times a second: pods and targets, and who serves by them.

Nothing here comes from the operator: neither its status nor its code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from saferollout.decide.answers import Target, TargetState


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod of the observed Deployment. ``revision`` is its ``pod-template-hash``; ``ports`` are declared."""

    name: str
    revision: str
    zone: str | None = None
    address: str | None = None
    ports: tuple[int, ...] = ()
    ready: bool = False
    terminating: bool = False

    def owns(self, target: Target) -> bool:
        """Whether the target is this pod: its address, and one of its ports if it declares any."""
        return target.id == self.address and (not self.ports or target.port in self.ports)


@dataclass(frozen=True)
class Sample:
    """One look. Pods are read before targets, so a pod counts as serving no later than it does.

    ``at`` is when the look began, seconds since the epoch. ``target`` is the revision that the Deployment
    leads to, ``None`` before it has one. ``targets`` are those of every target group, by ARN; ``None`` for
    one that has not answered.
    """

    at: float
    target: str | None
    pods: tuple[SeenPod, ...]
    targets: Mapping[str, tuple[Target, ...] | None]

    @property
    def blind(self) -> bool:
        """Whether a target group has not answered: then nobody can say who serves."""
        return None in self.targets.values()

    @cached_property
    def live(self) -> Mapping[str, SeenPod]:
        """Pods that are not on their way out, by name."""
        return {pod.name: pod for pod in self.pods if not pod.terminating}

    @cached_property
    def serving(self) -> Mapping[str, SeenPod]:
        """Pods that serve, by name: Ready, not terminating, and healthy in every target group."""
        return {name: pod for name, pod in self.live.items() if pod.ready and self._healthy(pod)}

    @cached_property
    def serving_by_zone(self) -> Counter[str]:
        """How many pods serve in each zone."""
        return Counter(pod.zone for pod in self.serving.values() if pod.zone is not None)

    def targets_of(self, pod: SeenPod) -> list[Target]:
        """The pod's targets that are registered or draining, in whatever group."""
        known = (target for group in self.targets.values() for target in group or () if pod.owns(target))
        return [target for target in known if target.state is not TargetState.UNUSED]

    def settled(self, replicas: int) -> bool:
        """Whether ``replicas`` pods of the target revision serve, and no other pod or target is left."""
        registered = sum(len(group or ()) for group in self.targets.values())
        new = [pod for pod in self.serving.values() if pod.revision == self.target]
        mine = sum(len(self.targets_of(pod)) for pod in new)
        return len(new) == len(self.pods) == replicas and mine == registered

    def _healthy(self, pod: SeenPod) -> bool:
        return all(_is_healthy(pod, group or ()) for group in self.targets.values())


def _is_healthy(pod: SeenPod, group: Iterable[Target]) -> bool:
    states = {target.state for target in group if pod.owns(target)}
    return states == {TargetState.HEALTHY}


@dataclass(frozen=True, slots=True)
class Figures:
    """A rollout in numbers. Times are seconds; ``empty_zone_seconds`` is how long some zone served nobody."""

    lowest_serving: int
    empty_zone_seconds: float
    seconds: float


def figures(samples: Sequence[Sample]) -> Figures:
    """Sum a rollout up, from the first sample to the last. Zones that served nobody at first do not count.

    Raises:
        ValueError: There is no sample in which all target groups had answered.
    """
    known = [sample for sample in samples if not sample.blind]
    if not known:
        raise ValueError("there is no sample to sum up")
    zones = set(known[0].serving_by_zone)
    return Figures(
        lowest_serving=min(len(sample.serving) for sample in known),
        empty_zone_seconds=sum(
            following.at - sample.at
            for sample, following in pairwise(known)
            if any(sample.serving_by_zone[zone] == 0 for zone in zones)
        ),
        seconds=known[-1].at - known[0].at,
    )
