"""Waits: since when, how long they may be, and whether they are over."""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.reasons import Reason
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from unit.decide.given import NOW, acted, draining, rolling, with_states


def waiting_for_health(since: float) -> Observation:
    seen = with_states(rolling(), v2_1="initial")
    memory = replace(seen.memory, reason=Reason.WAITING_FOR_HEALTH, waiting_since=since, failing_since=since)
    return replace(seen, memory=memory)


def test_a_wait_for_health_times_out_and_keeps_its_since() -> None:
    decision = decide(waiting_for_health(NOW - 600.5))
    assert decision.reason is Reason.HEALTH_TIMEOUT
    assert decision.memory.waiting_since == NOW - 600.5
    assert [note.reason for note in decision.notes] == ["HealthTimeout"]


def test_a_wait_for_health_that_is_as_long_as_allowed_has_not_timed_out() -> None:
    assert decide(waiting_for_health(NOW - 600)).reason is Reason.WAITING_FOR_HEALTH


def test_more_time_in_the_spec_makes_a_time_out_a_wait_again_since_the_same_moment() -> None:
    seen = waiting_for_health(NOW - 700)
    late = acted(seen, decide(seen))
    assert late.memory.reason is Reason.HEALTH_TIMEOUT
    decision = decide(replace(late, policy=Policy(health_timeout=900)))
    assert decision.reason is Reason.WAITING_FOR_HEALTH
    assert decision.memory.waiting_since == NOW - 700


def test_a_wait_in_between_does_not_give_new_pods_their_time_again() -> None:
    seen = waiting_for_health(NOW - 700)
    memory = replace(seen.memory, reason=Reason.WAITING_FOR_PODS, waiting_since=NOW - 5)
    assert decide(replace(seen, memory=memory)).reason is Reason.HEALTH_TIMEOUT


def test_what_nobody_knows_is_no_failure() -> None:
    seen = waiting_for_health(NOW - 700)
    stale = replace(seen.target_groups[0], asked_at=NOW - 60)
    assert decide(replace(seen, target_groups=(stale,))).memory.failing_since is None


def test_a_rollout_that_is_held_by_its_user_does_not_fail() -> None:
    seen = waiting_for_health(NOW - 700)
    assert decide(replace(seen, policy=Policy(paused=True))).memory.failing_since is None


def test_pods_that_do_not_come_time_out_as_those_that_do_not_serve() -> None:
    seen = waiting_for_health(NOW - 700)
    refused = replace(seen.replica_sets[1], replicas=2, failure='FailedCreate: exceeded quota: "pods"')
    decision = decide(replace(seen, replica_sets=(seen.replica_sets[0], refused)))
    assert decision.reason is Reason.HEALTH_TIMEOUT
    assert 'replicaset/v2: FailedCreate: exceeded quota: "pods"' in decision.message


def test_a_time_out_is_over_when_the_pods_serve() -> None:
    seen = waiting_for_health(NOW - 700)
    late = acted(seen, decide(seen))
    decision = decide(with_states(late))
    assert decision.reason is Reason.SETTLING
    assert decision.memory.waiting_since == NOW


def test_a_wait_for_draining_times_out_by_the_oldest_target() -> None:
    seen = draining(rolling())
    assert decide(seen).reason is Reason.WAITING_FOR_DRAIN
    decision = decide(replace(seen, policy=Policy(drain_timeout=29)))
    assert decision.reason is Reason.DRAIN_TIMEOUT
    assert decision.memory.waiting_since == NOW


def test_another_reason_is_another_wait() -> None:
    seen = rolling()
    memory = replace(seen.memory, reason=Reason.WAITING_FOR_DRAIN, waiting_since=NOW - 99)
    assert decide(replace(seen, memory=memory)).memory.waiting_since == NOW
