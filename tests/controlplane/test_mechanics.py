"""How the released controllers behave where the design depends on it. No operator takes part."""

from __future__ import annotations

import asyncio
import time

import pytest

from controlplane.subject import Subject, is_ready
from saferollout.sim.errors import ApiError
from saferollout.sim.objects import condition_of
from saferollout.sim.timestamps import seconds
from saferollout.sim.workload import READY

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

COST = "controller.kubernetes.io/pod-deletion-cost"
LARGE = 500
"""Seconds of a fence that is not reached in any test, and less than the default progress deadline of 600."""


async def ready_for(subject: Subject, tag: str, age: float) -> int:
    """Wait until every pod of a template has been Ready for that many seconds; return how many it now is."""
    conditions = [condition_of(each, "Ready") for each in subject.pods(tag)]
    youngest = max(seconds(each["lastTransitionTime"]) for each in conditions if each)
    await asyncio.sleep(max(0.0, youngest + age - time.time()))
    return int(time.time() - youngest)


async def test_a_paused_deployment_keeps_what_replicas_and_surge_allow(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 5, "v2": 2})
    await subject.stays(3)


async def test_a_paused_deployment_puts_the_old_pod_back_when_one_is_missing(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 5, "v2": 2})
    await subject.resize("v1", 4)
    await subject.until(lambda: {"v1": 4, "v2": 2} in subject.history)
    await subject.becomes({"v1": 5, "v2": 2})


async def test_a_larger_surge_while_paused_goes_to_the_largest_replica_set(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 5, "v2": 2})
    await subject.patch(strategy={"rollingUpdate": {"maxSurge": 2}})
    await subject.becomes({"v1": 6, "v2": 2})
    await subject.stays(1)


async def test_scaling_up_half_way_creates_old_pods_too(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 4, "v2": 3})
    await subject.patch(replicas=9)
    await subject.becomes({"v1": 6, "v2": 4})
    await subject.stays(1)


async def test_a_saturated_new_replica_set_retires_the_last_old_pods_although_paused(
    subject: Subject,
) -> None:
    await subject.create(2)
    await subject.patch("v2")
    await subject.until(lambda: subject.sizes == {"v1": 1, "v2": 2})
    await subject.patch(paused=True)
    await subject.becomes({"v2": 2})


async def test_going_back_with_all_old_pods_there_retires_the_new_one_although_paused(
    subject: Subject,
) -> None:
    await subject.create(3)
    await subject.patch("v2")
    await subject.pause_at({"v1": 3, "v2": 1})
    await subject.patch("v1")
    await subject.becomes({"v1": 3})


async def test_a_new_template_while_paused_makes_no_replica_set(subject: Subject) -> None:
    await subject.create(1)
    await subject.patch(paused=True)
    await subject.patch("v2")
    await subject.stays(2)
    with pytest.raises(KeyError):
        subject.replica_set("v2")


async def test_without_a_fence_a_release_of_six_seconds_is_several_steps(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 6, "v2": 1})
    await subject.patch(paused=False)
    await asyncio.sleep(6)
    assert subject.sizes.get("v1", 0) < 4


async def test_a_fence_in_the_releasing_patch_makes_it_exactly_one_step(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 6, "v2": 1})
    age = await ready_for(subject, "v2", 8)
    before = len(subject.history)
    await subject.patch(paused=False, minReadySeconds=age - 1)
    await asyncio.sleep(6)
    assert subject.history[before:] == [{"v1": 5, "v2": 1}, {"v1": 5, "v2": 2}]
    assert len(subject.ready("v2")) == 2


async def test_a_large_fence_in_the_releasing_patch_holds_the_only_old_pod(subject: Subject) -> None:
    await subject.create(1)
    await subject.patch("v2", minReadySeconds=LARGE)
    await subject.becomes({"v1": 1, "v2": 1})
    await subject.stays(4)


async def test_lifting_the_fence_while_paused_is_the_last_release(subject: Subject) -> None:
    await subject.create(1)
    await subject.patch("v2", minReadySeconds=LARGE)
    await subject.pause_at({"v1": 1, "v2": 1})
    await subject.stays(2)
    await subject.patch(minReadySeconds=0)
    await subject.becomes({"v2": 1})


async def test_a_fence_set_with_the_pause_holds_the_last_batch(subject: Subject) -> None:
    await subject.create(2)
    await subject.patch("v2")
    await subject.until(lambda: subject.sizes == {"v1": 1, "v2": 2})
    await subject.patch(paused=True, minReadySeconds=LARGE)
    await subject.becomes({"v1": 1, "v2": 2})
    await subject.stays(4)


async def test_a_fence_is_shorter_by_the_fraction_of_the_second_in_which_the_pod_became_ready(
    subject: Subject,
) -> None:
    await subject.create(1)
    (pod,) = subject.ready("v1")
    await subject.annotate(pod, READY, "never")
    await subject.patch(minReadySeconds=4)
    await subject.until(lambda: not subject.available)
    await asyncio.sleep(1.7 - time.time() % 1)
    await subject.annotate(pod, READY, "always")
    await subject.until(lambda: subject.ready("v1") == {pod})
    since = time.time()
    await subject.until(lambda: subject.available == 1)
    assert time.time() - since < 4


async def test_a_fence_as_long_as_the_progress_deadline_is_refused(subject: Subject) -> None:
    await subject.create(1)
    with pytest.raises(ApiError, match="must be greater than minReadySeconds"):
        await subject.patch(minReadySeconds=600)


async def test_only_the_newest_replica_set_is_given_the_fence(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 6, "v2": 1})
    await subject.patch(minReadySeconds=LARGE)
    await subject.until(lambda: subject.replica_set("v2")["spec"].get("minReadySeconds") == LARGE)
    assert "minReadySeconds" not in subject.replica_set("v1")["spec"]


async def test_deletion_costs_choose_the_pods_of_one_replica_set_that_go(subject: Subject) -> None:
    await subject.create(6, surge=3)
    victims = sorted(subject.ready("v1"))[::2]
    for pod in victims:
        await subject.annotate(pod, COST, "-1000")
    await subject.patch("v2")
    await subject.pause_at({"v1": 3, "v2": 6})
    assert not subject.ready("v1") & set(victims)


async def test_a_pod_that_is_not_ready_goes_before_any_cost(subject: Subject) -> None:
    await subject.create(3)
    unready, cheap, _ = sorted(subject.ready("v1"))
    await subject.annotate(cheap, COST, "-1000")
    await subject.annotate(unready, READY, "never")
    await subject.until(lambda: subject.counted("v1") == 2)
    await subject.patch(replicas=2)
    await subject.until(lambda: len(subject.pods("v1")) == 2)
    assert all(is_ready(each) for each in subject.pods("v1"))
    assert cheap in subject.ready("v1")


async def test_without_surge_a_release_takes_one_old_pod_and_adds_one_new(subject: Subject) -> None:
    await subject.create(3, surge=0, unavailable=1)
    await subject.patch("v2")
    await subject.pause_at({"v1": 2, "v2": 1})
    await subject.stays(2)
    assert subject.history[-2:] == [{"v1": 2}, {"v1": 2, "v2": 1}]


async def test_a_fence_left_on_a_superseded_replica_set_makes_its_pods_go_first(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 4, "v2": 3})
    await subject.patch(minReadySeconds=LARGE)
    await subject.until(lambda: subject.available == 4)
    await subject.patch("v3", paused=False, minReadySeconds=0)
    await subject.until(lambda: "v2" not in subject.sizes)
    assert subject.sizes["v1"] == 4


async def test_without_a_fence_the_oldest_replica_set_shrinks_first(subject: Subject) -> None:
    await subject.create(6)
    await subject.patch("v2")
    await subject.pause_at({"v1": 4, "v2": 3})
    await subject.patch("v3", paused=False)
    await subject.until(lambda: "v1" not in subject.sizes)
    assert subject.sizes["v2"] == 3
