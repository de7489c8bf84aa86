"""Gives a Deployment back, as far as the API server lets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

from saferollout.act import deployments, pods
from saferollout.decide.decision import Decision
from saferollout.decide.observation import Observation
from saferollout.decide.workload import Deployment

_OUTDATED = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}
"""What was to be written has changed or gone since it was looked at: the next look shows it."""


async def give_back(
    api: ApiClient, deployment: Deployment, decision: Decision, seen: Observation
) -> tuple[ApiException, ...]:
    """Do all that a decision to leave asks for, and return what was refused.

    One refusal keeps nothing else from being given back: without the right to write pods the Deployment
    still goes on.
    """
    refused = []
    for act in _acts(api, deployment, decision, seen):
        try:
            await act()
        except ApiException as error:
            if error.status not in _OUTDATED:
                refused.append(error)
    return tuple(refused)


def _acts(
    api: ApiClient, deployment: Deployment, decision: Decision, seen: Observation
) -> list[Callable[[], Awaitable[object]]]:
    """Return them in order: what lets the Deployment go on comes after the order in which pods go."""
    namespace, name = deployment.namespace, deployment.name
    versions = {pod.name: pod.version for pod in seen.pods}
    sets = {each.name: each for each in seen.replica_sets}
    acts: list[Callable[[], Awaitable[object]]] = [
        partial(pods.write_costs, api, namespace, decision.costs, versions)
    ]
    if decision.change is not None:
        acts.append(partial(deployments.make, api, deployment, decision.change))
    acts += [
        partial(deployments.fence, api, namespace, sets[each.replica_set], each) for each in decision.fences
    ]
    if decision.gone:
        acts.append(partial(deployments.disown, api, namespace, name))
        ours = {each.name for each in seen.replica_sets if each.owned}
        ours |= {each.replica_set for each in decision.fences}
        acts += [partial(deployments.disown_replica_set, api, namespace, each) for each in sorted(ours)]
    return acts
