"""The one writer of Deployments: a decision becomes the smallest patch that makes it so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from kubernetes.aio.client import ApiClient, AppsV1Api, V1Deployment, V1ObjectMeta, V1ReplicaSet
from kubernetes.aio.client.exceptions import ApiException

from saferollout.act.requests import JSON_PATCH, MERGE, PATCHED_BY, TIMEOUT
from saferollout.api.names import (
    FIELD_MANAGER,
    GUARD_ANNOTATION,
    GUARDED_LABEL,
    LEDGER_ANNOTATION,
    POD_TEMPLATE_HASH_LABEL,
)
from saferollout.decide import ledger as ledgers
from saferollout.decide.decision import Change, Fence
from saferollout.decide.ledger import Settings, live_settings
from saferollout.decide.workload import Deployment, ReplicaSet


def patch_of(deployment: Deployment, change: Change) -> dict[str, Any]:
    """Return the JSON merge patch that makes ``change``, valid only for the version it was decided on.

    What is the same stays out of it, and so out of the operator's field ownership.
    """
    live = _fields(live_settings(deployment))
    spec = {name: value for name, value in _fields(change.settings).items() if value != live[name]}
    text = None if change.ledger is None else ledgers.write(change.ledger)
    label = {GUARDED_LABEL: change.label} if change.label != deployment.label else {}
    return {
        "metadata": {
            "resourceVersion": deployment.resource_version,
            "annotations": {LEDGER_ANNOTATION: text, GUARD_ANNOTATION: None},
            **({"labels": label} if label else {}),
        },
        "spec": spec,
    }


TRIES = 5
"""How often a change is sent again that only the Deployment controller's bookkeeping was in the way of."""


async def make(api: ApiClient, deployment: Deployment, change: Change) -> int:
    """Make the change and return the resourceVersion it led to.

    A Deployment that moves by itself has a new version several times a second, for its status: as long as
    nobody has written what the decision was made on, the change is still the right one, and may be urgent.

    Raises:
        ApiException: With status 409 if the Deployment is no longer what the decision was made on, 404 if
            the ReplicaSet whose template it is to have is not there any more.
    """
    patch = patch_of(deployment, change)
    if change.template_of is not None:
        patch["spec"]["template"] = await _way_back(api, deployment, change.template_of)
    for _ in range(TRIES):
        try:
            return await _write(api, deployment, patch)
        except ApiException as error:
            version = await _newest(api, deployment) if error.status == HTTPStatus.CONFLICT else None
            if version is None:
                raise
            patch["metadata"]["resourceVersion"] = version
    return await _write(api, deployment, patch)


async def _write(api: ApiClient, deployment: Deployment, patch: dict[str, Any]) -> int:
    written = await AppsV1Api(api).patch_namespaced_deployment(
        deployment.name, deployment.namespace, patch, **PATCHED_BY, **MERGE
    )
    return int(_metadata(written).resource_version or 0)


async def _newest(api: ApiClient, deployment: Deployment) -> str | None:
    """The newest resourceVersion if all that is new is the controller's doing, ``None`` otherwise."""
    found = await AppsV1Api(api).read_namespaced_deployment(
        deployment.name, deployment.namespace, _request_timeout=TIMEOUT
    )
    meta = _metadata(found)
    ledger = (meta.annotations or {}).get(LEDGER_ANNOTATION)
    label = (meta.labels or {}).get(GUARDED_LABEL)
    now = (meta.uid, meta.generation, ledger, label)
    then = (deployment.uid, deployment.generation, deployment.ledger, deployment.label)
    return meta.resource_version if now == then else None


async def _way_back(api: ApiClient, deployment: Deployment, replica_set: str) -> Any:
    """Return the merge patch from the template of the Deployment to that of the ReplicaSet.

    Both are read as they are in the API: what the client's models do not know must not get lost.
    """
    apps = AppsV1Api(api)
    now = await apps.read_namespaced_deployment_without_preload_content(
        deployment.name, deployment.namespace, _request_timeout=TIMEOUT
    )
    before = await apps.read_namespaced_replica_set_without_preload_content(
        replica_set, deployment.namespace, _request_timeout=TIMEOUT
    )
    current, wanted = [await _template(each) for each in (now, before)]
    wanted["metadata"]["labels"].pop(POD_TEMPLATE_HASH_LABEL, None)
    return merge_patch(current, wanted)


async def _template(answer: Any) -> Any:
    """Return the pod template in an answer that the client has not looked at.

    Raises:
        ApiException: It is a refusal.
    """
    if answer.status != HTTPStatus.OK:
        error = ApiException(status=answer.status, reason=answer.reason)
        error.body = await answer.text()
        raise error
    return (await answer.json())["spec"]["template"]


def merge_patch(before: Any, after: Any) -> Any:
    """Return the JSON merge patch that leads from ``before`` to ``after`` (RFC 7386)."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return after
    gone = dict.fromkeys(before.keys() - after.keys())
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    return gone | {name: merge_patch(before.get(name), value) for name, value in changed.items()}


async def disown(api: ApiClient, namespace: str, name: str) -> None:
    """Take the operator's entries out of the Deployment's ``managedFields``.

    Giving a value back makes its writer the owner of the field (kubernetes *Server-Side Apply*, operation
    Update), which would be a trace, and a conflict for the user's next apply.

    Raises:
        ApiException: With status 409 if somebody wrote the Deployment in between.
    """
    apps = AppsV1Api(api)
    await _disown(apps.read_namespaced_deployment, apps.patch_namespaced_deployment, namespace, name)


async def disown_replica_set(api: ApiClient, namespace: str, name: str) -> None:
    """Take the operator's entries out of the ``managedFields`` of a ReplicaSet, as `disown` does.

    Raises:
        ApiException: With status 409 if somebody wrote the ReplicaSet in between.
    """
    apps = AppsV1Api(api)
    await _disown(apps.read_namespaced_replica_set, apps.patch_namespaced_replica_set, namespace, name)


async def _disown(
    read: Callable[..., Awaitable[Any]], patch: Callable[..., Awaitable[Any]], namespace: str, name: str
) -> None:
    try:
        found = await read(name, namespace, _request_timeout=TIMEOUT)
    except ApiException as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return
        raise
    meta = _metadata(found)
    entries = meta.managed_fields or []
    ours = [index for index, entry in enumerate(entries) if entry.manager == FIELD_MANAGER]
    if not ours:
        return
    unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": meta.resource_version}
    removals = [{"op": "remove", "path": f"/metadata/managedFields/{index}"} for index in reversed(ours)]
    await patch(name, namespace, [unchanged, *removals], **PATCHED_BY, **JSON_PATCH)


async def fence(api: ApiClient, namespace: str, replica_set: ReplicaSet, fence: Fence) -> None:
    """Write the ``minReadySeconds`` of a ReplicaSet, and take copies of our annotations off it.

    Raises:
        ApiException: With status 409 if the ReplicaSet is no longer what the decision was made on.
    """
    patch = {
        "metadata": {
            "resourceVersion": replica_set.resource_version,
            "annotations": {LEDGER_ANNOTATION: None, GUARD_ANNOTATION: None},
        },
        "spec": {"minReadySeconds": fence.min_ready_seconds or None},
    }
    await AppsV1Api(api).patch_namespaced_replica_set(
        replica_set.name, namespace, patch, **PATCHED_BY, **MERGE
    )


def _metadata(found: V1Deployment | V1ReplicaSet) -> V1ObjectMeta:
    return found.metadata or V1ObjectMeta()


def _fields(settings: Settings) -> dict[str, Any]:
    """Return the settings as ``spec`` has them; what the API server leaves out when zero is ``None``."""
    strategy = settings.strategy
    rolling = {"maxSurge": strategy.max_surge, "maxUnavailable": strategy.max_unavailable}
    return {
        "paused": settings.paused or None,
        "minReadySeconds": settings.min_ready_seconds or None,
        "progressDeadlineSeconds": settings.progress_deadline_seconds,
        "strategy": {
            "type": strategy.type,
            "rollingUpdate": rolling if strategy.type == "RollingUpdate" else None,
        },
    }
