"""Each gate, open and closed, with the very words it closes with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide import gates
from saferollout.decide.answers import Target, TargetState
from saferollout.decide.decision import Wait
from saferollout.decide.gates import GATES, Gate
from saferollout.decide.memory import Draining
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from saferollout.decide.victims import Plan
from unit.decide.given import (
    NOW,
    PORT,
    edited,
    group,
    pod,
    releasable,
    rolling,
    rollout_of,
    step_of,
    with_pod,
    with_states,
)


def closed(gate: Gate, seen: Observation) -> tuple[Reason, str] | None:
    """What the gate says, ``None`` if it is open."""
    wait = gate(step_of(seen))
    return None if wait is None else (wait.reason, wait.message)


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__)
def test_every_gate_is_open_when_all_is_well(gate: Gate) -> None:
    assert gate(step_of(releasable())) is None


def test_the_first_closed_gate_is_the_one_that_is_named() -> None:
    seen = with_states(edited(releasable(), generation=3), v2_1="initial")
    assert gates.first_closed(step_of(seen)) == gates.settled(step_of(seen))


# --- targets_known


def test_a_group_that_has_not_answered_closes() -> None:
    seen = replace(releasable(), target_groups=(group([], targets=None),))
    assert closed(gates.targets_known, seen) == (Reason.TARGET_HEALTH_STALE, "web has not answered yet")


def test_a_group_that_has_not_answered_says_its_problem() -> None:
    silent = group([], targets=None, problem=Reason.ACCESS_DENIED, detail="not authorized to describe")
    seen = replace(releasable(), target_groups=(silent,))
    assert closed(gates.targets_known, seen) == (Reason.ACCESS_DENIED, "not authorized to describe")


def test_an_answer_that_is_too_old_closes() -> None:
    seen = releasable()
    old = replace(seen.target_groups[0], asked_at=seen.now - 15.1)
    assert closed(gates.targets_known, replace(seen, target_groups=(old,))) == (
        Reason.TARGET_HEALTH_STALE,
        "the last answer about web is older than 15s",
    )


def test_an_old_answer_says_why_there_is_no_newer_one() -> None:
    seen = releasable()
    web = seen.target_groups[0]
    old = replace(web, asked_at=seen.now - 16, problem=Reason.THROTTLED, detail="Rate exceeded")
    assert closed(gates.targets_known, replace(seen, target_groups=(old,))) == (
        Reason.THROTTLED,
        "the last answer about web is older than 15s: Rate exceeded",
    )


def test_a_problem_is_none_of_the_gates_while_the_answer_is_young() -> None:
    seen = releasable()
    tried = replace(seen.target_groups[0], problem=Reason.THROTTLED, detail="Rate exceeded")
    assert closed(gates.targets_known, replace(seen, target_groups=(tried,))) is None


# --- not_shifted


def test_a_zonal_shift_closes_and_says_which_zone() -> None:
    seen = releasable()
    (web,) = seen.target_groups
    away = tuple(replace(target, shifted=target.id == "ip-v1-2") for target in web.targets or ())
    assert closed(gates.not_shifted, replace(seen, target_groups=(replace(web, targets=away),))) == (
        Reason.ZONAL_SHIFT,
        "requests to web are shifted away from b",
    )


# --- settled


def test_a_change_that_the_deployment_controller_has_not_seen_closes() -> None:
    assert closed(gates.settled, edited(releasable(), generation=3)) == (
        Reason.WAITING_FOR_PODS,
        "the Deployment controller has not seen the latest change of the Deployment",
    )


def test_new_pods_that_are_missing_close() -> None:
    seen = releasable()
    without = replace(seen, pods=tuple(each for each in seen.pods if each.name != "v2-1"))
    assert closed(gates.settled, without) == (Reason.WAITING_FOR_PODS, "0 of 1 new pods exist")


def test_old_pods_that_are_not_wanted_any_more_close() -> None:
    seen = releasable()
    more = replace(seen, pods=(*seen.pods, pod("v1-9")))
    assert closed(gates.settled, more) == (Reason.WAITING_FOR_PODS, "4 old pods exist where 3 are wanted")


def test_a_pod_on_its_way_out_exists_no_more() -> None:
    seen = with_pod(releasable(), "v1-1", terminating=True)
    assert closed(gates.settled, seen) == (Reason.WAITING_FOR_PODS, "2 old pods exist where 3 are wanted")


# --- healthy


def test_a_new_pod_that_does_not_serve_closes_and_is_named_with_its_target() -> None:
    assert closed(gates.healthy, with_states(releasable(), v2_1="initial")) == (
        Reason.WAITING_FOR_HEALTH,
        "0 of 1 new pods serve; v2-1: ip-v2-1:8080 is initial in web",
    )


def test_more_than_three_new_pods_that_do_not_serve_are_counted() -> None:
    seen = rolling(8, new=5)
    states = {f"v2_{number}": "unhealthy" for number in range(1, 6)}
    said = closed(gates.healthy, with_states(seen, **states))
    assert said is not None
    assert said[1].startswith("0 of 5 new pods serve; v2-1: ")
    assert said[1].endswith(" and 2 more")


def test_old_pods_are_not_asked_after_by_the_health_gate() -> None:
    assert closed(gates.healthy, with_states(releasable(), v1_1="unhealthy")) is None


def test_a_first_step_has_no_new_pods_to_wait_for() -> None:
    assert closed(gates.healthy, rolling(3, new=0, old=3)) is None


# --- stable


def lasting(seen: Observation, **memory: Any) -> Observation:
    """The same, at ``NOW + 2``, with half a minute of health asked for."""
    policy = replace(seen.policy, stable_for=30.0)
    return replace(seen, policy=policy, memory=replace(seen.memory, **memory))


def test_pods_that_have_served_for_as_long_as_asked_pass() -> None:
    assert closed(gates.stable, lasting(releasable(), serving_since=NOW - 28)) is None


@pytest.mark.parametrize("since", [None, NOW - 27])
def test_pods_that_have_not_served_for_so_long_yet_close(since: float | None) -> None:
    assert closed(gates.stable, lasting(releasable(), serving_since=since)) == (
        Reason.WAITING_FOR_HEALTH,
        "all new pods serve, and are to do so for 30s without a break",
    )


# --- drained


def test_a_target_that_drains_closes_and_is_named() -> None:
    entry = Draining("arn-web", "ip-gone", PORT, "v1-9", "a", NOW - 30)
    step = replace(step_of(releasable()), draining=(entry,))
    assert gates.drained(step) == Wait(Reason.WAITING_FOR_DRAIN, "draining: ip-gone:8080 in web")


def after_the_end(ended_at: float | None, state: TargetState) -> Observation:
    """A retired pod that is gone, and what ELBv2 still lists of it."""
    seen = releasable()
    (web,) = seen.target_groups
    left = Draining("arn-web", "ip-gone", PORT, "v1-9", "a", NOW - 90, ended_at)
    listed = replace(web, targets=(*(web.targets or ()), Target("ip-gone", PORT, state)))
    return replace(seen, target_groups=(listed,), memory=replace(seen.memory, draining=(left,)))


def test_a_target_that_stays_registered_when_its_pod_has_long_ended_is_named() -> None:
    assert closed(gates.drained, after_the_end(NOW - 60, TargetState.HEALTHY)) == (
        Reason.TARGET_STILL_REGISTERED,
        "ip-gone:8080 is healthy in web, although its pod has ended",
    )


@pytest.mark.parametrize(
    ("ended_at", "state"),
    [(NOW - 60, TargetState.DRAINING), (NOW - 10, TargetState.HEALTHY), (None, TargetState.HEALTHY)],
    ids=["that drains", "that has only just lost its pod", "whose pod still runs"],
)
def test_a_target_is_waited_for(ended_at: float | None, state: TargetState) -> None:
    reason, _ = closed(gates.drained, after_the_end(ended_at, state)) or (None, "")
    assert reason is Reason.WAITING_FOR_DRAIN


# --- zones_known


def test_a_serving_pod_of_no_known_zone_closes() -> None:
    assert closed(gates.zones_known, with_pod(releasable(), "v1-2", zone=None)) == (
        Reason.ZONE_UNKNOWN,
        "no zone is known for v1-2: label the nodes with their zone",
    )


def test_a_pod_that_does_not_serve_may_be_anywhere() -> None:
    seen = with_states(with_pod(releasable(), "v1-2", zone=None), v1_2="unhealthy")
    assert closed(gates.zones_known, seen) is None


@pytest.mark.parametrize("nothing", [0, "0%"])
def test_without_floors_no_zone_needs_to_be_known(nothing: int | str) -> None:
    seen = with_pod(releasable(policy=Policy(min_healthy=nothing)), "v1-2", zone=None)
    assert closed(gates.zones_known, seen) is None


# --- zones_kept


def crowded() -> Observation:
    """One old pod is left, the last of its zone: all new ones are in another."""
    seen = releasable(3, new=3, old=1)
    elsewhere = (replace(each, zone="b" if each.owner == "v2" else "a") for each in seen.pods)
    return replace(seen, pods=tuple(elsewhere))


def test_a_zone_that_would_go_below_its_floor_closes() -> None:
    said = closed(gates.zones_kept, crowded())
    assert said is not None
    reason, message = said
    assert reason is Reason.ZONE_FLOOR
    assert message == (
        "a would keep 0 of at least 1 serving pods without v1-1; the scheduler put the new pods elsewhere "
        "(3 in b): give the template topologySpreadConstraints over topology.kubernetes.io/zone with "
        "matchLabelKeys: [pod-template-hash]"
    )


def test_a_zone_may_lose_what_does_not_serve() -> None:
    assert closed(gates.zones_kept, with_states(crowded(), v1_1="unhealthy")) is None


def test_a_zone_below_its_floor_keeps_what_may_serve_by_now() -> None:
    assert closed(gates.zones_kept, with_states(crowded(), v1_1="initial")) == (
        Reason.ZONE_FLOOR,
        "a would keep 0 of at least 1 serving pods without v1-1; v1-1: ip-v1-1:8080 is initial in web",
    )


# --- capacity_kept


def test_a_release_that_would_leave_too_few_serving_closes_and_says_who_does_not() -> None:
    seen = with_states(releasable(), v1_2="unhealthy")
    step = replace(step_of(seen), plan=Plan((rollout_of(seen).old_pods[0],)))
    assert gates.capacity_kept(step) == Wait(
        Reason.CAPACITY_LOW,
        "2 of 3 pods would be left serving; v1-2: ip-v1-2:8080 is unhealthy in web",
    )


def test_whoever_does_not_serve_may_go_however_few_do() -> None:
    assert closed(gates.capacity_kept, with_states(releasable(), v1_2="unhealthy", v1_3="unused")) is None


def test_where_pods_are_missing_one_that_may_serve_by_now_does_not_go() -> None:
    """Its target was initial when ELBv2 was asked: when it is retired it may be healthy, and needed."""
    seen = with_states(releasable(), v1_2="unhealthy", v1_3="initial")
    arriving = replace(step_of(seen), plan=Plan((rollout_of(seen).old_pods[2],)))
    assert gates.capacity_kept(arriving) == Wait(
        Reason.CAPACITY_LOW,
        "2 of 3 pods would be left serving; "
        "v1-2: ip-v1-2:8080 is unhealthy in web, v1-3: ip-v1-3:8080 is initial in web",
    )


def test_where_none_is_missing_one_that_may_serve_by_now_goes_before_those_that_serve() -> None:
    seen = with_states(releasable(), v1_3="initial")
    assert [each.name for each in step_of(seen).plan.victims] == ["v1-3"]
    assert closed(gates.capacity_kept, seen) is None


# --- aged


def test_new_pods_that_are_too_young_to_be_fenced_close_until_they_are_not() -> None:
    seen = with_pod(rolling(), "v2-1", ready_since=NOW - 5.0)
    wait = gates.aged(step_of(seen))
    assert wait == Wait(
        Reason.WAITING_FOR_READY_AGE,
        "new pods must have been Ready for 17s before the next release",
        look_again=12.0,
    )


def test_the_users_own_seconds_count_if_they_are_more() -> None:
    seen = edited(with_pod(rolling(), "v2-1", ready_since=NOW - 20.0), min_ready_seconds=30)
    assert closed(gates.aged, seen) == (
        Reason.WAITING_FOR_READY_AGE,
        "new pods must have been Ready for 32s before the next release",
    )


def test_the_last_release_is_not_fenced_so_only_the_users_seconds_count() -> None:
    seen = with_pod(rolling(3, new=3, old=1), "v2-3", ready_since=NOW - 3.0)
    assert closed(gates.aged, seen) is None


# --- order_settled


def test_costs_that_are_not_written_yet_close() -> None:
    said = gates.order_settled(step_of(rolling()))
    assert said == Wait(Reason.SETTLING, "the controllers learn what goes first: v1-1", look_again=2.0)


def test_costs_that_are_too_fresh_close_for_as_long_as_is_missing() -> None:
    seen = releasable()
    said = gates.order_settled(step_of(replace(seen, now=seen.now - 0.5)))
    assert said is not None
    assert said.look_again == pytest.approx(0.5)


def test_costs_that_somebody_has_taken_away_close() -> None:
    said = closed(gates.order_settled, with_pod(releasable(), "v1-1", deletion_cost=None))
    assert said == (Reason.SETTLING, "the controllers learn what goes first: v1-1")


def test_where_all_pods_of_a_replica_set_go_no_order_has_to_settle() -> None:
    assert closed(gates.order_settled, rolling(3, new=3, old=1)) is None


def test_a_wall_that_the_controllers_have_not_taken_in_closes() -> None:
    seen = releasable(3, new=1, old=2, superseded=1)
    assert closed(gates.order_settled, seen) is None
    late = replace(
        seen, replica_sets=tuple(replace(each, available=each.replicas) for each in seen.replica_sets)
    )
    assert closed(gates.order_settled, late) == (
        Reason.SETTLING,
        "the controllers learn what goes first: v1-1, v3",
    )


# --- all of them


def test_a_release_happens_when_the_last_gate_opens_and_not_before() -> None:
    seen = releasable()
    waiting = replace(seen, target_groups=(group(seen.pods, {"v2-1": "initial"}), *seen.target_groups[1:]))
    assert decide(waiting).change is None
    assert decide(seen).change is not None


def test_an_unknown_target_at_the_address_of_a_new_pod_does_not_open_a_gate() -> None:
    seen = releasable()
    stranger = Target("ip-v2-1", 9999, TargetState.HEALTHY)
    others = tuple(each for each in seen.target_groups[0].targets or () if each.id != "ip-v2-1")
    web = replace(seen.target_groups[0], targets=(*others, stranger))
    assert closed(gates.healthy, replace(seen, target_groups=(web,))) == (
        Reason.WAITING_FOR_HEALTH,
        "0 of 1 new pods serve; v2-1: ip-v2-1 is not registered in web",
    )
