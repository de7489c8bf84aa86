"""The way from a Deployment to its target groups: labels, Services, TargetGroupBindings, ARNs. Pure.

TargetGroupBindings have no ownerReferences, so this way is the only one
(aws-load-balancer-controller, *TargetGroupBinding*).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from saferollout.api.model import ServiceRef, TargetGroupRef
from saferollout.api.reasons import Reason
from saferollout.decide.answers import TargetGroup
from saferollout.decide.observation import Problem
from saferollout.decide.workload import Labels
from saferollout.observe.records import Binding, Service, ServicePort
from saferollout.observe.roles import Role


@dataclass(frozen=True, slots=True)
class Found:
    """A target group, before anybody asked ELBv2 about it. See ``decide.answers.TargetGroup``.

    Whether pods or Nodes are its targets is not known yet: ``ports`` are those of the one, ``node_ports``
    those of the other.
    """

    arn: str
    source: str
    ports: tuple[int | str, ...] = ()
    node_ports: tuple[int | str, ...] = ()
    shared: bool = False
    role: Role | None = None

    def answered(self, answer: TargetGroup) -> TargetGroup:
        """Complete what ELBv2 says of the target group with what is known of it here."""
        ports = self.node_ports if answer.by_instance else self.ports
        return replace(answer, source=self.source, ports=ports, shared=self.shared)


@dataclass(frozen=True, slots=True)
class Ways:
    """What a namespace has that leads from pods to target groups."""

    services: Sequence[Service]
    bindings: Sequence[Binding]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Target groups in the order of their ARNs, each once, and what could not be resolved."""

    groups: tuple[Found, ...] = ()
    problems: tuple[Problem, ...] = ()


def resolve(asked: Sequence[TargetGroupRef], revisions: Iterable[Labels], ways: Ways) -> Resolved:
    """Find the target groups that a SafeRollout asks for, or, if it names none, those its pods are in.

    Args:
        asked: ``spec.targetGroups``.
        revisions: The labels of the pods of every revision that there is: a Service that selects the old
            ones only still sends them traffic.
        ways: What there is in the namespace.
    """
    begun = list(_asked(asked, ways) if asked else _selecting(revisions, ways))
    followed = [_follow(each, ways) for each in begun if isinstance(each, Binding)]
    ends = [*(each for each in begun if not isinstance(each, Binding)), *followed]
    return Resolved(
        _merged(each for each in ends if isinstance(each, Found)),
        tuple(each for each in ends if isinstance(each, Problem)),
    )


def _asked(asked: Iterable[TargetGroupRef], ways: Ways) -> Iterator[Binding | Found | Problem]:
    """Yield the bindings that are asked for; what is asked for by its ARN is found already."""
    for one in asked:
        if one.arn is not None:
            assumed = one.assume_role
            role = None if assumed is None else Role(assumed.arn, assumed.external_id)
            yield Found(one.arn, "spec", role=role)
            continue
        matching = [each for each in ways.bindings if _is_meant(each, one, ways)]
        yield from matching
        if not matching:
            yield _nothing(one)


def _is_meant(binding: Binding, asked: TargetGroupRef, ways: Ways) -> bool:
    if asked.service is None:
        return binding.name == asked.binding
    if binding.service != asked.service.name:
        return False
    port = asked.service.port
    return (
        port is None or binding.port == port or _port_of(binding, ways) in _ports(asked.service, port, ways)
    )


def _ports(asked: ServiceRef, port: int | str, ways: Ways) -> list[ServicePort]:
    services = (each for each in ways.services if each.name == asked.name)
    return [found for each in services if (found := each.port(port)) is not None]


def _port_of(binding: Binding, ways: Ways) -> ServicePort | None:
    service = next((each for each in ways.services if each.name == binding.service), None)
    return None if service is None else service.port(binding.port)


def _selecting(revisions: Iterable[Labels], ways: Ways) -> Iterator[Binding | Problem]:
    """Yield the bindings of every Service that selects pods of one of these revisions."""
    pods = list(revisions)
    services = sorted(
        each.name
        for each in ways.services
        if each.selector and any(each.selector <= labels for labels in pods)
    )
    bindings = [each for each in ways.bindings if each.service in services]
    yield from bindings
    if not bindings:
        yield _none_found(services)


def _none_found(services: Sequence[str]) -> Problem:
    why = (
        f"no TargetGroupBinding leads to Service {', '.join(services)}"
        if services
        else "no Service selects its pods"
    )
    return Problem(
        Reason.NO_TARGET_GROUP, f"no target group was found: {why}. What to do: {_NO_TARGET_GROUP_REMEDY}."
    )


def _follow(binding: Binding, ways: Ways) -> Found | Problem:
    """Go from a binding to its target group and the container port that is registered there."""
    port = _port_of(binding, ways)
    if binding.arn is None:
        return _unresolved(f"TargetGroupBinding {binding.name} has no targetGroupARN yet", _LOG)
    if port is None:
        what = f"TargetGroupBinding {binding.name} leads to port {binding.port} of Service {binding.service}"
        return _unresolved(f"{what}, which is not there", "correct its serviceRef, or the Service")
    source = f"TargetGroupBinding {binding.name} (Service {binding.service}, port {binding.port})"
    node_ports = () if port.on_nodes is None else (port.on_nodes,)
    return Found(binding.arn, source, (port.target,), node_ports, binding.shared, binding.role)


def _merged(found: Iterable[Found]) -> tuple[Found, ...]:
    """Make one of those that are the same target group: with all ports, or any if one of them says any."""
    merged: dict[str, Found] = {}
    for each in sorted(found, key=lambda each: (each.arn, each.source)):
        other = merged.setdefault(each.arn, each)
        if other is not each:
            merged[each.arn] = replace(
                other,
                source=f"{other.source}, {each.source}",
                ports=_either(other.ports, each.ports),
                node_ports=_either(other.node_ports, each.node_ports),
                shared=other.shared or each.shared,
                role=other.role or each.role,
            )
    return tuple(merged.values())


def _either(some: tuple[int | str, ...], others: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return tuple(dict.fromkeys((*some, *others))) if some and others else ()


def _nothing(asked: TargetGroupRef) -> Problem:
    if asked.service is None:
        return _unresolved(f"there is no TargetGroupBinding {asked.binding}", "correct spec.targetGroups")
    port = "" if asked.service.port is None else f", port {asked.service.port}"
    what = f"no TargetGroupBinding leads to Service {asked.service.name}{port}"
    return _unresolved(what, "correct spec.targetGroups, or give the Service a load balancer")


def _unresolved(what: str, remedy: str) -> Problem:
    return Problem(Reason.TARGET_GROUP_UNRESOLVED, f"{what}. What to do: {remedy}.")


_LOG = "see the log of the AWS Load Balancer Controller"
_NO_TARGET_GROUP_REMEDY = (
    "put the Service behind an ALB or NLB with the AWS Load Balancer Controller, or list spec.targetGroups"
)
