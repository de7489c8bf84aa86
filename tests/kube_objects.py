"""Raw objects as an API server would write them, with only what a test says differing from the ordinary."""

from __future__ import annotations

import copy
from typing import Any

Raw = dict[str, Any]

TEMPLATE: Raw = {
    "metadata": {"creationTimestamp": None, "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}]},
}


def template(image: str = "web:1", **labels: str) -> Raw:
    raw = copy.deepcopy(TEMPLATE)
    raw["spec"]["containers"][0]["image"] = image
    raw["metadata"]["labels"] |= labels
    return raw


def meta(name: str, owner: tuple[str, str] | None = None, **more: Any) -> Raw:
    raw: Raw = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    if owner is not None:
        kind, uid = owner
        raw["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": kind, "uid": uid, "controller": True}]
    return raw | more


def deployment(name: str = "web", *, image: str = "web:1", **spec: Any) -> Raw:
    return {
        "metadata": meta(name, generation=2),
        "spec": {"replicas": 3, "template": template(image)} | spec,
        "status": {"observedGeneration": 1},
    }


def replica_set(name: str, *, owner: str = "uid-web", image: str = "web:1", **spec: Any) -> Raw:
    return {
        "metadata": meta(name, ("Deployment", owner), labels={"pod-template-hash": name}),
        "spec": {"replicas": 3, "template": template(image, **{"pod-template-hash": name})} | spec,
        "status": {"replicas": 4, "availableReplicas": 2},
    }


def pod(
    name: str, owner: str | None = "uid-a", *, metadata: Raw | None = None, ip: str = "10.0.0.1", **spec: Any
) -> Raw:
    controller = ("ReplicaSet", owner) if owner else None
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:01:00Z"}
    return {
        "metadata": meta(name, controller) | (metadata or {}),
        "spec": template()["spec"] | {"nodeName": "n1"} | spec,
        "status": {
            "phase": "Running",
            "podIP": ip,
            "conditions": [{"type": "PodScheduled", "status": "True"}, ready],
            "containerStatuses": [{"restartCount": 1}, {"restartCount": 2}],
        },
    }


def node(name: str, zone: str | None) -> Raw:
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    return {"metadata": meta(name, labels=labels)}
