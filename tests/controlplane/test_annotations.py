"""Where the annotations of a Deployment go, and from where they come back."""

from __future__ import annotations

import pytest

from controlplane.cluster import Cluster
from controlplane.plane import ControlPlane
from controlplane.subject import NAME, Subject
from saferollout.sim.objects import annotations_of
from saferollout.sim.resources import DEPLOYMENTS

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

NOTE = "example.com/note"


async def note(cluster: Cluster, subject: Subject, text: str | None) -> None:
    """Write a note on the Deployment, or take it off."""
    change = {"metadata": {"annotations": {NOTE: text}}}
    await cluster.client.patch(DEPLOYMENTS, subject.namespace, NAME, change=change)


async def noted(cluster: Cluster, subject: Subject) -> str | None:
    """Return the note on the Deployment."""
    return annotations_of(await cluster.client.get(DEPLOYMENTS, subject.namespace, NAME)).get(NOTE)


async def test_an_annotation_is_copied_to_the_newest_replica_set_while_paused_and_stays_there(
    real_cluster: Cluster, subject: Subject
) -> None:
    await subject.create(2)
    await subject.patch("v2")
    await subject.pause_at({"v1": 2, "v2": 1})
    await note(real_cluster, subject, "of this rollout")
    await subject.until(lambda: NOTE in annotations_of(subject.replica_set("v2")))
    assert NOTE not in annotations_of(subject.replica_set("v1"))
    await note(real_cluster, subject, None)
    await subject.patch(paused=False)
    await subject.becomes({"v2": 2})
    assert annotations_of(subject.replica_set("v2"))[NOTE] == "of this rollout"


async def test_an_annotation_of_a_deployment_is_a_new_generation_of_it(
    real_cluster: Cluster, subject: Subject
) -> None:
    async def generation() -> int:
        stored = await real_cluster.client.get(DEPLOYMENTS, subject.namespace, NAME)
        return int(stored["metadata"]["generation"])

    await subject.create(1)
    before = await generation()
    await note(real_cluster, subject, "of any rollout")
    assert await generation() == before + 1


async def test_undoing_a_rollout_brings_back_an_annotation_that_was_taken_off(
    real_cluster: Cluster, subject: Subject, plane: ControlPlane
) -> None:
    await subject.create(1)
    await note(real_cluster, subject, "of the first rollout")
    await subject.until(lambda: NOTE in annotations_of(subject.replica_set("v1")))
    await note(real_cluster, subject, None)
    await subject.patch("v2")
    await subject.becomes({"v2": 1})
    assert await noted(real_cluster, subject) is None
    undone = plane.kubectl("rollout", "undo", f"deployment/{NAME}", "--namespace", subject.namespace)
    assert undone.returncode == 0, undone.stderr
    assert await noted(real_cluster, subject) == "of the first rollout"


async def test_undoing_a_rollout_takes_off_an_annotation_that_the_old_revision_never_had(
    real_cluster: Cluster, subject: Subject, plane: ControlPlane
) -> None:
    await subject.create(1)
    await subject.patch("v2")
    await subject.becomes({"v2": 1})
    await note(real_cluster, subject, "of the second rollout")
    undone = plane.kubectl("rollout", "undo", f"deployment/{NAME}", "--namespace", subject.namespace)
    assert undone.returncode == 0, undone.stderr
    assert await noted(real_cluster, subject) is None


async def test_a_paused_deployment_cannot_be_undone(subject: Subject, plane: ControlPlane) -> None:
    await subject.create(1)
    await subject.patch("v2")
    await subject.becomes({"v2": 1})
    await subject.patch(paused=True)
    undone = plane.kubectl("rollout", "undo", f"deployment/{NAME}", "--namespace", subject.namespace)
    assert undone.returncode != 0
    assert "you cannot rollback a paused deployment" in undone.stderr
