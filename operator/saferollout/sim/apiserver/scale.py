"""The ``scale`` subresource: a Deployment's replicas as an ``autoscaling/v1`` Scale and back."""

from __future__ import annotations

from saferollout.sim.store import Object


def scale_of(obj: Object) -> Object:
    """Return the Scale of an object."""
    selector = obj["spec"].get("selector", {}).get("matchLabels", {})
    shared = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in shared if name in obj["metadata"]},
        "spec": {"replicas": obj["spec"].get("replicas", 0)},
        "status": {
            "replicas": obj.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{name}={value}" for name, value in sorted(selector.items())),
        },
    }


def scaled(obj: Object, scale: Object) -> Object:
    """Return ``obj`` with the replicas of ``scale``, under the version the scale was read at."""
    metadata = obj["metadata"]
    if version := scale.get("metadata", {}).get("resourceVersion"):
        metadata = {**metadata, "resourceVersion": version}
    replicas = scale.get("spec", {}).get("replicas", 0)
    return {**obj, "metadata": metadata, "spec": {**obj["spec"], "replicas": replicas}}
