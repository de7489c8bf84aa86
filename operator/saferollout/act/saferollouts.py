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


async def write_status(api: ApiClient, namespace: str, name: str, status: Status, version: int) -> int:
    """Write the status, for the resourceVersion it was decided on, and return the one it led to.

    Raises:
        ApiException: With status 409 if somebody has written the SafeRollout since, 404 if it has gone, or if
            the API server refuses it for another reason.
    """
    body = {"metadata": {"resourceVersion": str(version)}, "status": to_json(status)}
    written: Any = await CustomObjectsApi(api).patch_namespaced_custom_object_status(
        GROUP, VERSION, namespace, PLURAL, name, body, **PATCHED_BY, **MERGE
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
