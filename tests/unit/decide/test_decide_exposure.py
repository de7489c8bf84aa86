"""How long targets outlive their pods, and what is to be done about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saferollout.decide import exposure
from saferollout.decide.memory import Draining, Exposure, Memory
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.workload import Leave
from unit.decide.given import NOW, PORT, at_rest, fresh, pod, replica_set, rollout_of

GOING = Draining("arn-web", "ip-v1-9", PORT, "v1-9", "a", NOW - 60)
ENDED = replace(GOING, ended_at=NOW - 23)


def rolling_out(*entries: Draining, **memory: Any) -> Observation:
    return replace(fresh(), memory=Memory(started_at=NOW - 100, draining=entries, **memory))


def after(seen: Observation, *left: Draining) -> Exposure:
    return exposure.after(seen.memory, left, rollout_of(seen))


def test_the_end_of_a_pod_that_is_there_is_what_its_containers_say() -> None:
    seen = rolling_out(GOING)
    here = replace(seen, pods=(*seen.pods, pod("v1-9", terminating=True, ended_at=NOW - 5)))
    assert exposure.with_ends([GOING], rollout_of(here)) == (replace(GOING, ended_at=NOW - 5),)


def test_a_pod_whose_containers_run_has_not_ended() -> None:
    seen = rolling_out(GOING)
    here = replace(seen, pods=(*seen.pods, pod("v1-9", terminating=True)))
    assert exposure.with_ends([GOING], rollout_of(here)) == (GOING,)


def test_a_pod_that_is_gone_has_ended_at_the_latest_now() -> None:
    assert exposure.with_ends([GOING], rollout_of(rolling_out(GOING))) == (replace(GOING, ended_at=NOW),)


def test_an_end_that_is_known_stays() -> None:
    assert exposure.with_ends([ENDED], rollout_of(rolling_out(ENDED))) == (ENDED,)


def test_a_pod_is_counted_when_its_target_is_let_go_of() -> None:
    assert after(rolling_out(ENDED), ENDED) == Exposure()
    assert after(rolling_out(ENDED)) == Exposure(1, 23, 23)


def test_a_pod_in_two_target_groups_is_counted_once_when_both_have_let_go() -> None:
    secure = replace(ENDED, target_group="arn-secure")
    assert after(rolling_out(ENDED, secure), secure) == Exposure()
    assert after(rolling_out(ENDED, secure)) == Exposure(1, 23, 23)


def test_pods_are_summed_and_the_worst_is_kept() -> None:
    other = replace(ENDED, id="ip-v1-8", pod="v1-8", ended_at=NOW - 3)
    assert after(rolling_out(other, exposure=Exposure(2, 30, 20))) == Exposure(3, 33, 20)


def test_a_pod_that_outlived_its_target_was_not_exposed() -> None:
    assert after(rolling_out(GOING)) == Exposure(1, 0, 0)


def test_a_pod_whose_containers_still_run_when_its_target_is_let_go_of_was_not_exposed() -> None:
    seen = rolling_out(GOING)
    here = replace(seen, pods=(*seen.pods, pod("v1-9", terminating=True)))
    assert after(here) == Exposure(1, 0, 0)


def test_a_chosen_pod_that_stayed_is_not_counted() -> None:
    stayed = replace(GOING, id="ip-v1-1", pod="v1-1")
    assert after(rolling_out(stayed)) == Exposure()


def test_a_new_rollout_begins_at_nothing_and_one_that_has_ended_keeps_what_it_had() -> None:
    had = Memory(exposure=Exposure(3, 30, 20))
    assert after(replace(fresh(), memory=had)) == Exposure()
    assert after(replace(at_rest(), memory=had)) == Exposure(3, 30, 20)


def advice(worst: int, leave: Leave, retired: Leave) -> list[str]:
    seen = at_rest()
    assert seen.deployment is not None
    seen = replace(
        seen,
        deployment=replace(seen.deployment, leave=leave),
        replica_sets=(*seen.replica_sets, replica_set("v1", 0, leave=retired)),
        memory=Memory(stable="v1", target="v2", started_at=NOW - 100, exposure=Exposure(3, 30, worst)),
    )
    return [note.message for note in decide(seen).notes if note.reason == "PodsExposed"]


def test_the_advice_names_what_there_is_and_what_is_needed_with_some_to_spare() -> None:
    (told,) = advice(23, Leave(10, 30), Leave(10, 30))
    assert told == (
        "load balancers could still send to retired pods whose containers had ended, for 23s at the most:"
        " raise the template's preStop from 10s to 40s, and terminationGracePeriodSeconds from 30 to 60"
    )


@pytest.mark.parametrize(
    ("worst", "leave"),
    [(0, Leave(10, 30)), (23, Leave(40, 60))],
    ids=["no exposure", "a template that has it"],
)
def test_no_advice_is_given_when_none_is_needed(worst: int, leave: Leave) -> None:
    assert advice(worst, leave, Leave(10, 30)) == []
