"""What the API server prints for ``kubectl get`` (kubernetes ``pkg/printers/internalversion``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saferollout.sim.apiserver.jsonpath import compile_path
from saferollout.sim.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from saferollout.sim.store import Object
from saferollout.sim.timestamps import seconds

WIDE = 1
"""The priority of columns that only ``-o wide`` shows."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``cell`` makes its content from an object and the time (seconds since the epoch)."""

    name: str
    cell: Callable[[Object, float], Any]
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


def duration(elapsed: float) -> str:
    """Write seconds as an age: ``42s``, ``5m3s``, ``3h12m``, ``12d`` (apimachinery ``pkg/util/duration``)."""
    s = max(0, int(elapsed))
    m, h, d = s // 60, s // 3600, s // 86400
    for most, unit, rest, written in (
        (120, "", 0, f"{s}s"),
        (600, "s", s % 60, f"{m}m"),
        (10_800, "", 0, f"{m}m"),
        (28_800, "m", m % 60, f"{h}h"),
        (172_800, "", 0, f"{h}h"),
        (691_200, "h", h % 24, f"{d}d"),
    ):
        if s < most:
            return f"{written}{rest}{unit}" if rest else written
    return f"{d}d" if d < 730 else f"{d // 365}y"


def _age(obj: Object, now: float) -> str:
    return duration(now - seconds(obj["metadata"]["creationTimestamp"]))


def _at(path: str, otherwise: Any = "<none>") -> Callable[[Object, float], Any]:
    find = compile_path(path)
    return lambda obj, _now: next(iter(find(obj)), otherwise)


def _pod_ready(pod: Object, _now: float) -> str:
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return f"{sum(bool(each.get('ready')) for each in statuses)}/{len(pod['spec']['containers'])}"


def _pod_status(pod: Object, _now: float) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    status = pod.get("status", {})
    for each in status.get("containerStatuses", ()):
        state = each.get("state", {})
        reason = (state.get("waiting") or state.get("terminated") or {}).get("reason")
        if reason:
            return str(reason)
    return str(status.get("reason") or status.get("phase", "Unknown"))


def _pod_restarts(pod: Object, _now: float) -> str:
    return str(
        sum(each.get("restartCount", 0) for each in pod.get("status", {}).get("containerStatuses", ()))
    )


def _pod_gates(pod: Object, _now: float) -> str:
    gates = [each["conditionType"] for each in pod["spec"].get("readinessGates", ())]
    conditions = pod.get("status", {}).get("conditions", ())
    met = sum(each["type"] in gates and each["status"] == "True" for each in conditions)
    return f"{met}/{len(gates)}" if gates else "<none>"


def _deployment_ready(obj: Object, _now: float) -> str:
    return f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"


def _joined(path: str) -> Callable[[Object, float], str]:
    find = compile_path(path)
    return lambda obj, _now: ",".join(map(str, find(obj)))


def _labels(path: str) -> Callable[[Object, float], str]:
    find = compile_path(path)

    def cell(obj: Object, _now: float) -> str:
        labels = next(iter(find(obj)), None) or {}
        return ",".join(f"{name}={value}" for name, value in sorted(labels.items())) or "<none>"

    return cell


def _node_status(node: Object, _now: float) -> str:
    conditions = {each["type"]: each["status"] for each in node.get("status", {}).get("conditions", ())}
    ready = {"True": "Ready", "False": "NotReady"}.get(conditions.get("Ready", ""), "Unknown")
    return f"{ready},SchedulingDisabled" if node.get("spec", {}).get("unschedulable") else ready


_ROLE = "node-role.kubernetes.io/"


def _node_roles(node: Object, _now: float) -> str:
    labels = node["metadata"].get("labels") or {}
    return ",".join(sorted(name.removeprefix(_ROLE) for name in labels if name.startswith(_ROLE))) or "<none>"


def _service_ports(service: Object, _now: float) -> str:
    def written(port: Object) -> str:
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"

    return ",".join(map(written, service["spec"].get("ports", ()))) or "<none>"


def _service_external(service: Object, _now: float) -> str:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    addresses = ",".join(each.get("hostname") or each.get("ip", "") for each in ingress)
    return addresses or ("<pending>" if service["spec"].get("type") == "LoadBalancer" else "<none>")


def _last_seen(event: Object, now: float) -> str:
    latest = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return duration(now - seconds(latest))


def _involved(event: Object, _now: float) -> str:
    involved = event.get("involvedObject", {})
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


_NAME = Column("Name", _at(".metadata.name"), format="name", description="Name must be unique.")
_AGE = Column("Age", _age, description="Time since the object was created.")
_TEMPLATE = (
    Column("Containers", _joined(".spec.template.spec.containers[*].name"), priority=WIDE),
    Column("Images", _joined(".spec.template.spec.containers[*].image"), priority=WIDE),
    Column("Selector", _labels(".spec.selector.matchLabels"), priority=WIDE),
)

_COLUMNS: dict[str, tuple[Column, ...]] = {
    PODS.key: (
        _NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _pod_restarts),
        _AGE,
        Column("IP", _at(".status.podIP"), priority=WIDE),
        Column("Node", _at(".spec.nodeName"), priority=WIDE),
        Column("Nominated Node", _at(".status.nominatedNodeName"), priority=WIDE),
        Column("Readiness Gates", _pod_gates, priority=WIDE),
    ),
    DEPLOYMENTS.key: (
        _NAME,
        Column("Ready", _deployment_ready),
        Column("Up-to-date", _at(".status.updatedReplicas", 0), "integer"),
        Column("Available", _at(".status.availableReplicas", 0), "integer"),
        _AGE,
        *_TEMPLATE,
    ),
    REPLICA_SETS.key: (
        _NAME,
        Column("Desired", _at(".spec.replicas", 0), "integer"),
        Column("Current", _at(".status.replicas", 0), "integer"),
        Column("Ready", _at(".status.readyReplicas", 0), "integer"),
        _AGE,
        *_TEMPLATE,
    ),
    NODES.key: (
        _NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        _AGE,
        Column("Version", _at(".status.nodeInfo.kubeletVersion", "")),
        Column("Zone", _at(r".metadata.labels.topology\.kubernetes\.io/zone"), priority=WIDE),
        Column("Internal-IP", _at('.status.addresses[?(@.type=="InternalIP")].address'), priority=WIDE),
    ),
    SERVICES.key: (
        _NAME,
        Column("Type", _at(".spec.type")),
        Column("Cluster-IP", _at(".spec.clusterIP")),
        Column("External-IP", _service_external),
        Column("Port(s)", _service_ports),
        _AGE,
        Column("Selector", _labels(".spec.selector"), priority=WIDE),
    ),
    EVENTS.key: (
        Column("Last Seen", _last_seen),
        Column("Type", _at(".type", "")),
        Column("Reason", _at(".reason", "")),
        Column("Object", _involved),
        Column("Message", _at(".message", "")),
        Column("Source", _at(".source.component", ""), priority=WIDE),
        Column("Count", _at(".count", 1), "integer", priority=WIDE),
        Column("Name", _at(".metadata.name"), priority=WIDE),
    ),
    POD_DISRUPTION_BUDGETS.key: (
        _NAME,
        Column("Min Available", _at(".spec.minAvailable", "N/A")),
        Column("Max Unavailable", _at(".spec.maxUnavailable", "N/A")),
        Column("Allowed Disruptions", _at(".status.disruptionsAllowed", 0), "integer"),
        _AGE,
    ),
    NAMESPACES.key: (_NAME, Column("Status", _at(".status.phase", "")), _AGE),
    CONFIG_MAPS.key: (_NAME, Column("Data", lambda obj, _now: len(obj.get("data") or {}), "integer"), _AGE),
    CUSTOM_RESOURCE_DEFINITIONS.key: (_NAME, Column("Created At", _at(".metadata.creationTimestamp"))),
}


def columns(resource: Resource, printed: tuple[dict[str, Any], ...] | None) -> tuple[Column, ...]:
    """Return the columns of a type; ``printed`` are a custom one's ``additionalPrinterColumns``."""
    if printed:
        return (_NAME, *map(_custom, printed))
    return _COLUMNS.get(resource.key, (_NAME, _AGE))


def _custom(printed: dict[str, Any]) -> Column:
    find, kind = compile_path(printed["jsonPath"]), printed["type"]

    def cell(obj: Object, now: float) -> Any:
        found = next(iter(find(obj)), None)
        if kind == "date":
            return duration(now - seconds(found)) if found else "<unknown>"
        if found is None or kind in {"integer", "number", "boolean"}:
            return found
        return found if isinstance(found, str) else str(found)

    return Column(
        printed["name"],
        cell,
        kind,
        printed.get("format", ""),
        printed.get("description", ""),
        printed.get("priority", 0),
    )
