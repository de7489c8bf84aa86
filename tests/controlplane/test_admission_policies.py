"""What the admission policies of ``deploy/guard`` do on the released API server. No operator takes part."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from controlplane.client import Client
from controlplane.cluster import Cluster
from controlplane.plane import ControlPlane
from controlplane.subject import NAME, Subject
from saferollout.api.names import FIELD_MANAGER, GUARD_ANNOTATION, GUARDED_LABEL, LEDGER_ANNOTATION
from saferollout.sim.objects import annotations_of
from saferollout.sim.resources import DEPLOYMENTS, SERVICE_ACCOUNTS
from saferollout.sim.store import Object

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

GUARD = Path(__file__).parents[2] / "deploy" / "guard"
BOTH = (GUARD, GUARD / "strict")
OURS = '{"ours":{"paused":true},"users":{"paused":false}}'


@pytest.fixture(scope="module", autouse=True)
def guard(plane: ControlPlane) -> Iterator[None]:
    for each in BOTH:
        plane.kubectl("apply", "-k", str(each)).check_returncode()
    _in_force(plane)
    yield
    for each in BOTH:
        plane.kubectl("delete", "-k", str(each)).check_returncode()


def _in_force(plane: ControlPlane) -> None:
    """Wait until the API server has read the policies: it takes them from watches of its own."""
    meta = {"name": "probe", "namespace": "default", "labels": {GUARDED_LABEL: "true"}}
    pods = {
        "metadata": {"labels": {"app": "probe"}},
        "spec": {"containers": [{"name": "probe", "image": "probe"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "probe"}}, "template": pods}
    probe = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
    plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(probe)).check_returncode()
    deadline = time.monotonic() + 30
    for number in range(1000):
        asked = plane.kubectl("set", "image", "deployment/probe", f"probe=probe:{number}", "-o", "yaml")
        if "paused: true" in asked.stdout:
            break
        assert time.monotonic() < deadline, asked
        time.sleep(0.2)
    refused = plane.kubectl("rollout", "resume", "deployment/probe")
    while not refused.returncode:
        assert time.monotonic() < deadline, refused
        for verb in ("pause", "resume"):
            refused = plane.kubectl("rollout", verb, "deployment/probe")
    plane.kubectl("delete", "deployment/probe").check_returncode()


async def labelled(cluster: Cluster, subject: Subject) -> None:
    """Write the operator's label on the Deployment."""
    change = {"metadata": {"labels": {GUARDED_LABEL: "true"}}}
    await cluster.client.patch(DEPLOYMENTS, subject.namespace, NAME, change=change)


async def noted(cluster: Cluster, subject: Subject) -> None:
    """Write on the Deployment that its pause is the operator's."""
    change = {"metadata": {"annotations": {LEDGER_ANNOTATION: OURS}}}
    await cluster.client.patch(DEPLOYMENTS, subject.namespace, NAME, change=change)


async def deployment(cluster: Cluster, subject: Subject) -> Object:
    """Return the Deployment."""
    return await cluster.client.get(DEPLOYMENTS, subject.namespace, NAME)


def state(found: Object) -> tuple[bool, str | None]:
    """Return whether the Deployment is paused, and the guard's annotation."""
    return found["spec"].get("paused", False), annotations_of(found).get(GUARD_ANNOTATION)


def rollout(plane: ControlPlane, subject: Subject, verb: str) -> subprocess.CompletedProcess[str]:
    """Do ``kubectl rollout VERB``."""
    return plane.kubectl("rollout", verb, f"deployment/{NAME}", "--namespace", subject.namespace)


async def test_a_change_of_the_template_is_paused_in_the_same_write_and_makes_no_replica_set(
    real_cluster: Cluster, subject: Subject
) -> None:
    await subject.create(2)
    await labelled(real_cluster, subject)
    await subject.patch("v2")
    found = await deployment(real_cluster, subject)
    assert state(found) == (True, "paused")
    owned = [each["fieldsV1"].get("f:spec", {}).keys() for each in found["metadata"]["managedFields"]]
    assert not [each for each in owned if "f:paused" in each]
    await subject.stays(2)
    assert subject.sizes == {"v1": 2}


async def test_a_deployment_without_the_label_is_left_alone(real_cluster: Cluster, subject: Subject) -> None:
    await subject.create(1)
    await subject.patch("v2")
    assert state(await deployment(real_cluster, subject)) == (False, None)


async def test_other_changes_are_left_alone(real_cluster: Cluster, subject: Subject) -> None:
    await subject.create(1)
    await labelled(real_cluster, subject)
    await subject.patch(replicas=2, minReadySeconds=1)
    assert state(await deployment(real_cluster, subject)) == (False, None)


async def test_a_change_that_takes_the_label_off_is_paused_too(
    real_cluster: Cluster, subject: Subject
) -> None:
    await subject.create(1)
    await labelled(real_cluster, subject)
    pods = {"metadata": {"annotations": {"example.com/changed": "yes"}}}
    change = {"metadata": {"labels": {GUARDED_LABEL: None}}, "spec": {"template": pods}}
    await real_cluster.client.patch(DEPLOYMENTS, subject.namespace, NAME, change=change)
    assert state(await deployment(real_cluster, subject)) == (True, "paused")


async def test_a_pause_that_comes_with_the_template_is_the_users(
    real_cluster: Cluster, subject: Subject
) -> None:
    await subject.create(1)
    await labelled(real_cluster, subject)
    await subject.patch("v2", paused=True)
    assert state(await deployment(real_cluster, subject)) == (True, None)


async def test_a_pause_before_the_template_changes_stays_the_users(
    real_cluster: Cluster, subject: Subject
) -> None:
    await subject.create(1)
    await labelled(real_cluster, subject)
    await subject.patch(paused=True)
    await subject.patch("v2")
    assert state(await deployment(real_cluster, subject)) == (True, None)


@pytest.mark.parametrize("verb", ["restart", "undo"])
async def test_kubectl_restarts_and_undoes_a_guarded_deployment_into_a_pause(
    real_cluster: Cluster, subject: Subject, plane: ControlPlane, verb: str
) -> None:
    await subject.create(1)
    await subject.patch("v2")
    await subject.becomes({"v2": 1})
    await labelled(real_cluster, subject)
    done = await asyncio.to_thread(rollout, plane, subject, verb)
    assert done.returncode == 0, done.stderr
    assert state(await deployment(real_cluster, subject)) == (True, "paused")
    again = await asyncio.to_thread(rollout, plane, subject, verb)
    assert "paused deployment" in again.stderr or "deployment is paused" in again.stderr, again


async def test_whoever_applies_the_manifest_again_neither_resumes_nor_comes_to_own_the_pause(
    real_cluster: Cluster, subject: Subject, plane: ControlPlane
) -> None:
    def apply(image: str) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["image"] = image
        said = plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.dump(found))
        assert said.returncode == 0, said.stderr

    await subject.create(1)
    live = await deployment(real_cluster, subject)
    found = {name: live[name] for name in ("apiVersion", "kind", "spec")}
    found["metadata"] = {"name": NAME, "namespace": subject.namespace}
    await asyncio.to_thread(apply, "web:v1")
    await labelled(real_cluster, subject)
    await asyncio.to_thread(apply, "web:v2")
    await asyncio.to_thread(apply, "web:v2")
    after = await deployment(real_cluster, subject)
    assert state(after) == (True, "paused")
    for entry in after["metadata"]["managedFields"]:
        if entry["operation"] == "Apply":
            assert "f:paused" not in entry["fieldsV1"]["f:spec"]
            assert "f:annotations" not in entry["fieldsV1"].get("f:metadata", {})


def unreported(found: Object) -> Object:
    """The metadata without what a report of the controller changes, which may come at any time."""
    kept = {name: value for name, value in found["metadata"].items() if name != "resourceVersion"}
    owners = [each for each in kept["managedFields"] if each.get("subresource") != "status"]
    return {**kept, "managedFields": owners}


async def test_a_dry_run_tells_whether_the_guard_is_in_force_also_of_a_paused_deployment(
    real_cluster: Cluster, subject: Subject, plane: ControlPlane
) -> None:
    def ask() -> str:
        pods = {"metadata": {"annotations": {"example.com/asked": "yes"}}}
        question = {
            "metadata": {"labels": {GUARDED_LABEL: "true"}},
            "spec": {"paused": None, "template": pods},
        }
        told = ("--type=merge", "--patch", yaml.safe_dump(question), "--dry-run=server", "-o", "yaml")
        where = ("deployment", NAME, "--namespace", subject.namespace)
        return plane.kubectl("patch", *where, *told, "--field-manager", FIELD_MANAGER).stdout

    await subject.create(1)
    before = unreported(await deployment(real_cluster, subject))
    assert "paused: true" in await asyncio.to_thread(ask)
    assert unreported(await deployment(real_cluster, subject)) == before
    await subject.patch(paused=True)
    assert "paused: true" in await asyncio.to_thread(ask)


async def test_nobody_but_the_operator_resumes_what_the_operator_has_paused(
    real_cluster: Cluster, subject: Subject, plane: ControlPlane
) -> None:
    home = {"metadata": {"name": "saferollout-system"}}
    await asyncio.to_thread(plane.kubectl, "create", "namespace", "saferollout-system")
    account = {"metadata": {"name": "saferollout", "namespace": home["metadata"]["name"]}}
    await real_cluster.client.create(SERVICE_ACCOUNTS, account)
    role = ("create", "clusterrolebinding", "guard-test", "--clusterrole=edit")
    await asyncio.to_thread(plane.kubectl, *role, "--serviceaccount=saferollout-system:saferollout")
    await subject.create(1)
    await labelled(real_cluster, subject)
    await noted(real_cluster, subject)
    await subject.patch(paused=True)
    refused = await asyncio.to_thread(rollout, plane, subject, "resume")
    assert refused.returncode
    assert f"kubectl label deployment {NAME} --namespace {subject.namespace}" in refused.stderr
    token = await asyncio.to_thread(plane.service_account_token, "saferollout-system", "saferollout")
    async with Client(plane, token) as operator:
        await operator.patch(DEPLOYMENTS, subject.namespace, NAME, change={"spec": {"paused": None}})
    assert state(await deployment(real_cluster, subject)) == (False, None)
    await asyncio.to_thread(plane.kubectl, "delete", "clusterrolebinding", "guard-test")
    await asyncio.to_thread(plane.kubectl, "delete", "namespace", "saferollout-system", "--wait=false")


async def test_nobody_resumes_what_the_guard_has_paused_but_without_the_label_everybody_may(
    real_cluster: Cluster, subject: Subject, plane: ControlPlane
) -> None:
    await subject.create(1)
    await labelled(real_cluster, subject)
    await subject.patch("v2")
    assert (await asyncio.to_thread(rollout, plane, subject, "resume")).returncode
    where = ("deployment", NAME, "--namespace", subject.namespace)
    await asyncio.to_thread(plane.kubectl, "label", *where, f"{GUARDED_LABEL}-")
    done = await asyncio.to_thread(rollout, plane, subject, "resume")
    assert done.returncode == 0, done.stderr


async def test_users_resume_what_users_have_paused(
    real_cluster: Cluster, subject: Subject, plane: ControlPlane
) -> None:
    await subject.create(1)
    await labelled(real_cluster, subject)
    await asyncio.to_thread(rollout, plane, subject, "pause")
    done = await asyncio.to_thread(rollout, plane, subject, "resume")
    assert done.returncode == 0, done.stderr
