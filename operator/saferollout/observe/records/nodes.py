"""Nodes: where they are, and whether they are about to go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from sys import intern

from saferollout.api.names import ZONE_LABEL
from saferollout.observe.records.raw import Raw, shared

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


def node(raw: Raw) -> Node:
    """Read a Node."""
    meta, spec = raw["metadata"], raw.get("spec", {})
    found = _INSTANCE.fullmatch(spec.get("providerID") or "")
    taints = [each["key"] for each in spec.get("taints") or ()]
    return Node(
        name=intern(meta["name"]),
        uid=meta["uid"],
        zone=shared((meta.get("labels") or {}).get(ZONE_LABEL)),
        instance=found[1] if found else None,
        goes="deletionTimestamp" in meta
        or spec.get("unschedulable", False)
        or any(key in LEAVING_TAINTS or key.startswith(SPOT_TAINTS) for key in taints),
    )
