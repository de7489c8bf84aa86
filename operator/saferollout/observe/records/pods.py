"""Pods: what they are, where, and what keeps them from serving."""

from __future__ import annotations

from functools import lru_cache
from sys import intern

from saferollout.api.names import COST_BEFORE_ANNOTATION, DELETION_COST_ANNOTATION, ZONE_LABEL
from saferollout.decide.workload import FINISHED, ContainerPort, Disruption, Pod
from saferollout.observe.records.raw import Raw, annotations_of, controller_of, epoch, sentence, shared

_ONE_SECOND = 1.0
"""Times in conditions have whole seconds, cut off, and two writers do not write at the same moment."""


def pod(raw: Raw) -> Pod | None:
    """Read a pod.

    Whole if a ReplicaSet controls it. Of any other pod only what says who has an address, and ``None`` when
    it can have none of its own. ``zone`` is the pod's own label; its Node's is looked up when asked for.
    """
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status", {})
    owner = controller_of(meta, "ReplicaSet")
    phase = intern(status.get("phase", "Pending"))
    host_network = spec.get("hostNetwork", False)
    if owner is None:
        if host_network or phase in FINISHED:
            return None
        return Pod(
            name=meta["name"],
            uid=meta["uid"],
            owner="",
            created_at=epoch(meta["creationTimestamp"]),
            ip=status.get("podIP"),
            phase=phase,
            terminating="deletionTimestamp" in meta,
        )
    annotations = annotations_of(meta)
    disruption, disrupted_at = _disruption(meta, status)
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        owner=owner,
        created_at=epoch(meta["creationTimestamp"]),
        ip=status.get("podIP"),
        ports=_ports(spec),
        node=shared(spec.get("nodeName")),
        zone=shared((meta.get("labels") or {}).get(ZONE_LABEL)),
        phase=phase,
        ready_since=_ready_since(status),
        terminating="deletionTimestamp" in meta,
        restarts=_restarts(status),
        deletion_cost=shared(annotations.get(DELETION_COST_ANNOTATION)),
        cost_before=shared(annotations.get(COST_BEFORE_ANNOTATION)),
        host_network=host_network,
        ended_at=_ended_at(status),
        deleted_at=_deleted_at(meta),
        trouble=_trouble(status),
        disruption=disruption,
        disrupted_at=disrupted_at,
        version=int(meta["resourceVersion"]),
    )


def _ended_at(status: Raw) -> float | None:
    """When the last container ended, ``None`` unless all have and say when."""
    states = [each.get("state") or {} for each in status.get("containerStatuses") or ()]
    ends = [(state.get("terminated") or {}).get("finishedAt") for state in states]
    told = [end for end in ends if end]
    return max(map(epoch, told)) if told and len(told) == len(states) else None


def _disruption(meta: Raw, status: Raw) -> tuple[Disruption | None, float | None]:
    """Who takes the pod and since when, unless it was going already.

    A pod that is on its way out is still evicted by a drain, and cleared away when its Node is gone.
    """
    for condition in status.get("conditions") or ():
        if condition["type"] != "DisruptionTarget" or condition["status"] != "True":
            continue
        at = epoch(condition["lastTransitionTime"])
        deleted_at = _deleted_at(meta)
        if deleted_at is not None and at > deleted_at + _ONE_SECOND:
            break
        reason = condition.get("reason")
        known = reason in set(Disruption)
        return Disruption(reason) if known else Disruption.OTHER, at
    return None, None


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
            return epoch(since) if since and condition["status"] == "True" else None
    return None


def _deleted_at(meta: Raw) -> float | None:
    """When somebody deleted it: its ``deletionTimestamp`` is by when it has to be gone."""
    until = meta.get("deletionTimestamp")
    return None if until is None else epoch(until) - meta.get("deletionGracePeriodSeconds", 0)


_USUAL = frozenset({"ContainerCreating", "PodInitializing"})
"""Reasons for which containers wait when nothing is wrong (kubernetes ``pkg/kubelet/container``)."""


def _trouble(status: Raw) -> str:
    """What keeps a pod from starting: why the scheduler has no node for it, or a container does not run."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return intern(sentence(condition))
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
