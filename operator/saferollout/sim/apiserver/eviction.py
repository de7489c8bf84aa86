"""The ``eviction`` subresource of pods: a deletion that asks the PodDisruptionBudget first.

After kubernetes ``pkg/registry/core/pod/storage/eviction.go``.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from saferollout.sim.apiserver.requests import Target, delete_options, method_not_allowed
from saferollout.sim.disruption import EVICTED, covering, disrupted, with_verdict
from saferollout.sim.errors import ApiError
from saferollout.sim.objects import condition_of, is_deleting, key_of
from saferollout.sim.resources import POD_DISRUPTION_BUDGETS, PODS
from saferollout.sim.store import Object, Store
from saferollout.sim.timestamps import timestamp

SUBRESOURCE = "eviction"

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_TOO_MANY = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


@dataclass(frozen=True, slots=True)
class Evictor:
    """Evicts pods."""

    store: Store

    def evict(self, at: Target, body: Object, *, dry_run: bool) -> dict[str, Any]:
        """Answer a POST of an Eviction.

        Raises:
            ApiError: There is no such pod, or its budget allows no disruption now (``TooManyRequests``).
        """
        if at.name is None:
            raise method_not_allowed()
        pod = self.store.get(PODS, at.namespace, at.name)
        options = delete_options({}, body.get("deleteOptions") or {})
        for precondition, found in (
            (options.uid, pod["metadata"]["uid"]),
            (options.resource_version, pod["metadata"]["resourceVersion"]),
        ):
            if precondition not in {None, found}:
                message = f"Precondition failed: {precondition} is not {found}"
                raise ApiError(HTTPStatus.CONFLICT, "Conflict", message)
        dry = dry_run or options.dry_run
        if not _needs_no_budget(pod):
            self._ask(pod, dry_run=dry)
        if not dry:
            now = self.store.timeline.now
            self.store.update_status(PODS, disrupted(pod, EVICTED, now))
            self.store.delete(PODS, at.namespace, at.name, grace_seconds=options.grace)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def _ask(self, pod: Object, *, dry_run: bool) -> None:
        budgets = covering(self.store, pod)
        if len(budgets) > 1:
            raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "", _TOO_MANY)  # no reason is given
        for budget in budgets:
            if _is_ready(pod) or not _spares_unready(budget):
                self._take(budget, pod, dry_run=dry_run)

    def _take(self, budget: Object, pod: Object, *, dry_run: bool) -> None:
        """Take one disruption off what the budget allows."""
        status = budget.get("status") or {}
        name = budget["metadata"]["name"]
        if status.get("observedGeneration", 0) < budget["metadata"]["generation"]:
            raise _refused(f"The disruption budget {name} is still being processed by the server.", 10)
        if status["disruptionsAllowed"] == 0:
            raise _refused(
                f"The disruption budget {name} needs {status['desiredHealthy']} healthy pods"
                f" and has {status['currentHealthy']} currently"
            )
        if dry_run:
            return
        now = self.store.timeline.now
        left = {
            **status,
            "disruptionsAllowed": status["disruptionsAllowed"] - 1,
            "disruptedPods": {**(status.get("disruptedPods") or {}), key_of(pod)[1]: timestamp(now)},
        }
        self.store.update_status(
            POD_DISRUPTION_BUDGETS, {**budget, "status": with_verdict(budget, left, now)}
        )


def _needs_no_budget(pod: Object) -> bool:
    phase = (pod.get("status") or {}).get("phase", "Pending")
    return is_deleting(pod) or phase in {"Pending", "Succeeded", "Failed"}


def _is_ready(pod: Object) -> bool:
    ready = condition_of(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def _spares_unready(budget: Object) -> bool:
    """Whether a pod that is not Ready may go without being counted (``unhealthyPodEvictionPolicy``)."""
    status = budget.get("status") or {}
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired = status.get("desiredHealthy", 0)
    return bool(0 < desired <= status.get("currentHealthy", 0))


def _refused(why: str, retry_after: int = 0) -> ApiError:
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", _REFUSED, details)
