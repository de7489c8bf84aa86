"""Who serves: Ready, not on its way out, and healthy in every target group (contract, first paragraph)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from saferollout.decide import target_states
from saferollout.decide.answers import Target, TargetGroup
from saferollout.decide.workload import Pod

REGISTERED_WITHIN = 60.0
"""Seconds from Ready in which a pod that is to be registered is: after them nobody is about to do it."""


@dataclass(frozen=True, slots=True)
class Serving:
    """``why_not`` says of every live pod that does not serve, by name, what keeps it from serving.

    ``arriving`` are those of them that may serve by now: Ready, and not known to fail. They do not count as
    serving, and where pods are missing they are not to be taken either.
    """

    pods: tuple[Pod, ...]
    why_not: Mapping[str, str]
    arriving: frozenset[str]

    def serves(self, pod: Pod) -> bool:
        """Whether this live pod serves."""
        return pod.name not in self.why_not

    def may_serve(self, pod: Pod) -> bool:
        """Whether this live pod serves, or may by now."""
        return self.serves(pod) or pod.name in self.arriving

    def count(self, among: Iterable[Pod]) -> int:
        """Return how many of these pods serve."""
        return sum(map(self.serves, among))

    def reasons(self, among: Iterable[Pod]) -> list[str]:
        """Return why those of these pods that do not serve do not, in order of name."""
        names = sorted(pod.name for pod in among)
        return [f"{name}: {self.why_not[name]}" for name in names if name in self.why_not]


def by_address(group: TargetGroup) -> Mapping[str, list[Target]]:
    """Return the group's targets by their id."""
    found: dict[str, list[Target]] = {}
    for target in group.targets or ():
        found.setdefault(target.id, []).append(target)
    return found


def targets_of(pod: Pod, group: TargetGroup, targets: Mapping[str, list[Target]]) -> Iterator[Target]:
    """Yield the targets that are this pod: its address, and the ports that are registered in the group.

    In a group of instances they are the pod's Node, which it shares with the other pods there.

    Names are looked up in the pod itself, as EndpointSlices do: another revision may have another number
    under the same name. Where nobody says which ports these are, every one the pod declares is, and a pod
    that declares none is matched by its address alone.
    """
    ports = _registered(pod, group)
    for target in targets.get(_address(pod, group) or "", ()):
        if ports is None or target.port in ports:
            yield target


def _address(pod: Pod, group: TargetGroup) -> str | None:
    return pod.instance if group.by_instance else pod.ip


def _registered(pod: Pod, group: TargetGroup) -> frozenset[int] | None:
    """The numbers of the pod's ports that are registered in the group, ``None`` if they may be any."""
    if not group.ports:
        declared = () if group.by_instance else pod.ports
        return frozenset(port.number for port in declared) or None
    named = {port.name: port.number for port in reversed(pod.ports)}
    numbers = (port if isinstance(port, int) else named.get(port) for port in group.ports)
    return frozenset(number for number in numbers if number is not None)


def who_serves(live: Iterable[Pod], groups: Iterable[TargetGroup]) -> Serving:
    """Judge every live pod against every target group. A group that has not answered vouches for nobody."""
    pods = tuple(live)
    indexed = [(group, by_address(group)) for group in groups]
    obstacles = {pod.name: found for pod in pods if (found := list(_obstacles(pod, indexed)))}
    return Serving(
        tuple(pod for pod in pods if pod.name not in obstacles),
        {name: found[0].why for name, found in obstacles.items()},
        frozenset(name for name, found in obstacles.items() if all(each.passes for each in found)),
    )


class _Obstacle(NamedTuple):
    """What keeps a pod from serving, and whether that passes by itself, which may have happened by now."""

    why: str
    passes: bool = False


def _obstacles(
    pod: Pod, groups: Iterable[tuple[TargetGroup, Mapping[str, list[Target]]]]
) -> Iterator[_Obstacle]:
    if pod.ready_since is None:
        yield _Obstacle(f"not Ready ({pod.phase})")
        return
    for group, targets in groups:
        if group.targets is None:
            yield _Obstacle(f"{group.name} has not answered")
        elif group.asked_at < pod.ready_since:
            # Whoever had the address before may have been healthy there.
            yield _Obstacle(f"{group.name} has not been asked since it became Ready", passes=True)
        elif mine := list(targets_of(pod, group, targets)):
            for target in mine:
                if not target_states.serves(target):
                    why = target_states.explained(target, group.name)
                    yield _Obstacle(why, target_states.passes(target))
        else:
            young = group.asked_at - pod.ready_since < REGISTERED_WITHIN
            yield _Obstacle(f"{_described(pod, group)} is not registered in {group.name}", passes=young)


def _described(pod: Pod, group: TargetGroup) -> str:
    return f"its Node {pod.node} ({pod.instance or 'no instance'})" if group.by_instance else f"{pod.ip}"
