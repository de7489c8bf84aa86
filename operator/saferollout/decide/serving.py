"""Who serves: Ready, not on its way out, and healthy in every target group (contract, first paragraph)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from saferollout.decide import target_states
from saferollout.decide.observation import Pod, Target, TargetGroup


@dataclass(frozen=True, slots=True)
class Serving:
    """``why_not`` says of every live pod that does not serve, by name, what keeps it from serving."""

    pods: tuple[Pod, ...]
    why_not: Mapping[str, str]

    def count(self, among: Iterable[Pod]) -> int:
        """Return how many of these pods serve."""
        return sum(1 for pod in among if pod.name not in self.why_not)

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
    why_not = {pod.name: why for pod in pods if (why := _why_not(pod, indexed)) is not None}
    return Serving(tuple(pod for pod in pods if pod.name not in why_not), why_not)


def _why_not(pod: Pod, groups: Iterable[tuple[TargetGroup, Mapping[str, list[Target]]]]) -> str | None:
    if pod.ready_since is None:
        return f"not Ready ({pod.phase})"
    for group, targets in groups:
        if group.targets is None:
            return f"{group.name} has not answered"
        if group.asked_at < pod.ready_since:
            # Whoever had the address before may have been healthy there.
            return f"{group.name} has not been asked since it became Ready"
        mine = list(targets_of(pod, group, targets))
        if not mine:
            return f"{_described(pod, group)} is not registered in {group.name}"
        for target in mine:
            if not target_states.serves(target):
                return target_states.explained(target, group.name)
    return None


def _described(pod: Pod, group: TargetGroup) -> str:
    return f"its Node {pod.node} ({pod.instance or 'no instance'})" if group.by_instance else f"{pod.ip}"
