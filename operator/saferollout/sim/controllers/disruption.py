"""The disruption controller: how many pods of a PodDisruptionBudget may be evicted now.

After kubernetes ``pkg/controller/disruption``. Pods that no ReplicaSet controls count for nothing in a budget
that is a share of what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable

from saferollout.api.quantities import rounded_up
from saferollout.sim.controllers.queue import WorkQueue
from saferollout.sim.controllers.ranking import ready_at
from saferollout.sim.disruption import covering, with_verdict
from saferollout.sim.objects import Key, is_deleting, key_of, labels_of, owner_key, selects
from saferollout.sim.resources import DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS
from saferollout.sim.store import ApiError, Change, Object, Store
from saferollout.sim.timeline import Timeline
from saferollout.sim.timestamps import seconds

DELETION_TIMEOUT = 120.0
"""Seconds for which a pod counts as disrupted although its deletion has not been seen."""


class DisruptionController:
    """Keeps the status of every budget."""

    def __init__(self, store: Store, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._queue = WorkQueue(timeline, self._reconcile)
        for budget in store.list(POD_DISRUPTION_BUDGETS):
            self._queue.add(key_of(budget))
        store.subscribe(self._observe)

    def _observe(self, change: Change) -> None:
        if change.resource is POD_DISRUPTION_BUDGETS and change.type != "DELETED":
            self._queue.add(key_of(change.object))
        elif change.resource is PODS:
            for pod in filter(None, (change.object, change.old)):
                for budget in covering(self._store, pod):
                    self._queue.add(key_of(budget))

    def _reconcile(self, key: Key) -> None:
        try:
            budget = self._store.get(POD_DISRUPTION_BUDGETS, *key)
        except ApiError:
            return
        pods = [
            pod
            for pod in self._store.list(PODS, key[0])
            if selects(budget["spec"].get("selector"), labels_of(pod))
        ]
        expected, desired = self._expected(budget, pods)
        evicted = self._still_evicted(budget, pods)
        living = [pod for pod in pods if not is_deleting(pod) and pod["metadata"]["name"] not in evicted]
        healthy = sum(ready_at(pod) is not None for pod in living)
        status = {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": max(0, healthy - desired) if expected > 0 else 0,
            "expectedPods": expected,
            "observedGeneration": budget["metadata"]["generation"],
            **({"disruptedPods": evicted} if evicted else {}),
        }
        self._store.update_status(
            POD_DISRUPTION_BUDGETS,
            {**budget, "status": with_verdict(budget, status, self._timeline.now)},
        )
        if evicted:
            self._queue.add_at(key, self._timeline.now + DELETION_TIMEOUT)

    def _expected(self, budget: Object, pods: list[Object]) -> tuple[int, int]:
        """How many pods there should be, and how many of them have to be healthy."""
        spec = budget["spec"]
        if "maxUnavailable" in spec:
            expected = self._wanted(pods)
            return expected, max(0, expected - rounded_up(spec["maxUnavailable"], expected))
        least = spec.get("minAvailable", 1)
        if isinstance(least, int):
            return len(pods), least
        expected = self._wanted(pods)
        return expected, rounded_up(least, expected)

    def _wanted(self, pods: Iterable[Object]) -> int:
        """How many pods the Deployments and ReplicaSets of these pods ask for."""
        wanted: dict[tuple[str, Key], int] = {}
        for pod in pods:
            key, resource = owner_key(pod, REPLICA_SETS), REPLICA_SETS
            while key is not None:
                try:
                    owner = self._store.get(resource, *key)
                except ApiError:
                    break
                above = owner_key(owner, DEPLOYMENTS)
                if resource is DEPLOYMENTS or above is None:
                    wanted[resource.key, key] = owner["spec"].get("replicas", 1)
                    break
                key, resource = above, DEPLOYMENTS
        return sum(wanted.values())

    def _still_evicted(self, budget: Object, pods: Iterable[Object]) -> dict[str, str]:
        """The pods whose eviction has been granted and whose deletion has yet to be seen."""
        there = {pod["metadata"]["name"] for pod in pods if not is_deleting(pod)}
        granted: dict[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
        return {
            name: at
            for name, at in granted.items()
            if name in there and self._timeline.now - seconds(at) < DELETION_TIMEOUT
        }
