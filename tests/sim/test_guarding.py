"""Asking whether a guard is in force, of the embedded API server with the policies of ``deploy/guard``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient

from saferollout import metrics
from saferollout.api.names import GUARD_ANNOTATION, GUARDED_LABEL, LEDGER_ANNOTATION
from saferollout.decide.observation import Guard
from saferollout.decide.workload import Deployment
from saferollout.guarding import Guarding
from saferollout.observe import records
from served_cluster import DEPLOYMENTS, Raw, ServedCluster, deployment

GUARD = Path(__file__).parents[2] / "deploy" / "guard"
WEB = f"{DEPLOYMENTS}/web"
LONG = 1000.0
"""Seconds between two questions, where a test is to see no second one."""


@asynccontextmanager
async def connected(cluster: ServedCluster) -> AsyncIterator[ApiClient]:
    api = await config.new_client_from_config(str(cluster.kubeconfig))
    async with api:
        yield api


def guarding(api: ApiClient, interval: float = LONG) -> Guarding:
    return Guarding(api, asyncio.Semaphore(4), interval)


def questions() -> float:
    (family,) = metrics.GUARD_QUESTIONS.collect()
    return next(each.value for each in family.samples if each.name.endswith("_total"))


async def wrapped(cluster: ServedCluster) -> Deployment:
    """A Deployment with the operator's label, as the operator reads it."""
    labelled = deployment()
    labelled["metadata"]["labels"] = {GUARDED_LABEL: "true"}
    return records.deployment((await cluster.ask("POST", DEPLOYMENTS, labelled)).body)


async def install(cluster: ServedCluster, folder: str = "") -> None:
    done = await cluster.kubectl("apply", "-k", str(GUARD / folder))
    assert done.code == 0, done.err


async def patched(cluster: ServedCluster, change: Raw, **headers: Any) -> tuple[int, Raw]:
    answer = await cluster.ask("PATCH", WEB, change, content_type="application/merge-patch+json", **headers)
    return answer.status, answer.body


def template(note: str) -> Raw:
    return {"spec": {"template": {"metadata": {"annotations": {"note": note}}}}}


async def test_the_first_answer_is_waited_for_and_says_what_there_is(cluster: ServedCluster) -> None:
    found = await wrapped(cluster)
    async with connected(cluster) as api:
        assert await guarding(api).of(found, Guard()) == Guard(in_force=False)
        await install(cluster)
        assert await guarding(api).of(found, Guard()) == Guard(in_force=True)


async def test_it_is_asked_of_a_deployment_that_has_no_label_yet(cluster: ServedCluster) -> None:
    await install(cluster)
    found = records.deployment((await cluster.ask("POST", DEPLOYMENTS, deployment())).body)
    async with connected(cluster) as api:
        assert await guarding(api).of(found, Guard()) == Guard(in_force=True)


async def test_a_question_changes_nothing(cluster: ServedCluster) -> None:
    await install(cluster)
    found = await wrapped(cluster)
    async with connected(cluster) as api:
        await guarding(api).of(found, Guard())
    stored = (await cluster.ask("GET", WEB)).body
    assert stored["metadata"]["resourceVersion"] == found.resource_version


async def test_a_refusal_is_no_answer_and_told(cluster: ServedCluster) -> None:
    found = await wrapped(cluster)
    await cluster.ask("DELETE", WEB)
    async with connected(cluster) as api:
        answer = await guarding(api).of(found, Guard())
    assert answer.in_force is None
    assert 'deployments.apps "web" not found' in answer.detail


async def test_what_the_status_says_does_until_there_is_an_answer_and_then_the_loop_is_woken(
    cluster: ServedCluster,
) -> None:
    found = await wrapped(cluster)
    wake = asyncio.Event()
    async with connected(cluster) as api:
        asked = guarding(api)
        with asked.asking(wake):
            assert await asked.of(found, Guard(in_force=True)) == Guard(in_force=True)
            await asyncio.wait_for(wake.wait(), 5)
            assert await asked.of(found, Guard(in_force=True)) == Guard(in_force=False)


async def test_at_rest_it_is_asked_once_and_again_when_the_template_changes(cluster: ServedCluster) -> None:
    found = await wrapped(cluster)
    wake = asyncio.Event()
    async with connected(cluster) as api:
        asked, before = guarding(api), questions()
        with asked.asking(wake):
            for _ in range(20):
                await asked.of(found, Guard())
                await asyncio.sleep(0.01)
            assert questions() - before == 1
            other = records.deployment((await patched(cluster, template("2")))[1])
            await asked.of(other, Guard())
            await asyncio.sleep(0.3)
            assert questions() - before == 2
    assert not wake.is_set()


async def test_a_guard_that_goes_is_noticed_when_the_interval_is_over(cluster: ServedCluster) -> None:
    await install(cluster)
    found = await wrapped(cluster)
    wake = asyncio.Event()
    async with connected(cluster) as api:
        asked = guarding(api, interval=0.3)
        with asked.asking(wake):
            assert await asked.of(found, Guard()) == Guard(in_force=True)
            await cluster.kubectl("delete", "-k", str(GUARD))
            await asyncio.wait_for(wake.wait(), 5)
            assert await asked.of(found, Guard()) == Guard(in_force=False)


async def test_the_policy_pauses_and_marks_a_template_change_and_nothing_else(cluster: ServedCluster) -> None:
    await install(cluster)
    await wrapped(cluster)
    _, scaled = await patched(cluster, {"spec": {"replicas": 5}})
    assert "paused" not in scaled["spec"]
    _, changed = await patched(cluster, template("2"))
    assert changed["spec"]["paused"] is True
    assert changed["metadata"]["annotations"] == {GUARD_ANNOTATION: "paused"}
    owned = [each["fieldsV1"].get("f:spec", {}).keys() for each in changed["metadata"]["managedFields"]]
    assert not [each for each in owned if "f:paused" in each]


async def test_the_strict_policy_refuses_everybody_but_the_operator_by_name(cluster: ServedCluster) -> None:
    await install(cluster, "strict")
    await wrapped(cluster)
    ledger = {LEDGER_ANNOTATION: '{"ours":{"paused":true}}'}
    await patched(cluster, {"metadata": {"annotations": ledger}, "spec": {"paused": True}})
    status, refused = await patched(cluster, {"spec": {"paused": None}})
    assert (status, refused["reason"]) == (403, "Forbidden")
    assert refused["message"].startswith(
        "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'saferollout-strict' with binding"
        " 'saferollout-strict' denied request: a SafeRollout rolls deployment/web out and has paused it."
    )
    headers = {
        "Authorization": "Bearer system:serviceaccount:saferollout-system:saferollout",
        "Content-Type": "application/merge-patch+json",
    }
    resume = {"spec": {"paused": None}}
    async with cluster.session.patch(cluster.url + WEB, json=resume, headers=headers) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("written", ["object.", "object.spec.containers.all(c, true)"])
async def test_a_policy_whose_language_is_not_known_is_refused(cluster: ServedCluster, written: str) -> None:
    policy = {
        "metadata": {"name": "other"},
        "spec": {"validations": [{"expression": written}]},
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    answer = await cluster.ask("POST", path, policy)
    assert answer.status == 422
    assert "spec.validations[0].expression: Invalid value" in answer.body["message"]
