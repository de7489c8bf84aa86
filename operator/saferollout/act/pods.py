"""Deletion costs on pods: which old pod the ReplicaSet controller takes next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from kubernetes.aio.client import ApiClient, CoreV1Api
from kubernetes.aio.client.exceptions import ApiException

from saferollout.act.requests import MERGE, PATCHED_BY
from saferollout.api.names import COST_BEFORE_ANNOTATION, DELETION_COST_ANNOTATION
from saferollout.decide.decision import CostWrite


async def write_costs(
    api: ApiClient, namespace: str, costs: Iterable[CostWrite], versions: Mapping[str, int]
) -> None:
    """Write all of these costs, side by side. A pod that has gone in the meantime needs none.

    Args:
        api: The client.
        namespace: Of the pods.
        costs: What to write.
        versions: The resourceVersion of each pod, by name, that the decision was made on.

    Raises:
        ApiException: With status 409 if somebody has written one of the pods since, or if the API server
            refuses it for another reason.
    """
    await asyncio.gather(*(_write(api, namespace, each, versions.get(each.pod)) for each in costs))


async def _write(api: ApiClient, namespace: str, cost: CostWrite, version: int | None) -> None:
    if version is None:
        return  # It has gone.
    annotations = {DELETION_COST_ANNOTATION: cost.cost, COST_BEFORE_ANNOTATION: cost.before}
    patch = {"metadata": {"resourceVersion": str(version), "annotations": annotations}}
    try:
        await CoreV1Api(api).patch_namespaced_pod(cost.pod, namespace, patch, **PATCHED_BY, **MERGE)
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
