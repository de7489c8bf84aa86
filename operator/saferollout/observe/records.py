"""From raw API objects to the frozen records: all that the operator ever keeps of an object.

A parser returns ``None`` for an object that nobody here will ask for. Strings that many objects share
are interned, so that ten thousand pods do not hold ten thousand copies of a zone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any

import orjson

from saferollout.api.names import (
    COST_BEFORE_ANNOTATION,
    DELETION_COST_ANNOTATION,
    FIELD_MANAGER,
    GUARD_ANNOTATION,
    GUARDED_LABEL,
    LAST_APPLIED_ANNOTATION,
    LEDGER_ANNOTATION,
    POD_TEMPLATE_HASH_LABEL,
    ZONE_LABEL,
)
from saferollout.decide.ledger import SETTINGS
from saferollout.decide.observation import (
    FINISHED,
    ContainerPort,
    Deployment,
    Disruption,
    Labels,
    Leave,
    Pod,
    ReplicaSet,
    Strategy,
)
from saferollout.decide.takeovers import API_NAMES
from saferollout.observe.roles import Role

Raw = Mapping[str, Any]
"""One object as the API server wrote it."""

DEFAULT_SURGE = DEFAULT_UNAVAILABLE = "25%"
"""What apps/v1 takes when a rolling update names no numbers."""

_ONE_SECOND = 1.0
"""Times in conditions have whole seconds, cut off, and two writers do not write at the same moment."""

_INSTANCE = re.compile(r"aws:///[^/]+/(i-[0-9a-f]+)")
"""``spec.providerID`` of a Node that is an EC2 instance (cloud-provider-aws)."""

LEAVING_TAINTS = frozenset(
    {"karpenter.sh/disrupted", "karpenter.sh/disruption", "ToBeDeletedByClusterAutoscaler"}
)
"""Keys of taints on Nodes that are to be drained: Karpenter's (v1, v1beta1) and cluster-autoscaler's."""

SPOT_TAINTS = "aws-node-termination-handler/"
"""How the keys of taints begin that aws-node-termination-handler puts on such Nodes."""


@dataclass(frozen=True, slots=True)
class Node:
    """What is read of a Node: where it is, and which EC2 instance, ``None`` if it is none (Fargate).

    ``goes``: it is cordoned, about to be drained, or being deleted.
    """

    name: str
    uid: str
    zone: str | None
    instance: str | None = None
    goes: bool = False


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


def deployment(raw: Raw) -> Deployment:
    """Read a Deployment."""
    meta, spec = raw["metadata"], raw["spec"]
    return Deployment(
        namespace=intern(meta["namespace"]),
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        generation=meta.get("generation", 0),
        observed_generation=raw.get("status", {}).get("observedGeneration", 0),
        replicas=spec.get("replicas", 1),
        paused=spec.get("paused", False),
        strategy=_strategy(spec.get("strategy", {})),
        min_ready_seconds=spec.get("minReadySeconds", 0),
        progress_deadline_seconds=spec.get("progressDeadlineSeconds"),
        template=template_digest(spec["template"]),
        ledger=_annotations(meta).get(LEDGER_ANNOTATION),
        deleting="deletionTimestamp" in meta,
        labels=_template_labels(spec["template"]),
        leave=_leave(spec["template"]),
        writers=_writers(meta),
        deadline_declared=_deadline_declared(meta),
        label=_shared((meta.get("labels") or {}).get(GUARDED_LABEL)),
        held_by_guard=spec.get("paused", False) and GUARD_ANNOTATION in _annotations(meta),
    )


def replica_set(raw: Raw) -> ReplicaSet | None:
    """Read a ReplicaSet, ``None`` unless a Deployment controls it."""
    meta, spec = raw["metadata"], raw["spec"]
    owner = _controller(meta, "Deployment")
    if owner is None:
        return None
    return ReplicaSet(
        name=meta["name"],
        uid=intern(meta["uid"]),
        hash=(meta.get("labels") or {}).get(POD_TEMPLATE_HASH_LABEL, ""),
        template=template_digest(spec["template"]),
        created_at=_seconds(meta["creationTimestamp"]),
        replicas=spec.get("replicas", 1),
        available=raw.get("status", {}).get("availableReplicas", 0),
        min_ready_seconds=spec.get("minReadySeconds", 0),
        failure=_failure(raw.get("status", {})),
        noted=not _annotations(meta).keys().isdisjoint({LEDGER_ANNOTATION, GUARD_ANNOTATION}),
        owner=owner,
        labels=_template_labels(spec["template"]),
        leave=_leave(spec["template"]),
        resource_version=meta["resourceVersion"],
    )


def pod(raw: Raw) -> Pod | None:
    """Read a pod.

    Whole if a ReplicaSet controls it. Of any other pod only what says who has an address, and ``None`` when
    it can have none of its own. ``zone`` is the pod's own label; its Node's is looked up when asked for.
    """
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status", {})
    owner = _controller(meta, "ReplicaSet")
    phase = intern(status.get("phase", "Pending"))
    host_network = spec.get("hostNetwork", False)
    if owner is None:
        if host_network or phase in FINISHED:
            return None
        return Pod(
            name=meta["name"],
            uid=meta["uid"],
            owner="",
            created_at=_seconds(meta["creationTimestamp"]),
            ip=status.get("podIP"),
            phase=phase,
            terminating="deletionTimestamp" in meta,
        )
    annotations = _annotations(meta)
    disruption, disrupted_at = _disruption(meta, status)
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        owner=owner,
        created_at=_seconds(meta["creationTimestamp"]),
        ip=status.get("podIP"),
        ports=_ports(spec),
        node=_shared(spec.get("nodeName")),
        zone=_shared((meta.get("labels") or {}).get(ZONE_LABEL)),
        phase=phase,
        ready_since=_ready_since(status),
        terminating="deletionTimestamp" in meta,
        restarts=_restarts(status),
        deletion_cost=_shared(annotations.get(DELETION_COST_ANNOTATION)),
        cost_before=_shared(annotations.get(COST_BEFORE_ANNOTATION)),
        host_network=host_network,
        ended_at=_ended_at(status),
        deleted_at=_deleted_at(meta),
        trouble=_trouble(status),
        disruption=disruption,
        disrupted_at=disrupted_at,
        version=int(meta["resourceVersion"]),
    )


def node(raw: Raw) -> Node:
    """Read a Node."""
    meta, spec = raw["metadata"], raw.get("spec", {})
    found = _INSTANCE.fullmatch(spec.get("providerID") or "")
    taints = [each["key"] for each in spec.get("taints") or ()]
    return Node(
        name=intern(meta["name"]),
        uid=meta["uid"],
        zone=_shared((meta.get("labels") or {}).get(ZONE_LABEL)),
        instance=found[1] if found else None,
        goes="deletionTimestamp" in meta
        or spec.get("unschedulable", False)
        or any(key in LEAVING_TAINTS or key.startswith(SPOT_TAINTS) for key in taints),
    )


def service(raw: Raw) -> Service:
    """Read a Service."""
    meta, spec = raw["metadata"], raw["spec"]
    return Service(
        namespace=intern(meta["namespace"]),
        name=meta["name"],
        uid=meta["uid"],
        selector=_labels(spec.get("selector")),
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


def template_digest(template: Raw) -> str:
    """Digest a pod template, so that equal digests mean the same revision.

    Like the Deployment controller (``EqualIgnoreHash``) it disregards the ``pod-template-hash`` label, which
    only the ReplicaSet's copy has, and the empty ``creationTimestamp`` that some API servers write.
    """
    meta = dict(template.get("metadata") or {})
    if meta.get("creationTimestamp") is None:
        meta.pop("creationTimestamp", None)
    meta["labels"] = {k: v for k, v in (meta.get("labels") or {}).items() if k != POD_TEMPLATE_HASH_LABEL}
    canonical = orjson.dumps({**template, "metadata": meta}, option=orjson.OPT_SORT_KEYS)
    return intern(hashlib.blake2b(canonical, digest_size=8).hexdigest())


def _strategy(raw: Raw) -> Strategy:
    kind = intern(raw.get("type", "RollingUpdate"))
    if kind != "RollingUpdate":
        return Strategy(kind)
    numbers = raw.get("rollingUpdate") or {}
    return Strategy(
        kind,
        max_surge=numbers.get("maxSurge", DEFAULT_SURGE),
        max_unavailable=numbers.get("maxUnavailable", DEFAULT_UNAVAILABLE),
    )


def _writers(meta: Raw) -> tuple[tuple[str, str], ...]:
    """Who else wrote each of the operator's fields last, by ``managedFields``; by "", any field of the spec.

    A field that is absent, as ``paused: false`` is, has no writer of its own.
    """
    latest: dict[str, tuple[str, str]] = {}
    for entry in meta.get("managedFields") or ():
        manager = entry.get("manager", "")
        if manager == FIELD_MANAGER or entry.get("subresource"):
            continue
        written = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        names = [name for name in SETTINGS if f"f:{API_NAMES[name]}" in written]
        for name in (*names, "") if written else ():
            latest[name] = max(latest.get(name, ("", "")), (entry.get("time", ""), manager))
    return _shared_writers(tuple((name, manager) for name, (_, manager) in sorted(latest.items())))


def _deadline_declared(meta: Raw) -> bool:
    """Whether somebody applies ``progressDeadlineSeconds``, on the server's side or the client's.

    That a field has a writer does not say so: who creates a Deployment owns the defaults as well.
    """
    applied = (each for each in meta.get("managedFields") or () if each.get("operation") == "Apply")
    return '"progressDeadlineSeconds"' in _annotations(meta).get(LAST_APPLIED_ANNOTATION, "") or any(
        "f:progressDeadlineSeconds" in ((each.get("fieldsV1") or {}).get("f:spec") or {}) for each in applied
    )


@lru_cache(maxsize=1024)
def _shared_writers(writers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The one tuple that all Deployments with these writers share."""
    return writers


def _controller(meta: Raw, kind: str) -> str | None:
    """The UID of the apps/v1 object of that kind that controls this one."""
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller") and owner["kind"] == kind and owner["apiVersion"] == "apps/v1":
            return intern(owner["uid"])
    return None


def _template_labels(template: Raw) -> Labels:
    labels = (template.get("metadata") or {}).get("labels") or {}
    return _labels({name: value for name, value in labels.items() if name != POD_TEMPLATE_HASH_LABEL})


@lru_cache(maxsize=1024)
def _shared_leave(pre_stop: float, grace: int) -> Leave:
    """The one record that all templates of these numbers share."""
    return Leave(pre_stop, grace)


def _leave(template: Raw) -> Leave:
    spec = template["spec"]
    hooks = ((each.get("lifecycle") or {}).get("preStop") or {} for each in spec["containers"])
    return _shared_leave(max(map(_slept, hooks), default=0.0), spec.get("terminationGracePeriodSeconds", 30))


def _slept(hook: Raw) -> float:
    """The seconds that a hook sleeps for: by itself, or in a command such as ``sh -c "sleep 40"``."""
    if "sleep" in hook:
        return float(hook["sleep"]["seconds"])
    command = " ".join((hook.get("exec") or {}).get("command") or ())
    found = re.search(r"\bsleep\s+(\d+(?:\.\d+)?)", command)
    return float(found[1]) if found else 0.0


def _ended_at(status: Raw) -> float | None:
    """When the last container ended, ``None`` unless all have and say when."""
    states = [each.get("state") or {} for each in status.get("containerStatuses") or ()]
    ends = [(state.get("terminated") or {}).get("finishedAt") for state in states]
    told = [end for end in ends if end]
    return max(map(_seconds, told)) if told and len(told) == len(states) else None


def _disruption(meta: Raw, status: Raw) -> tuple[Disruption | None, float | None]:
    """Who takes the pod and since when, unless it was going already.

    A pod that is on its way out is still evicted by a drain, and cleared away when its Node is gone.
    """
    for condition in status.get("conditions") or ():
        if condition["type"] != "DisruptionTarget" or condition["status"] != "True":
            continue
        at = _seconds(condition["lastTransitionTime"])
        deleted_at = _deleted_at(meta)
        if deleted_at is not None and at > deleted_at + _ONE_SECOND:
            break
        reason = condition.get("reason")
        known = reason in set(Disruption)
        return Disruption(reason) if known else Disruption.OTHER, at
    return None, None


def _labels(raw: Mapping[str, str] | None) -> Labels:
    return frozenset((intern(name), intern(value)) for name, value in (raw or {}).items())


def _annotations(meta: Raw) -> Mapping[str, str]:
    return meta.get("annotations") or {}


def _ports(spec: Raw) -> tuple[ContainerPort, ...]:
    """Declared ports of everything that keeps running: containers, and init containers that are sidecars."""
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    containers = [*spec["containers"], *sidecars]
    return _shared_ports(
        tuple(
            ContainerPort(port["containerPort"], port.get("name", ""))
            for each in containers
            for port in each.get("ports") or ()
        )
    )


@lru_cache(maxsize=4096)
def _shared_ports(ports: tuple[ContainerPort, ...]) -> tuple[ContainerPort, ...]:
    """The one tuple that all pods with these ports share."""
    return ports


def _restarts(status: Raw) -> int:
    """Of the container that restarted most, which is what ranks pods when a ReplicaSet shrinks."""
    return max((each.get("restartCount", 0) for each in status.get("containerStatuses") or ()), default=0)


def _ready_since(status: Raw) -> float | None:
    for condition in status.get("conditions") or ():
        if condition["type"] == "Ready":
            since = condition.get("lastTransitionTime")
            return _seconds(since) if since and condition["status"] == "True" else None
    return None


def _deleted_at(meta: Raw) -> float | None:
    """When somebody deleted it: its ``deletionTimestamp`` is by when it has to be gone."""
    until = meta.get("deletionTimestamp")
    return None if until is None else _seconds(until) - meta.get("deletionGracePeriodSeconds", 0)


_USUAL = frozenset({"ContainerCreating", "PodInitializing"})
"""Reasons for which containers wait when nothing is wrong (kubernetes ``pkg/kubelet/container``)."""


def _trouble(status: Raw) -> str:
    """What keeps a pod from starting: why the scheduler has no node for it, or a container does not run."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return intern(_sentence(condition))
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = each.get("state") or {}
        ended = state.get("terminated") or (each.get("lastState") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            # Said alike while it waits and while it runs again, for it goes back and forth between them.
            return intern(f"crashes ({ended.get('reason', 'Error')}, exit code {ended['exitCode']})")
        why = (state.get("waiting") or {}).get("reason", "")
        if why and why not in _USUAL:
            return intern(why)
    return ""


def _failure(status: Raw) -> str:
    """Why a ReplicaSet cannot create or delete pods, empty if it can."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return _sentence(condition)
    return ""


def _sentence(condition: Raw) -> str:
    return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))


def _shared(text: str | None) -> str | None:
    return None if text is None else intern(text)


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
