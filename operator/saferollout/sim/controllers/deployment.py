"""The Deployment controller: one sync is one half of a step.

After kubernetes ``pkg/controller/deployment``. It sizes ReplicaSets and nothing else, and it does so while
paused too: see `sizes.scaled`. ReplicaSets without an owner are adopted by a Deployment that has none yet.
"""

from __future__ import annotations

from contextlib import suppress

from saferollout.sim.controllers import deployment_status as statuses
from saferollout.sim.controllers.ownership import Ownership
from saferollout.sim.controllers.queue import WorkQueue
from saferollout.sim.controllers.revisions import (
    REVISION,
    Revisions,
    brought_up_to_date,
    next_replica_set,
    revision,
    revisions_of,
)
from saferollout.sim.controllers.sizes import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    Bounds,
    Sizes,
    active,
    bounds_of,
    grown,
    is_scaling,
    scaled,
    shrunk,
    size,
    total,
)
from saferollout.sim.objects import (
    Key,
    annotations_of,
    condition_of,
    controller_reference,
    controller_uid,
    is_deleting,
    key_of,
    owner_key,
    selects,
    with_annotations,
    with_metadata,
    with_spec,
)
from saferollout.sim.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from saferollout.sim.store import ApiError, Change, Object, Store
from saferollout.sim.timeline import Timeline

_DEFAULT_HISTORY = 10


class DeploymentController:
    """Reconciles Deployments when they or their ReplicaSets change, or one of their pods is gone."""

    def __init__(self, store: Store, timeline: Timeline, ownership: Ownership) -> None:
        self._store = store
        self._timeline = timeline
        self._ownership = ownership
        self._queue = WorkQueue(timeline, self._reconcile)
        for each in store.list(DEPLOYMENTS):
            self._queue.add(key_of(each))
        store.subscribe(self._observe)

    def _observe(self, change: Change) -> None:
        if change.resource is DEPLOYMENTS:
            if change.type != "DELETED":
                self._queue.add(key_of(change.object))
        elif change.resource is REPLICA_SETS:
            self._enqueue_owner(change.object)
        elif change.resource is PODS and change.type == "DELETED":
            self._enqueue_owner_of_owner(change.object)

    def _enqueue_owner(self, replica_set: Object) -> None:
        deployment = owner_key(replica_set, DEPLOYMENTS)
        if deployment is not None:
            self._queue.add(deployment)

    def _enqueue_owner_of_owner(self, pod: Object) -> None:
        replica_set = owner_key(pod, REPLICA_SETS)
        if replica_set is not None:
            with suppress(ApiError):
                self._enqueue_owner(self._store.get(REPLICA_SETS, *replica_set))

    def _reconcile(self, key: Key) -> None:
        try:
            deployment = self._store.get(DEPLOYMENTS, *key)
        except ApiError:
            return
        replica_sets = self._ownership.children(deployment["metadata"]["uid"], REPLICA_SETS)
        if not replica_sets and not is_deleting(deployment):
            replica_sets = self._adopted(deployment)
        revisions = revisions_of(deployment, replica_sets)
        bounds = bounds_of(deployment)
        if is_deleting(deployment):
            self._report(deployment, statuses.counted(deployment, revisions, bounds, self._timeline.now))
            return
        deployment = self._report(deployment, statuses.paused_noted(deployment, self._timeline.now))
        deployment, revisions = self._revised(deployment, revisions)
        if deployment["spec"].get("paused") or is_scaling(bounds, revisions.all):
            self._rescale(deployment, revisions, bounds)
        elif (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            self._recreate(deployment, revisions, bounds)
        else:
            self._roll(deployment, revisions, bounds)

    def _adopted(self, deployment: Object) -> list[Object]:
        """Take over what a Deployment before it has left behind (kubernetes ``ClaimReplicaSets``)."""
        selector, namespace = deployment["spec"]["selector"], deployment["metadata"]["namespace"]
        orphans = [
            each
            for each in self._store.list(REPLICA_SETS, namespace)
            if controller_uid(each) is None
            and not is_deleting(each)
            and selects(selector, each["metadata"].get("labels") or {})
        ]
        references = [controller_reference(deployment)]
        return [
            self._store.update(REPLICA_SETS, with_metadata(each, ownerReferences=references))
            for each in orphans
        ]

    def _revised(self, deployment: Object, revisions: Revisions) -> tuple[Object, Revisions]:
        """Write down the newest revision: on the ReplicaSet first, on the Deployment in the next sync."""
        if revisions.new is None:
            return deployment, revisions
        due = brought_up_to_date(deployment, revisions.new, revisions.old)
        if due != revisions.new:
            return deployment, Revisions(self._store.update(REPLICA_SETS, due), revisions.old)
        deployment = self._with_revision(deployment, revisions.new)
        if condition_of(deployment, statuses.PROGRESSING) is None:
            found = f'Found new replica set "{revisions.new["metadata"]["name"]}"'
            deployment = self._note(deployment, "FoundNewReplicaSet", found)
        return deployment, revisions

    def _with_revision(self, deployment: Object, new: Object) -> Object:
        number = str(revision(new))
        if annotations_of(deployment).get(REVISION) == number:
            return deployment
        # With the status, as the original does: an annotation written otherwise counts as a new generation.
        return self._store.update_status(DEPLOYMENTS, with_annotations(deployment, {REVISION: number}))

    def _note(self, deployment: Object, reason: str, message: str) -> Object:
        if statuses.deadline(deployment) is None:
            return deployment
        status = deployment.get("status") or {}
        noted = statuses.progressing(status, "True", reason, message, self._timeline.now)
        return self._report(deployment, noted)

    def _rescale(self, deployment: Object, revisions: Revisions, bounds: Bounds) -> None:
        reported = (deployment.get("status") or {}).get("replicas", 0)
        self._resize(revisions, scaled(bounds, revisions.new, revisions.old, reported), bounds)
        if deployment["spec"].get("paused"):
            self._forget_history(deployment, revisions)
        self._report(deployment, statuses.counted(deployment, revisions, bounds, self._timeline.now))

    def _roll(self, deployment: Object, revisions: Revisions, bounds: Bounds) -> None:
        """First make room upwards; only in a sync that finds none to make, take away."""
        deployment, revisions, new = self._with_new(deployment, revisions, bounds)
        target = grown(bounds, size(new), total(revisions.all))
        if size(new) != target:
            self._resize(revisions, [(new["metadata"]["name"], target)], bounds)
        elif sizes := shrunk(bounds, active(revisions.old), new):
            self._resize(revisions, sizes, bounds)
        elif statuses.is_complete(deployment, deployment.get("status") or {}):
            self._forget_history(deployment, revisions)
        self._judge(deployment, revisions, bounds)

    def _recreate(self, deployment: Object, revisions: Revisions, bounds: Bounds) -> None:
        """Take all old pods away, wait until the last is really gone, then make the new ones."""
        if sizes := [(each["metadata"]["name"], 0) for each in active(revisions.old)]:
            self._resize(revisions, sizes, bounds)
        elif not any(self._ownership.children(each["metadata"]["uid"], PODS) for each in revisions.old):
            deployment, revisions, new = self._with_new(deployment, revisions, bounds)
            if size(new) != bounds.replicas:
                self._resize(revisions, [(new["metadata"]["name"], bounds.replicas)], bounds)
            elif statuses.is_complete(deployment, deployment.get("status") or {}):
                self._forget_history(deployment, revisions)
        self._judge(deployment, revisions, bounds)

    def _with_new(
        self, deployment: Object, revisions: Revisions, bounds: Bounds
    ) -> tuple[Object, Revisions, Object]:
        if revisions.new is not None:
            return deployment, revisions, revisions.new
        new = self._store.create(REPLICA_SETS, next_replica_set(deployment, revisions.old, bounds))
        created = f'Created new replica set "{new["metadata"]["name"]}"'
        deployment = self._note(self._with_revision(deployment, new), "NewReplicaSetCreated", created)
        return deployment, Revisions(new, revisions.old), new

    def _resize(self, revisions: Revisions, sizes: Sizes, bounds: Bounds) -> None:
        """Write sizes, and with each what it was decided for."""
        noted = {DESIRED_REPLICAS: str(bounds.replicas), MAX_REPLICAS: str(bounds.ceiling)}
        by_name = {each["metadata"]["name"]: each for each in revisions.all}
        for name, wanted in sizes:
            due = with_annotations(with_spec(by_name[name], replicas=wanted), noted)
            by_name[name] = self._store.update(REPLICA_SETS, due)

    def _forget_history(self, deployment: Object, revisions: Revisions) -> None:
        """Delete the oldest empty ReplicaSets beyond ``revisionHistoryLimit``."""
        kept = deployment["spec"].get("revisionHistoryLimit", _DEFAULT_HISTORY)
        living = [each for each in revisions.old if not is_deleting(each)]
        living.sort(key=revision)
        for each in living[: max(0, len(living) - kept)]:
            status = each.get("status") or {}
            settled = status.get("observedGeneration", 0) >= each["metadata"]["generation"]
            if size(each) == 0 and status.get("replicas", 0) == 0 and settled:
                self._store.delete(REPLICA_SETS, *key_of(each))

    def _judge(self, deployment: Object, revisions: Revisions, bounds: Bounds) -> None:
        now = self._timeline.now
        status = statuses.counted(deployment, revisions, bounds, now)
        judged = statuses.judged(deployment, status, revisions.new, now)
        if judged == deployment.get("status"):
            check = statuses.deadline_check(deployment, judged)
            if check is not None:
                self._queue.add_at(key_of(deployment), max(check, now + 1.0))
        self._report(deployment, judged)

    def _report(self, deployment: Object, status: Object) -> Object:
        if status == (deployment.get("status") or {}):
            return deployment
        return self._store.update_status(DEPLOYMENTS, {**deployment, "status": status})
