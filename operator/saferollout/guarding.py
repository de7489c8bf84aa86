"""Whether a guard is in force: asked of the API server by a dry run, which changes nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from kubernetes.aio.client import ApiClient, AppsV1Api
from kubernetes.aio.client.exceptions import ApiException

from saferollout import metrics
from saferollout.act.requests import MERGE, PATCHED_BY
from saferollout.api.names import GUARD_QUESTION_ANNOTATION, GUARDED, GUARDED_LABEL
from saferollout.decide.observation import Guard
from saferollout.decide.workload import Deployment
from saferollout.refusals import sentence


class Guarding:
    """What is known of the guard of one Deployment.

    Asked anew after every change of the template, and every ``interval`` seconds, less up to a third of it by
    chance so that many Deployments are not asked for at once.
    """

    def __init__(self, api: ApiClient, questions: asyncio.Semaphore, interval: float) -> None:
        self._api = api
        self._questions = questions
        self._interval = interval
        self._known: Guard | None = None
        self._deployment: Deployment | None = None
        self._due = asyncio.Event()

    async def of(self, deployment: Deployment | None, told: Guard) -> Guard:
        """Return what is known; ``told`` is what the status says, and does until there is an answer.

        Only where nobody has known yet is the answer waited for: a Deployment is to be adopted by it.
        """
        if deployment is None:
            return Guard()
        if _asked_about(deployment) != _asked_about(self._deployment):
            self._deployment = deployment
            self._due.set()
        if self._known is None:
            self._known = told
            if told.in_force is None:
                self._due.clear()
                self._known = await self._ask(deployment, told)
        return self._known

    @contextmanager
    def asking(self, wake: asyncio.Event) -> Iterator[None]:
        """Keep asking for as long as the context lasts; another answer than before sets ``wake``."""
        task = asyncio.create_task(self._keep_asking(wake))
        try:
            yield
        finally:
            task.cancel()

    async def _keep_asking(self, wake: asyncio.Event) -> None:
        while True:
            await self._until_due()
            if self._deployment is None or self._known is None:
                continue
            answer = await self._ask(self._deployment, self._known)
            if answer != self._known:
                self._known = answer
                wake.set()

    async def _until_due(self) -> None:
        try:
            async with asyncio.timeout(self._interval * random.uniform(2 / 3, 1)):  # noqa: S311 - no secret
                await self._due.wait()
        except TimeoutError:
            pass
        self._due.clear()

    async def _ask(self, deployment: Deployment, known: Guard) -> Guard:
        """Change the template of the Deployment in a dry run; what was ``known`` stays if nobody answers."""
        async with self._questions:
            metrics.GUARD_QUESTIONS.inc()
            try:
                would_be = await AppsV1Api(self._api).patch_namespaced_deployment(
                    deployment.name,
                    deployment.namespace,
                    question(deployment),
                    dry_run="All",
                    **PATCHED_BY,
                    **MERGE,
                )
            except ApiException as error:
                if (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR and known.in_force is not None:
                    return known
                return Guard(detail=f"asked by a dry run, {sentence(error)}")
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                if known.in_force is not None:
                    return known
                return Guard(detail=f"the API server cannot be reached: {error or type(error).__name__}")
        return Guard(in_force=bool(would_be.spec and would_be.spec.paused))


def question(deployment: Deployment) -> dict[str, object]:
    """Return the patch that a guard would pause: another template, nothing paused, the label in place.

    Both sides of a write are looked at for the label, so it need not be there yet.
    """
    label = GUARDED if deployment.label is None else deployment.label
    pods = {"metadata": {"annotations": {GUARD_QUESTION_ANNOTATION: "whether a guard is in force"}}}
    return {
        "metadata": {"labels": {GUARDED_LABEL: label}},
        "spec": {"paused": None, "template": pods},
    }


def _asked_about(deployment: Deployment | None) -> object:
    return deployment and (deployment.uid, deployment.template)
