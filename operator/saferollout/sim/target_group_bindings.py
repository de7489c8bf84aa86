"""TargetGroupBindings: the type, and the way from one to the addresses of pods. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from saferollout.sim.elbv2.health import Address
from saferollout.sim.objects import condition_of, is_deleting, labels_of
from saferollout.sim.resources import STATUS, Resource
from saferollout.sim.store import Object

TARGET_GROUP_BINDINGS = Resource(
    group="elbv2.k8s.aws",
    version="v1beta1",
    kind="TargetGroupBinding",
    plural="targetgroupbindings",
    namespaced=True,
    singular="targetgroupbinding",
    subresources=STATUS,
    counts_generations=True,
)

_SPEC = {
    "type": "object",
    "required": ["targetGroupARN", "serviceRef"],
    "x-kubernetes-preserve-unknown-fields": True,
    "properties": {
        "targetGroupARN": {"type": "string"},
        "targetType": {"type": "string", "enum": ["ip", "instance"]},
        "serviceRef": {
            "type": "object",
            "required": ["name", "port"],
            "properties": {"name": {"type": "string"}, "port": {"x-kubernetes-int-or-string": True}},
        },
    },
}

DEFINITION: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": TARGET_GROUP_BINDINGS.key},
    "spec": {
        "group": TARGET_GROUP_BINDINGS.group,
        "scope": "Namespaced",
        "names": {
            "kind": TARGET_GROUP_BINDINGS.kind,
            "listKind": f"{TARGET_GROUP_BINDINGS.kind}List",
            "plural": TARGET_GROUP_BINDINGS.plural,
            "singular": TARGET_GROUP_BINDINGS.singular,
        },
        "versions": [
            {
                "name": TARGET_GROUP_BINDINGS.version,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC}}},
            }
        ],
    },
}
"""The CustomResourceDefinition, with no more of its schema than is used here."""

_GATE_PREFIX = "target-health.elbv2.k8s.aws/"


def gate_of(binding: Object) -> str:
    """The condition type of the readiness gate that pods behind ``binding`` may have."""
    return f"{_GATE_PREFIX}{binding['metadata']['name']}"


def has_gate(pod: Object, gate: str) -> bool:
    """Whether the pod was created with this readiness gate."""
    return any(each["conditionType"] == gate for each in pod["spec"].get("readinessGates") or ())


def belongs(pod: Object, gate: str) -> bool:
    """Whether the pod is to be registered: ready, or kept from it by the gate alone; and not on its way out.

    After aws-load-balancer-controller ``pkg/backend/endpoint_resolver.go``.
    """
    if is_deleting(pod) or not (pod.get("status") or {}).get("podIP"):
        return False
    return is_true(pod, "Ready") or (has_gate(pod, gate) and is_true(pod, "ContainersReady"))


def addresses(service: Object, port: int | str, pods: Iterable[Object]) -> Iterator[tuple[Object, Address]]:
    """Yield the pods that ``service`` selects, each with the address that its ``port`` leads to.

    ``port`` is a number or name of the Service's; its targetPort a number, or the name of a container port. A
    pod without a port of that name is left out.
    """
    selector = (service.get("spec") or {}).get("selector") or {}
    entry = _service_port(service, port)
    if not selector or entry is None:
        return
    wanted = entry.get("targetPort") or entry["port"]
    for pod in pods:
        if selector.items() <= labels_of(pod).items():
            number = wanted if isinstance(wanted, int) else _container_port(pod, wanted)
            if number is not None and (ip := (pod.get("status") or {}).get("podIP")):
                yield pod, Address(ip, number)


def on_nodes(service: Object, port: int | str, nodes: Iterable[Object]) -> Iterator[Address]:
    """Yield the instances of ready Nodes, with the node port of the Service's ``port``; none without one."""
    entry = _service_port(service, port)
    if entry is None or "nodePort" not in entry:
        return
    for node in nodes:
        if is_true(node, "Ready") and (instance := instance_of(node)):
            yield Address(instance, entry["nodePort"])


def instance_of(node: Object) -> str:
    """The id of the EC2 instance that a Node is, empty if it is none."""
    provider, _, instance = (node["spec"].get("providerID") or "").rpartition("/")
    return instance if provider.startswith("aws:///") else ""


def _service_port(service: Object, port: int | str) -> dict[str, Any] | None:
    entries = service["spec"].get("ports") or ()
    return next((each for each in entries if port in (each["port"], each.get("name"))), None)


def _container_port(pod: Object, name: str) -> int | None:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name") == name:
                number: int = port["containerPort"]
                return number
    return None


def is_true(obj: Object, kind: str) -> bool:
    """Whether the object has the condition, and it is True."""
    condition = condition_of(obj, kind)
    return condition is not None and condition["status"] == "True"
