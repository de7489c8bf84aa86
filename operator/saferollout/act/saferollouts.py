"""The writes to SafeRollouts: their status, and the annotation of what has been answered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from kubernetes.aio.client import ApiClient, CustomObjectsApi
from kubernetes.aio.client.exceptions import ApiException

from saferollout.act.requests import JSON_PATCH, MERGE, PATCHED_BY
from saferollout.api.names import ACTION_ANNOTATION, GROUP, PLURAL, VERSION
from saferollout.api.report import to_json
from saferollout.api.status import Status
from saferollout.decide.observation import Asked


async def write_status(api: ApiClient, namespace: str, name: str, status: Status) -> int:
    """Write the status and return the resourceVersion it led to.

    Raises:
        ApiException: If the API server refuses it; 404 if the SafeRollout has gone.
    """
    written: Any = await CustomObjectsApi(api).patch_namespaced_custom_object_status(
        GROUP, VERSION, namespace, PLURAL, name, {"status": to_json(status)}, **PATCHED_BY, **MERGE
    )
    return int(written["metadata"]["resourceVersion"])


async def take_off(api: ApiClient, namespace: str, name: str, answered: Asked) -> None:
    """Take the action off that has been answered, unless another has been written over it.

    Raises:
        ApiException: If the API server refuses it for another reason.
    """
    path = f"/metadata/annotations/{ACTION_ANNOTATION.replace('/', '~1')}"
    patch = [{"op": "test", "path": path, "value": answered.action}, {"op": "remove", "path": path}]
    try:
        await CustomObjectsApi(api).patch_namespaced_custom_object(
            GROUP, VERSION, namespace, PLURAL, name, patch, **PATCHED_BY, **JSON_PATCH
        )
    except ApiException as error:
        if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}:
            raise
