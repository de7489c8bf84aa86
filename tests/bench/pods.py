"""Pods of the size that real ones have: about 6 kB of JSON, most of which nobody here asks for."""

from __future__ import annotations

from typing import Any

Raw = dict[str, Any]

_ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
_STARTED = "2026-01-01T00:01:00Z"


def pod(number: int, owner: str) -> Raw:
    """Pod ``number`` of the cluster, which the ReplicaSet of that UID controls."""
    zone = _ZONES[number % len(_ZONES)]
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-6f57ccbc58-{number:05d}",
            "namespace": "default",
            "labels": {
                "app.kubernetes.io/name": "web",
                "pod-template-hash": "6f57ccbc58",
                "topology.kubernetes.io/zone": zone,
            },
            "annotations": {"prometheus.io/scrape": "true", "checksum/config": "0" * 64},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": "web-6f57ccbc58",
                    "uid": owner,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
            "managedFields": [_managed("kube-controller-manager"), _managed("kubelet")],
        },
        "spec": {
            "containers": [_container("web", 8080), _container("sidecar", 9090)],
            "nodeName": f"node-{number % 200}",
            "serviceAccountName": "web",
            "terminationGracePeriodSeconds": 60,
            "tolerations": [
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
            ],
            "volumes": [
                {"name": f"volume-{index}", "configMap": {"name": f"config-{index}", "defaultMode": 420}}
                for index in range(4)
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": f"172.16.0.{number % 200}",
            "qosClass": "Burstable",
            "startTime": _STARTED,
            "conditions": [
                {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": _STARTED}
                for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
            "containerStatuses": [_container_status("web"), _container_status("sidecar")],
        },
    }


def _container(name: str, port: int) -> Raw:
    probe = {"httpGet": {"path": "/healthz", "port": port, "scheme": "HTTP"}, "periodSeconds": 10}
    return {
        "name": name,
        "image": f"registry.example/{name}@sha256:{'0' * 64}",
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{index}", "value": f"value-{index}"} for index in range(10)],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
        "readinessProbe": probe,
        "livenessProbe": probe,
        "volumeMounts": [{"name": f"volume-{index}", "mountPath": f"/etc/{index}"} for index in range(4)],
    }


def _container_status(name: str) -> Raw:
    return {
        "name": name,
        "image": f"registry.example/{name}",
        "imageID": f"registry.example/{name}@sha256:{'0' * 64}",
        "containerID": f"containerd://{'0' * 64}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": _STARTED}},
    }


def _managed(manager: str) -> Raw:
    keys = ("conditions", "containerStatuses", "hostIP", "phase", "podIP", "podIPs", "startTime")
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": _STARTED,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:status": {f"f:{key}": {".": {}, "f:type": {}, "f:status": {}} for key in keys}},
    }
