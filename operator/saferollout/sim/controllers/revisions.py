"""Which ReplicaSet belongs to which template of a Deployment, and what the newest one is made of.

Rules after kubernetes ``pkg/controller/deployment/sync.go`` (``getNewReplicaSet``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from saferollout.sim.controllers.sizes import DESIRED_REPLICAS, MAX_REPLICAS, Bounds, by_age, grown, total
from saferollout.sim.objects import (
    annotations_of,
    controller_reference,
    labels_of,
    with_annotations,
    with_spec,
)
from saferollout.sim.store import Object

TEMPLATE_HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"

_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)


@dataclass(frozen=True, slots=True)
class Revisions:
    """The ReplicaSets of a Deployment: the one of its present template, if there is one, and all others."""

    new: Object | None
    old: tuple[Object, ...]

    @property
    def all(self) -> tuple[Object, ...]:
        """Every ReplicaSet."""
        return self.old if self.new is None else (*self.old, self.new)


def revisions_of(deployment: Object, replica_sets: Iterable[Object]) -> Revisions:
    """Tell the new ReplicaSet, the oldest of the present template, from the old ones."""
    template = deployment["spec"]["template"]
    oldest_first = sorted(replica_sets, key=by_age)
    new = next((each for each in oldest_first if _same_template(each["spec"]["template"], template)), None)
    return Revisions(new, tuple(each for each in oldest_first if each is not new))


def _same_template(of_replica_set: Object, of_deployment: Object) -> bool:
    if of_replica_set["spec"] != of_deployment["spec"]:
        return False
    if annotations_of(of_replica_set) != annotations_of(of_deployment):
        return False
    plain = {key: value for key, value in labels_of(of_replica_set).items() if key != TEMPLATE_HASH}
    return plain == labels_of(of_deployment)


def revision(replica_set: Object) -> int:
    """The revision number in the annotation, 0 without one."""
    return int(annotations_of(replica_set).get(REVISION, 0))


def brought_up_to_date(deployment: Object, new: Object, old: Sequence[Object]) -> Object:
    """What the new ReplicaSet should be: the Deployment's annotations, its brake, the highest revision.

    ``minReadySeconds`` is copied to this one only; the old ReplicaSets keep what they had.
    """
    noted = {key: value for key, value in annotations_of(deployment).items() if key not in _NOT_COPIED}
    due = max(map(revision, old), default=0) + 1
    had = revision(new)
    if had < due:
        noted[REVISION] = str(due)
        if had:
            history = annotations_of(new).get(REVISION_HISTORY)
            noted[REVISION_HISTORY] = f"{history},{had}" if history else str(had)
    brake = deployment["spec"].get("minReadySeconds", 0)
    if new["spec"].get("minReadySeconds", 0) != brake:
        new = with_spec(new, minReadySeconds=brake)
    return with_annotations(new, noted)


def next_replica_set(deployment: Object, old: Sequence[Object], bounds: Bounds) -> Object:
    """The ReplicaSet for a template that has none, with as many pods as there is room for."""
    template = deployment["spec"]["template"]
    marked = labels_of(template) | {TEMPLATE_HASH: _hash(template)}
    selector = deployment["spec"]["selector"]
    fresh: Object = {
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{marked[TEMPLATE_HASH]}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": marked,
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {
            "replicas": grown(bounds, 0, total(old)),
            "selector": {
                **selector,
                "matchLabels": {
                    **(selector.get("matchLabels") or {}),
                    TEMPLATE_HASH: marked[TEMPLATE_HASH],
                },
            },
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": marked}},
        },
        "status": {"replicas": 0},
    }
    sized = {DESIRED_REPLICAS: str(bounds.replicas), MAX_REPLICAS: str(bounds.ceiling)}
    return brought_up_to_date(deployment, with_annotations(fresh, sized), old)


def _hash(template: Object) -> str:
    return hashlib.blake2b(orjson.dumps(template, option=orjson.OPT_SORT_KEYS), digest_size=5).hexdigest()
