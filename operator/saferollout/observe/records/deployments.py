"""Deployments and their ReplicaSets."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from sys import intern

import orjson

from saferollout.api.names import (
    FIELD_MANAGER,
    GUARD_ANNOTATION,
    GUARDED_LABEL,
    LAST_APPLIED_ANNOTATION,
    LEDGER_ANNOTATION,
    POD_TEMPLATE_HASH_LABEL,
)
from saferollout.decide.ledger import SETTINGS
from saferollout.decide.takeovers import API_NAMES
from saferollout.decide.workload import Deployment, Labels, Leave, ReplicaSet, Strategy
from saferollout.observe.records.raw import (
    Raw,
    annotations_of,
    controller_of,
    epoch,
    labels_of,
    sentence,
    shared,
)

DEFAULT_SURGE = DEFAULT_UNAVAILABLE = "25%"
"""What apps/v1 takes when a rolling update names no numbers."""


def deployment(raw: Raw) -> Deployment:
    """Read a Deployment."""
    meta, spec = raw["metadata"], raw["spec"]
    return Deployment(
        namespace=intern(meta["namespace"]),
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        generation=meta.get("generation", 0),
        observed_generation=raw.get("status", {}).get("observedGeneration", 0),
        replicas=spec.get("replicas", 1),
        paused=spec.get("paused", False),
        strategy=_strategy(spec.get("strategy", {})),
        min_ready_seconds=spec.get("minReadySeconds", 0),
        progress_deadline_seconds=spec.get("progressDeadlineSeconds"),
        template=template_digest(spec["template"]),
        ledger=annotations_of(meta).get(LEDGER_ANNOTATION),
        deleting="deletionTimestamp" in meta,
        labels=_template_labels(spec["template"]),
        leave=_leave(spec["template"]),
        writers=_writers(meta),
        deadline_declared=_deadline_declared(meta),
        label=shared((meta.get("labels") or {}).get(GUARDED_LABEL)),
        held_by_guard=spec.get("paused", False) and GUARD_ANNOTATION in annotations_of(meta),
    )


def replica_set(raw: Raw) -> ReplicaSet | None:
    """Read a ReplicaSet, ``None`` unless a Deployment controls it."""
    meta, spec = raw["metadata"], raw["spec"]
    owner = controller_of(meta, "Deployment")
    if owner is None:
        return None
    return ReplicaSet(
        name=meta["name"],
        uid=intern(meta["uid"]),
        hash=(meta.get("labels") or {}).get(POD_TEMPLATE_HASH_LABEL, ""),
        template=template_digest(spec["template"]),
        created_at=epoch(meta["creationTimestamp"]),
        replicas=spec.get("replicas", 1),
        available=raw.get("status", {}).get("availableReplicas", 0),
        min_ready_seconds=spec.get("minReadySeconds", 0),
        failure=_failure(raw.get("status", {})),
        noted=not annotations_of(meta).keys().isdisjoint({LEDGER_ANNOTATION, GUARD_ANNOTATION}),
        owned=any(each.get("manager") == FIELD_MANAGER for each in meta.get("managedFields") or ()),
        owner=owner,
        labels=_template_labels(spec["template"]),
        leave=_leave(spec["template"]),
        resource_version=meta["resourceVersion"],
    )


def template_digest(template: Raw) -> str:
    """Digest a pod template, so that equal digests mean the same revision.

    Like the Deployment controller (``EqualIgnoreHash``) it disregards the ``pod-template-hash`` label, which
    only the ReplicaSet's copy has, and the empty ``creationTimestamp`` that some API servers write.
    """
    meta = dict(template.get("metadata") or {})
    if meta.get("creationTimestamp") is None:
        meta.pop("creationTimestamp", None)
    meta["labels"] = {k: v for k, v in (meta.get("labels") or {}).items() if k != POD_TEMPLATE_HASH_LABEL}
    canonical = orjson.dumps({**template, "metadata": meta}, option=orjson.OPT_SORT_KEYS)
    return intern(hashlib.blake2b(canonical, digest_size=8).hexdigest())


def _strategy(raw: Raw) -> Strategy:
    kind = intern(raw.get("type", "RollingUpdate"))
    if kind != "RollingUpdate":
        return Strategy(kind)
    numbers = raw.get("rollingUpdate") or {}
    return Strategy(
        kind,
        max_surge=numbers.get("maxSurge", DEFAULT_SURGE),
        max_unavailable=numbers.get("maxUnavailable", DEFAULT_UNAVAILABLE),
    )


def _writers(meta: Raw) -> tuple[tuple[str, str], ...]:
    """Who else wrote each of the operator's fields last, by ``managedFields``; by "", any field of the spec.

    A field that is absent, as ``paused: false`` is, has no writer of its own.
    """
    latest: dict[str, tuple[str, str]] = {}
    for entry in meta.get("managedFields") or ():
        manager = entry.get("manager", "")
        if manager == FIELD_MANAGER or entry.get("subresource"):
            continue
        written = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        names = [name for name in SETTINGS if f"f:{API_NAMES[name]}" in written]
        for name in (*names, "") if written else ():
            latest[name] = max(latest.get(name, ("", "")), (entry.get("time", ""), manager))
    return _shared_writers(tuple((name, manager) for name, (_, manager) in sorted(latest.items())))


def _deadline_declared(meta: Raw) -> bool:
    """Whether somebody applies ``progressDeadlineSeconds``, on the server's side or the client's.

    That a field has a writer does not say so: who creates a Deployment owns the defaults as well.
    """
    applied = (each for each in meta.get("managedFields") or () if each.get("operation") == "Apply")
    return '"progressDeadlineSeconds"' in annotations_of(meta).get(LAST_APPLIED_ANNOTATION, "") or any(
        "f:progressDeadlineSeconds" in ((each.get("fieldsV1") or {}).get("f:spec") or {}) for each in applied
    )


@lru_cache(maxsize=1024)
def _shared_writers(writers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The one tuple that all Deployments with these writers share."""
    return writers


def _template_labels(template: Raw) -> Labels:
    labels = (template.get("metadata") or {}).get("labels") or {}
    return labels_of({name: value for name, value in labels.items() if name != POD_TEMPLATE_HASH_LABEL})


@lru_cache(maxsize=1024)
def _shared_leave(pre_stop: float, grace: int) -> Leave:
    """The one record that all templates of these numbers share."""
    return Leave(pre_stop, grace)


def _leave(template: Raw) -> Leave:
    spec = template["spec"]
    hooks = ((each.get("lifecycle") or {}).get("preStop") or {} for each in spec["containers"])
    return _shared_leave(max(map(_slept, hooks), default=0.0), spec.get("terminationGracePeriodSeconds", 30))


def _slept(hook: Raw) -> float:
    """The seconds that a hook sleeps for: by itself, or in a command such as ``sh -c "sleep 40"``."""
    if "sleep" in hook:
        return float(hook["sleep"]["seconds"])
    command = " ".join((hook.get("exec") or {}).get("command") or ())
    found = re.search(r"\bsleep\s+(\d+(?:\.\d+)?)", command)
    return float(found[1]) if found else 0.0


def _failure(status: Raw) -> str:
    """Why a ReplicaSet cannot create or delete pods, empty if it can."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return sentence(condition)
    return ""
