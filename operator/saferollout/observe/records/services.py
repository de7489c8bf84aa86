"""Services, and what binds them to target groups."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern

from saferollout.decide.workload import Labels
from saferollout.observe.records.raw import Raw, labels_of
from saferollout.observe.roles import Role


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service; ``target`` is the number or the name of the container port it leads to.

    ``on_nodes`` is the port of every Node that leads there too, ``None`` without one.
    """

    number: int
    name: str
    target: int | str
    on_nodes: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """What is read of a Service: which pods it selects, and where its ports lead. No selector, no pods."""

    namespace: str
    name: str
    uid: str
    selector: Labels
    ports: tuple[ServicePort, ...]

    def port(self, wanted: int | str) -> ServicePort | None:
        """The port of that number or name."""
        return next((each for each in self.ports if wanted in (each.number, each.name)), None)


@dataclass(frozen=True, slots=True)
class Binding:
    """What is read of a ``TargetGroupBinding`` of the AWS Load Balancer Controller, or of EKS Auto Mode.

    It registers the pods behind ``port`` (a number or a name) of ``service`` in the target group ``arn``,
    which is ``None`` until the controller has found it by name. ``shared``: with pods of other clusters.
    ``role`` is the one that the controller assumes for it.
    """

    namespace: str
    name: str
    uid: str
    arn: str | None
    service: str
    port: int | str
    shared: bool
    role: Role | None = None


def service(raw: Raw) -> Service:
    """Read a Service."""
    meta, spec = raw["metadata"], raw["spec"]
    return Service(
        namespace=intern(meta["namespace"]),
        name=meta["name"],
        uid=meta["uid"],
        selector=labels_of(spec.get("selector")),
        ports=tuple(
            ServicePort(
                number=each["port"],
                name=each.get("name", ""),
                target=each.get("targetPort") or each["port"],
                on_nodes=each.get("nodePort"),
            )
            for each in spec.get("ports") or ()
        ),
    )


def binding(raw: Raw) -> Binding:
    """Read a TargetGroupBinding."""
    meta, spec = raw["metadata"], raw["spec"]
    reference, role = spec["serviceRef"], spec.get("iamRoleArnToAssume")
    return Binding(
        namespace=intern(meta["namespace"]),
        name=meta["name"],
        uid=meta["uid"],
        arn=spec.get("targetGroupARN") or None,
        service=reference["name"],
        port=reference["port"],
        shared=spec.get("multiClusterTargetGroup", False),
        role=Role(role, spec.get("assumeRoleExternalId") or None) if role else None,
    )
