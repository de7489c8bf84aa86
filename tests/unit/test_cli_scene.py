"""How what the API says becomes what is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saferollout.api.status import Status
from saferollout.cli.scene import UNPLACED, Entry, PodState, Scene, Workload, Zone, entry, zones
from saferollout.decide.workload import Deployment, Pod, ReplicaSet, Strategy

DEPLOYMENT = Deployment(
    namespace="shop",
    name="web",
    uid="uid-web",
    resource_version="1",
    generation=2,
    observed_generation=2,
    replicas=2,
    paused=False,
    strategy=Strategy("RollingUpdate"),
    min_ready_seconds=0,
    progress_deadline_seconds=600,
    template="template-2",
)
OLD = ReplicaSet("web-old", "uid-old", "old", "template-1", 1.0, replicas=1, available=1)
NEW = ReplicaSet("web-new", "uid-new", "new", "template-2", 2.0, replicas=1, available=1)


def pod(name: str, owner: str = "uid-old", *, zone: str | None = "a", **more: Any) -> Pod:
    running: dict[str, Any] = {"node": "n1", "ready_since": 10.0, "phase": "Running"}
    return Pod(name, f"uid-{name}", owner, 1.0, zone=zone, **(running | more))


def status(**more: Any) -> Status:
    return Status.model_validate({"revision": {"stable": "old", "target": "new"}} | more)


def states(zone: Zone) -> dict[str, PodState]:
    return {mark.pod: mark.state for mark in zone.marks}


def workload(*pods: Pod) -> Workload:
    return Workload(DEPLOYMENT, (OLD, NEW), pods)


SERVING_2_IN_A = {"zones": [{"name": "a", "serving": 2, "updated": 1, "floor": 1}]}


def test_the_youngest_ready_pods_are_those_that_do_not_serve_yet() -> None:
    pods = (pod("young", "uid-new", ready_since=30.0), pod("old"), pod("middle", ready_since=20.0))
    (zone,) = zones(workload(*pods), status(**SERVING_2_IN_A))
    assert states(zone) == {"young": PodState.READY, "old": PodState.SERVING, "middle": PodState.SERVING}
    assert (zone.name, zone.serving, zone.floor) == ("a", 2, 1)


def test_every_state_of_a_pod_is_told_from_the_others() -> None:
    pods = (
        pod("unscheduled", node=None, zone=None, ready_since=None, phase="Pending"),
        pod("starting", ready_since=None),
        pod("leaving", terminating=True),
        pod("finished", phase="Succeeded"),
    )
    nowhere, a = zones(workload(*pods), status())
    assert (nowhere.name, states(nowhere)) == (UNPLACED, {"unscheduled": PodState.PENDING})
    assert states(a) == {"starting": PodState.STARTING, "leaving": PodState.LEAVING}


def test_pods_of_the_present_template_are_new() -> None:
    (zone,) = zones(workload(pod("old"), pod("new", "uid-new")), status())
    assert {mark.pod: mark.new for mark in zone.marks} == {"old": False, "new": True}


def test_a_pod_that_is_gone_is_shown_until_its_target_has_drained() -> None:
    target = {
        "targetGroup": "web",
        "arn": "arn",
        "id": "10.0.0.1",
        "port": 80,
        "since": "2026-01-01T00:00:00Z",
    }
    draining = [target | {"pod": "gone", "zone": "b"}, target | {"pod": "there", "zone": "a"}]
    a, b = zones(workload(pod("there", terminating=True)), status(draining=draining))
    assert states(a) == {"there": PodState.LEAVING}
    assert states(b) == {"gone": PodState.LEAVING}


def test_a_zone_without_pods_keeps_its_row_and_its_floor() -> None:
    (zone,) = zones(workload(), status(**SERVING_2_IN_A))
    assert (zone.name, zone.marks, zone.floor) == ("a", (), 1)


def test_a_status_about_the_revision_of_the_template_follows_it() -> None:
    assert Workload(DEPLOYMENT, (OLD, NEW)).followed_by(status())


@pytest.mark.parametrize(
    ("workload", "target"),
    [
        (Workload(DEPLOYMENT, (OLD, NEW)), "old"),
        (Workload(DEPLOYMENT, (OLD,)), "old"),
        (Workload(replace(DEPLOYMENT, generation=3), (OLD, NEW)), "new"),
        (Workload(), "new"),
    ],
    ids=["of the template before", "no ReplicaSet yet", "unseen by its controller", "no Deployment"],
)
def test_any_other_status_does_not_follow_the_template(workload: Workload, target: str) -> None:
    assert not workload.followed_by(status(revision={"stable": "old", "target": target}))


def scene(phase: str, *, observed: bool = True, current: bool = True) -> Scene:
    return Scene("shop", "web", "web", status(phase=phase), observed=observed, current=current)


def test_a_rollout_is_done_only_when_the_present_spec_and_template_are_idle() -> None:
    assert scene("Idle").done
    assert not scene("Idle", current=False).done
    assert not scene("Idle", observed=False).done
    assert not scene("Progressing").done


def test_a_rollout_has_failed_when_the_present_spec_is_degraded() -> None:
    assert scene("Degraded", current=False).failed
    assert not scene("Degraded", observed=False).failed
    assert not scene("Holding").failed


def test_events_of_others_are_left_out() -> None:
    raw = {
        "metadata": {"uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "involvedObject": {"kind": "SafeRollout", "name": "web"},
        "type": "Warning",
        "reason": "DrainTimeout",
        "message": "still draining",
        "lastTimestamp": "2026-01-01T00:00:05Z",
    }
    told = Entry("1", 1767225605.0, "SafeRollout", "DrainTimeout", "still draining", warning=True)
    assert entry(raw, {("SafeRollout", "web")}) == told
    assert entry(raw, {("SafeRollout", "other"), ("Deployment", "web")}) is None
