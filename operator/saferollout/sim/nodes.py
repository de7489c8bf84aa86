"""Nodes to run pods on, as the cloud controller of AWS would have them."""

from __future__ import annotations

import hashlib

from saferollout.sim.controllers.placement import HOSTNAME, REGION, ZONE
from saferollout.sim.store import Object


def new_node(name: str, zone: str, *, pods: int = 110) -> Object:
    """A Node that is ready for ``pods`` pods, in ``zone`` of the Region that the zone's name begins with."""
    room = {"pods": str(pods), "cpu": "8", "memory": "32Gi"}
    return {
        "metadata": {"name": name, "labels": {HOSTNAME: name, ZONE: zone, REGION: zone.rstrip("abcdefgh")}},
        "spec": {"providerID": f"aws:///{zone}/i-{hashlib.sha256(name.encode()).hexdigest()[:17]}"},
        "status": {
            "allocatable": room,
            "capacity": room,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }
