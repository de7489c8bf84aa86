"""Takes the operator's finalizer off a SafeRollout."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from kubernetes.aio.client import ApiClient, CustomObjectsApi
from kubernetes.aio.client.exceptions import ApiException

from saferollout.act.requests import MERGE, PATCHED_BY
from saferollout.api.names import API_VERSION, FINALIZER, GROUP, PLURAL, VERSION
from saferollout.observe.looking import listed
from saferollout.observe.saferollouts import SafeRollout


async def let_go(api: ApiClient, rollout: SafeRollout) -> Sequence[str]:
    """Take the finalizer off, and return those of others that still hold it.

    Raises:
        Refused: The API server does not let it be read.
        ApiException: It does not let it be written.
    """
    path = f"/apis/{API_VERSION}/namespaces/{rollout.namespace}/{PLURAL}"
    named = ("fieldSelector", f"metadata.name={rollout.name}")
    while True:
        metas = [each["metadata"] async for each in listed(api, path, named)]
        meta = next((each for each in metas if each["uid"] == rollout.uid), None)
        if meta is None:
            return []
        others = [each for each in meta.get("finalizers") or () if each != FINALIZER]
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": others}}
        try:
            await CustomObjectsApi(api).patch_namespaced_custom_object(
                GROUP, VERSION, rollout.namespace, PLURAL, rollout.name, patch, **PATCHED_BY, **MERGE
            )
        except ApiException as error:
            if error.status not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                raise
        else:
            return others
