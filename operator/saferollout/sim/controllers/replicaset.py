"""The ReplicaSet controller: so many pods, and how many of them are available.

After kubernetes ``pkg/controller/replicaset``. Pods without an owner are not adopted.
"""

from __future__ import annotations

from saferollout.sim.apiserver.policies import Policies, Write
from saferollout.sim.controllers import quotas
from saferollout.sim.controllers.ownership import Ownership
from saferollout.sim.controllers.queue import WorkQueue
from saferollout.sim.controllers.ranking import first_to_go, is_active, ready_at
from saferollout.sim.controllers.sizes import size
from saferollout.sim.objects import (
    Key,
    controller_reference,
    controller_uid,
    is_deleting,
    key_of,
    labels_of,
    owner_key,
)
from saferollout.sim.resources import PODS, REPLICA_SETS
from saferollout.sim.store import ApiError, Change, Object, Store
from saferollout.sim.timeline import Timeline

_ME = "system:serviceaccount:kube-system:replicaset-controller"
"""Whose writes they are to the API server."""

_RETRY = 1.0
"""Seconds after which a pod that was refused is tried again."""


class ReplicaSetController:
    """Reconciles ReplicaSets whenever they or their pods change, or a pod comes of age."""

    def __init__(self, store: Store, timeline: Timeline, ownership: Ownership) -> None:
        self._store = store
        self._timeline = timeline
        self._ownership = ownership
        self._policies = Policies(store)
        self._queue = WorkQueue(timeline, self._reconcile)
        for each in store.list(REPLICA_SETS):
            self._queue.add(key_of(each))
        store.subscribe(self._observe)

    def _observe(self, change: Change) -> None:
        if change.resource is REPLICA_SETS:
            if change.type != "DELETED":
                self._queue.add(key_of(change.object))
        elif change.resource is PODS:
            replica_set = owner_key(change.object, REPLICA_SETS)
            if replica_set is not None:
                self._queue.add(replica_set)

    def _reconcile(self, key: Key) -> None:
        try:
            replica_set = self._store.get(REPLICA_SETS, *key)
        except ApiError:
            return
        pods = self._pods(replica_set)
        refusal = None
        if not is_deleting(replica_set):
            refusal = self._fill_or_thin(replica_set, [each for each in pods if is_active(each)])
        self._count(replica_set, pods, refusal)

    def _pods(self, replica_set: Object) -> list[Object]:
        return self._ownership.children(replica_set["metadata"]["uid"], PODS)

    def _fill_or_thin(self, replica_set: Object, pods: list[Object]) -> ApiError | None:
        """Make or delete pods; return why no more may be made, and come back for them in a while."""
        surplus = len(pods) - size(replica_set)
        for _ in range(-surplus):
            try:
                self._admit(pod := _pod_of(replica_set))
            except ApiError as error:
                self._queue.add_at(key_of(replica_set), self._timeline.now + _RETRY)
                return error
            self._store.create(PODS, pod)
        if surplus <= 0:
            return None
        for each in first_to_go(pods, self._related(replica_set), self._timeline.now)[:surplus]:
            self._store.delete(PODS, *key_of(each), uid=each["metadata"]["uid"])
        return None

    def _admit(self, pod: Object) -> None:
        """Let a pod through, as the API server does with whatever a controller makes.

        Raises:
            ApiError: ``Forbidden``: a policy denies it, or a quota has no room for it.
        """
        self._policies.check(Write(PODS, _ME, pod, old=None, dry_run=False))
        quotas.check(self._store, pod)

    def _related(self, replica_set: Object) -> list[Object]:
        """All pods of the Deployment the ReplicaSet belongs to, or its own if it belongs to none."""
        deployment = controller_uid(replica_set)
        siblings = [replica_set] if deployment is None else self._ownership.children(deployment, REPLICA_SETS)
        return [pod for sibling in siblings for pod in self._pods(sibling)]

    def _count(self, replica_set: Object, pods: list[Object], refusal: ApiError | None) -> None:
        """Report, and come back when the next pod has been ready for ``minReadySeconds``.

        As in the original, ``pods`` are those found before any were made or deleted: the report of a scaling
        is late by the time it takes to hear of them.
        """
        now = self._timeline.now
        living = [each for each in pods if is_active(each)]
        brake = replica_set["spec"].get("minReadySeconds", 0)
        of_age = [since + brake for each in living if (since := ready_at(each)) is not None]
        marks = labels_of(replica_set["spec"]["template"]).items()
        numbers = {
            "fullyLabeledReplicas": sum(marks <= labels_of(each).items() for each in living),
            "readyReplicas": len(of_age),
            "availableReplicas": sum(when <= now for when in of_age),
            "terminatingReplicas": sum(map(is_deleting, pods)),
        }
        status = {
            "replicas": len(living),
            **{key: number for key, number in numbers.items() if number},
            "observedGeneration": replica_set["metadata"]["generation"],
        }
        if refusal is not None:
            told = {"status": "True", "reason": "FailedCreate", "message": refusal.message}
            status["conditions"] = [{"type": "ReplicaFailure", **told}]
        self._store.update_status(REPLICA_SETS, {**replica_set, "status": status})
        waiting = [when for when in of_age if when > now]
        if waiting:
            self._queue.add_at(key_of(replica_set), min(waiting))


def _pod_of(replica_set: Object) -> Object:
    template = replica_set["spec"]["template"]
    return {
        "metadata": {
            **(template.get("metadata") or {}),
            "generateName": f"{replica_set['metadata']['name']}-",
            "namespace": replica_set["metadata"]["namespace"],
            "ownerReferences": [controller_reference(replica_set)],
        },
        "spec": template["spec"],
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }
