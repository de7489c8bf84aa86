"""What the API server fills in (kubernetes ``pkg/apis/{core,apps}/v1/defaults.go``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from saferollout.sim.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from saferollout.sim.store import Object

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("preStop", "postStart")
_MODE = 0o644


def with_defaults(resource: Resource, obj: Object) -> Object:
    """Return a copy of ``obj`` as the server would store it: absent fields filled in, nulls gone."""
    copy: Object = _without_nulls(obj)
    if fill := _FILLERS.get(resource.key):
        fill(copy)
    if "status" in resource.subresources:
        _fill(copy, status={})
    return copy


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _fill(target: Object, **defaults: Any) -> None:
    for name, value in defaults.items():
        target.setdefault(name, value)


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")
    for name in ("paused", "minReadySeconds"):
        if not spec.get(name):
            spec.pop(name, None)  # zero and absent are one on the wire
    _pod_spec(spec.get("template", {}).get("spec", {}))


def _replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1)
    _pod_spec(spec.get("template", {}).get("spec", {}))


def _pod(obj: Object) -> None:
    _pod_spec(obj.setdefault("spec", {}))
    _fill(obj.setdefault("status", {}), phase="Pending", qosClass="BestEffort")


def _pod_spec(spec: Object) -> None:
    _fill(
        spec,
        dnsPolicy="ClusterFirst",
        restartPolicy="Always",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    if account := spec.get("serviceAccountName"):
        _fill(spec, serviceAccount=account)
    for container in _containers(spec):
        _container(container)
    for volume in spec.get("volumes", ()):
        for kind in ("configMap", "secret", "projected", "downwardAPI"):
            if kind in volume:
                _fill(volume[kind], defaultMode=_MODE)


def _containers(spec: Object) -> Iterator[Object]:
    yield from spec.get("initContainers", ())
    yield from spec.get("containers", ())


def _container(container: Object) -> None:
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition(":")[2]
    pinned = "@" in image or (tag and tag != "latest")
    _fill(
        container,
        imagePullPolicy="IfNotPresent" if pinned else "Always",
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    for port in container.get("ports", ()):
        _fill(port, protocol="TCP")
    for variable in container.get("env", ()):
        if reference := variable.get("valueFrom", {}).get("fieldRef"):
            _fill(reference, apiVersion="v1")
    for name in _PROBES:
        if probe := container.get(name):
            _fill(probe, failureThreshold=3, periodSeconds=10, successThreshold=1, timeoutSeconds=1)
            _http(probe)
    for name in _HOOKS:
        _http(container.get("lifecycle", {}).get(name, {}))


def _http(action: Object) -> None:
    if (get := action.get("httpGet")) is not None:
        _fill(get, path="/", scheme="HTTP")


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in {"LoadBalancer", "NodePort"}:
        _fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports", ()):
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    _fill(obj, status={"loadBalancer": {}})


def _namespace(obj: Object) -> None:
    metadata = obj["metadata"]
    if name := metadata.get("name"):
        metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": name}
    _fill(obj.setdefault("spec", {}), finalizers=["kubernetes"])
    _fill(obj.setdefault("status", {}), phase="Active")


def _custom_resource_definition(obj: Object) -> None:
    spec = obj["spec"]
    names = spec["names"]
    _fill(spec, conversion={"strategy": "None"})
    _fill(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")


_FILLERS: dict[str, Callable[[Object], None]] = {
    DEPLOYMENTS.key: _deployment,
    REPLICA_SETS.key: _replica_set,
    PODS.key: _pod,
    SERVICES.key: _service,
    NAMESPACES.key: _namespace,
    CUSTOM_RESOURCE_DEFINITIONS.key: _custom_resource_definition,
}
