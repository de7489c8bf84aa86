"""Disruptions: the condition of a pod that goes although it is wanted, and the budgets it counts for."""

from __future__ import annotations

from saferollout.sim.objects import conditions_of, labels_of, put_condition, selects
from saferollout.sim.resources import POD_DISRUPTION_BUDGETS
from saferollout.sim.store import Object, Store

EVICTED = ("EvictionByEvictionAPI", "Eviction API: evicting")
TAINTED = ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
ORPHANED = ("DeletionByPodGC", "PodGC: node no longer exists")
"""Reason and message (kubernetes ``pkg/registry/core/pod/storage``, ``tainteviction``, ``podgc``)."""


def disrupted(pod: Object, why: tuple[str, str], now: float, **status: str) -> Object:
    """Return the pod with the condition that says so, and other entries of its ``status``."""
    reason, message = why
    verdict = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    told = put_condition(conditions_of(pod), verdict, now)
    return {**pod, "status": {**(pod.get("status") or {}), **status, "conditions": told}}


def covering(store: Store, pod: Object) -> list[Object]:
    """The budgets that a pod counts for."""
    return [
        budget
        for budget in store.list(POD_DISRUPTION_BUDGETS, pod["metadata"]["namespace"])
        if selects(budget["spec"].get("selector"), labels_of(pod))
    ]


def with_verdict(budget: Object, status: Object, now: float) -> Object:
    """Return the status with the condition ``DisruptionAllowed`` that follows from it."""
    allowed = status["disruptionsAllowed"] > 0
    verdict = {
        "type": "DisruptionAllowed",
        "status": str(allowed),
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
        "observedGeneration": status["observedGeneration"],
    }
    before = (budget.get("status") or {}).get("conditions") or []
    return {**status, "conditions": put_condition(before, verdict, now)}
