"""The scheduler: binds pods to nodes, and says why when it cannot."""

from __future__ import annotations

from saferollout.sim.controllers.placement import REGION, ZONE, Site, choose
from saferollout.sim.controllers.queue import WorkQueue
from saferollout.sim.objects import Key, conditions_of, is_deleting, key_of, labels_of, put_condition
from saferollout.sim.resources import NODES, PODS
from saferollout.sim.store import ApiError, Change, Object, Store
from saferollout.sim.timeline import Timeline

_ITS_OWN = "default-scheduler"
"""The ``schedulerName`` of the pods that are placed; others are left to others."""


class Scheduler:
    """Places pods in order of creation; those without a place are tried again when there may be one."""

    def __init__(self, store: Store, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._queue = WorkQueue(timeline, self._place)
        self._bound: dict[str, dict[str, Object]] = {}
        self._homeless: dict[Key, None] = {}
        for pod in store.list(PODS):
            self._observe_pod(Change("ADDED", PODS, pod, None))
        store.subscribe(self._observe)

    def _observe(self, change: Change) -> None:
        if change.resource is PODS:
            self._observe_pod(change)
        elif change.resource is NODES and change.type != "DELETED":
            self._retry()

    def _observe_pod(self, change: Change) -> None:
        pod, uid = change.object, change.object["metadata"]["uid"]
        node = pod["spec"].get("nodeName")
        if change.type == "DELETED":
            self._bound.get(node or "", {}).pop(uid, None)
            self._homeless.pop(key_of(pod), None)
            self._retry()
        elif node:
            self._bound.setdefault(node, {})[uid] = pod
        elif change.type == "ADDED" and pod["spec"].get("schedulerName", _ITS_OWN) == _ITS_OWN:
            self._queue.add(key_of(pod))

    def _retry(self) -> None:
        for key in self._homeless:
            self._queue.add(key)

    def _place(self, key: Key) -> None:
        try:
            pod = self._store.get(PODS, *key)
        except ApiError:
            return
        if pod["spec"].get("nodeName") or is_deleting(pod):
            return
        choice = choose(pod, [self._site(node) for node in self._store.list(NODES)])
        if choice.site is None:
            self._homeless[key] = None
            self._store.update_status(PODS, self._refused(pod, choice.message))
            return
        self._homeless.pop(key, None)
        self._store.update(PODS, self._placed(pod, choice.site.node))

    def _site(self, node: Object) -> Site:
        return Site(node, tuple(self._bound.get(node["metadata"]["name"], {}).values()))

    def _placed(self, pod: Object, node: Object) -> Object:
        """The bound pod; as the API server does from 1.35 on, it has its node's zone and region as labels."""
        found = {key: labels_of(node)[key] for key in (ZONE, REGION) if key in labels_of(node)}
        scheduled = put_condition(
            conditions_of(pod), {"type": "PodScheduled", "status": "True"}, self._timeline.now
        )
        return {
            **pod,
            "metadata": {**pod["metadata"], "labels": {**labels_of(pod), **found}},
            "spec": {**pod["spec"], "nodeName": node["metadata"]["name"]},
            "status": {**(pod.get("status") or {}), "conditions": scheduled},
        }

    def _refused(self, pod: Object, message: str) -> Object:
        verdict = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
        }
        refused = put_condition(conditions_of(pod), verdict, self._timeline.now)
        return {**pod, "status": {**(pod.get("status") or {}), "conditions": refused}}
