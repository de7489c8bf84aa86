"""What a Deployment's status says of its ReplicaSets.

Rules after kubernetes ``pkg/controller/deployment/progress.go`` and ``sync.go`` (``calculateStatus``).
"""

from __future__ import annotations

from saferollout.sim.controllers.revisions import Revisions
from saferollout.sim.controllers.sizes import Bounds, size, total
from saferollout.sim.objects import condition_of, conditions_of, put_condition
from saferollout.sim.store import Object
from saferollout.sim.timestamps import seconds, timestamp

PROGRESSING = "Progressing"
COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"

_AVAILABLE = {
    "type": "Available",
    "status": "True",
    "reason": "MinimumReplicasAvailable",
    "message": "Deployment has minimum availability.",
}
_UNAVAILABLE = {
    "type": "Available",
    "status": "False",
    "reason": "MinimumReplicasUnavailable",
    "message": "Deployment does not have minimum availability.",
}

_DEFAULT_DEADLINE = 600
_NO_DEADLINE = 2**31 - 1


def deadline(deployment: Object) -> float | None:
    """``progressDeadlineSeconds``, ``None`` when there is to be none (the largest int32 says so)."""
    asked: int = deployment["spec"].get("progressDeadlineSeconds") or _DEFAULT_DEADLINE
    return None if asked == _NO_DEADLINE else float(asked)


def counted(deployment: Object, revisions: Revisions, bounds: Bounds, now: float) -> Object:
    """The status with its numbers and the Available condition; Progressing is left as it is."""
    new = () if revisions.new is None else (revisions.new,)
    available = _reported("availableReplicas", *revisions.all)
    numbers = {
        "replicas": _reported("replicas", *revisions.all),
        "updatedReplicas": _reported("replicas", *new),
        "readyReplicas": _reported("readyReplicas", *revisions.all),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(revisions.all) - available),
        "terminatingReplicas": _reported("terminatingReplicas", *revisions.all),
    }
    verdict = _AVAILABLE if available >= bounds.floor else _UNAVAILABLE
    written = {key: number for key, number in numbers.items() if number}
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **written,
        "conditions": _put(conditions_of(deployment), verdict, now),
    }


def _reported(field: str, *replica_sets: Object) -> int:
    return sum((each.get("status") or {}).get(field, 0) for each in replica_sets)


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether all pods there should be, and no others, are of the present template and available."""
    wanted = size(deployment)
    return (
        all(status.get(each, 0) == wanted for each in ("updatedReplicas", "replicas", "availableReplicas"))
        and status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    )


def judged(deployment: Object, status: Object, new: Object | None, now: float) -> Object:
    """The counted status with Progressing brought up to date, as in every sync that may roll."""
    if deadline(deployment) is None:
        left = [each for each in status["conditions"] if each["type"] != PROGRESSING]
        return {**status, "conditions": left}
    current = condition_of(deployment, PROGRESSING)
    name = deployment["metadata"]["name"] if new is None else new["metadata"]["name"]
    subject = f'{"Deployment" if new is None else "ReplicaSet"} "{name}"'
    if (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current
        and current["reason"] == COMPLETE
    ):
        return status
    if is_complete(deployment, status):
        return progressing(status, "True", COMPLETE, f"{subject} has successfully progressed.", now)
    if _has_progressed(deployment.get("status") or {}, status):
        moved = progressing(status, "True", "ReplicaSetUpdated", f"{subject} is progressing.", now)
        return _touched(moved, now)
    if _has_timed_out(deployment, current, now):
        return progressing(status, "False", TIMED_OUT, f"{subject} has timed out progressing.", now)
    return status


def progressing(status: Object, value: str, reason: str, message: str, now: float) -> Object:
    """The status with the Progressing condition set; unchanged when it says that already."""
    wanted = {"type": PROGRESSING, "status": value, "reason": reason, "message": message}
    return {**status, "conditions": _put(status.get("conditions") or [], wanted, now)}


def paused_noted(deployment: Object, now: float) -> Object:
    """The status with the pause, or its end, noted: a deadline does not run while paused."""
    status: Object = deployment.get("status") or {}
    current = condition_of(deployment, PROGRESSING)
    reason = current["reason"] if current else None
    paused = deployment["spec"].get("paused", False)
    if deadline(deployment) is None or reason == TIMED_OUT or paused == (reason == PAUSED):
        return status
    if paused:
        return progressing(status, "Unknown", PAUSED, "Deployment is paused", now)
    return progressing(status, "Unknown", "DeploymentResumed", "Deployment is resumed", now)


def deadline_check(deployment: Object, status: Object) -> float | None:
    """When to look again whether the deadline has passed, ``None`` if there is nothing to look for."""
    current = condition_of(deployment, PROGRESSING)
    allowed = deadline(deployment)
    if allowed is None or current is None or current["reason"] == TIMED_OUT:
        return None
    if is_complete(deployment, status):
        return None
    return seconds(current["lastUpdateTime"]) + allowed + 1.0


def _has_progressed(before: Object, after: Object) -> bool:
    old_left = after.get("replicas", 0) - after.get("updatedReplicas", 0)
    old_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    return old_left < old_before or any(
        after.get(each, 0) > before.get(each, 0)
        for each in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )


def _has_timed_out(deployment: Object, current: Object | None, now: float) -> bool:
    allowed = deadline(deployment)
    if current is None or allowed is None or current["reason"] == COMPLETE:
        return False
    return current["reason"] == TIMED_OUT or seconds(current["lastUpdateTime"]) + allowed < now


def _put(existing: list[Object], wanted: Object, now: float) -> list[Object]:
    """Set a condition; the same status for the same reason leaves it untouched, message and all."""
    current = next((each for each in existing if each["type"] == wanted["type"]), None)
    if current and (current["status"], current["reason"]) == (wanted["status"], wanted["reason"]):
        return existing
    return put_condition(existing, {**wanted, "lastUpdateTime": timestamp(now)}, now)


def _touched(status: Object, now: float) -> Object:
    """Progress of any kind starts the deadline anew."""
    conditions = [
        {**each, "lastUpdateTime": timestamp(now)} if each["type"] == PROGRESSING else each
        for each in status["conditions"]
    ]
    return {**status, "conditions": conditions}
