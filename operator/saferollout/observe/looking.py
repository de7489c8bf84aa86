"""One Deployment as it is right now, asked of the API server itself and of no cache.

For giving it back: that has to be possible where Nodes or TargetGroupBindings may not be listed any more,
and from a command that has no caches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from kubernetes.aio.client import ApiClient

from saferollout.decide.observation import Observation
from saferollout.observe import records
from saferollout.observe.listwatch import ListWatch

PAGE = 500


async def look(api: ApiClient, namespace: str, deployment: str, begun: Observation) -> Observation:
    """Complete an observation with the Deployment, its ReplicaSets and their pods.

    Raises:
        Refused: The API server answered with an error.
    """
    in_apps, in_core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
    named = ("fieldSelector", f"metadata.name={deployment}")
    found = [each async for each in listed(api, f"{in_apps}/deployments", named)] if deployment else []
    if not found:
        return replace(begun, deployment=None)
    (raw,) = found
    uid, selected = raw["metadata"]["uid"], ("labelSelector", selector(raw["spec"]["selector"]))
    sets = [records.replica_set(each) async for each in listed(api, f"{in_apps}/replicasets", selected)]
    own = [each for each in sets if each is not None and each.owner == uid]
    owners = {each.uid for each in own}
    pods = [records.pod(each) async for each in listed(api, f"{in_core}/pods", selected)]
    return replace(
        begun,
        deployment=records.deployment(raw),
        replica_sets=tuple(sorted(own, key=lambda each: (each.created_at, each.name))),
        pods=tuple(each for each in pods if each is not None and each.owner in owners),
    )


async def listed(api: ApiClient, path: str, *selecting: tuple[str, str]) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the raw objects under a path.

    Raises:
        Refused: The API server answered with an error.
    """
    async for items, _ in ListWatch(api, path, PAGE).pages(*selecting):
        for each in items:
            yield each


def selector(raw: Mapping[str, Any]) -> str:
    """Return a ``LabelSelector`` as a query has it."""
    said = [f"{key}={value}" for key, value in (raw.get("matchLabels") or {}).items()]
    for each in raw.get("matchExpressions") or ():
        key, values = each["key"], ",".join(each.get("values") or ())
        said.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[each["operator"]]
        )
    return ",".join(said)
