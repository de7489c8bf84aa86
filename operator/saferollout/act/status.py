"""Writes the status of a SafeRollout."""

from __future__ import annotations

from typing import Any

from kubernetes.aio.client import ApiClient, CustomObjectsApi

from saferollout.act.requests import MERGE, PATCHED_BY
from saferollout.api.names import GROUP, PLURAL, VERSION
from saferollout.api.report import to_json
from saferollout.api.status import Status


async def write_status(api: ApiClient, namespace: str, name: str, status: Status) -> int:
    """Write the status and return the resourceVersion it led to.

    Raises:
        ApiException: If the API server refuses it; 404 if the SafeRollout has gone.
    """
    written: Any = await CustomObjectsApi(api).patch_namespaced_custom_object_status(
        GROUP, VERSION, namespace, PLURAL, name, {"status": to_json(status)}, **PATCHED_BY, **MERGE
    )
    return int(written["metadata"]["resourceVersion"])
