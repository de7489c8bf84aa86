"""What is still draining, and what is only at an address that somebody else has by now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide.answers import Target, TargetState
from saferollout.decide.draining import still_draining, targets_to_drain, unasked, without_survivors
from saferollout.decide.memory import Draining, Memory
from saferollout.decide.observation import Observation, Problem
from saferollout.decide.workload import ContainerPort
from unit.decide.given import GONE, NOW, PORT, fresh, group, pod, pods, rollout_of, with_pod, with_states


def remembering(seen: Observation, *entries: Draining) -> Observation:
    return replace(seen, memory=Memory(draining=entries))


def with_target(seen: Observation, state: TargetState, address: str = "ip-gone") -> Observation:
    """The same with one more target in the first group."""
    first, *others = seen.target_groups
    more = replace(first, targets=(*(first.targets or ()), Target(address, PORT, state)))
    return replace(seen, target_groups=(more, *others))


def with_answers_at(seen: Observation, when: float) -> Observation:
    """The same answers, asked for at that time."""
    return replace(seen, target_groups=tuple(replace(each, asked_at=when) for each in seen.target_groups))


def drains(seen: Observation) -> list[str]:
    return [each.id for each in still_draining(rollout_of(seen))]


@pytest.mark.parametrize("state", [each for each in TargetState if each is not TargetState.UNUSED])
def test_a_target_on_record_drains_until_it_is_unused_whatever_else_it_is_called(state: TargetState) -> None:
    assert drains(with_target(remembering(fresh(), GONE), state)) == ["ip-gone"]


def test_the_target_of_a_pod_that_nobody_saw_go_drains_once_elbv2_has_been_asked_since() -> None:
    seen = fresh()
    went = replace(seen.pods[0], deleted_at=seen.now)
    unseen = replace(seen, pods=seen.pods[1:], vanished=(went,))
    assert drains(unseen) == [went.ip]
    assert [*unasked(rollout_of(unseen))] == [f"web has not been asked since {went.name} began to go"]
    later = replace(with_answers_at(unseen, seen.now + 1), now=seen.now + 2)
    assert drains(later) == [went.ip]
    assert [*unasked(rollout_of(later))] == []


def test_an_unused_target_has_drained() -> None:
    assert drains(with_target(remembering(fresh(), GONE), TargetState.UNUSED)) == []


def test_an_absent_target_has_drained() -> None:
    assert drains(remembering(fresh(), GONE)) == []


def test_since_when_is_kept_from_the_record() -> None:
    seen = with_target(remembering(fresh(), GONE), TargetState.DRAINING)
    assert still_draining(rollout_of(seen)) == (GONE,)


def test_an_address_that_a_live_pod_has_is_that_pods() -> None:
    reused = with_pod(with_target(remembering(fresh(), GONE), TargetState.HEALTHY), "v2-1", ip="ip-gone")
    assert drains(reused) == []


def test_an_address_that_a_pod_of_somebody_else_has_is_that_pods() -> None:
    seen = with_target(remembering(fresh(), GONE), TargetState.DRAINING)
    assert drains(replace(seen, foreign=frozenset({"ip-gone"}))) == []


def test_a_target_of_a_chosen_pod_that_is_still_there_stays_on_record() -> None:
    chosen = Draining("arn-web", "ip-v1-1", PORT, "v1-1", "a", NOW)
    assert drains(remembering(fresh(), chosen)) == ["ip-v1-1"]


def test_a_chosen_pod_that_outlived_the_release_drains_nothing() -> None:
    chosen = Draining("arn-web", "ip-v1-1", PORT, "v1-1", "a", NOW)
    rollout = rollout_of(remembering(fresh(), chosen))
    assert without_survivors((chosen, GONE), rollout) == (GONE,)


def test_a_pod_on_its_way_out_drains_whoever_sent_it() -> None:
    seen = with_pod(fresh(), "v1-2", terminating=True)
    assert [(each.pod, each.zone, each.since) for each in still_draining(rollout_of(seen))] == [
        ("v1-2", "b", NOW)
    ]


def test_a_draining_target_at_an_address_that_nobody_has_is_waited_for_too() -> None:
    seen = with_target(fresh(), TargetState.DRAINING)
    assert [(each.id, each.pod) for each in still_draining(rollout_of(seen))] == [("ip-gone", "")]


def test_a_draining_target_at_an_address_that_nobody_has_is_another_clusters_in_a_shared_group() -> None:
    seen = with_target(fresh(), TargetState.DRAINING)
    (only,) = seen.target_groups
    assert drains(replace(seen, target_groups=(replace(only, shared=True),))) == []


def test_a_stale_registration_that_does_not_drain_is_nobodys_business() -> None:
    assert drains(with_target(fresh(), TargetState.UNHEALTHY)) == []


def test_a_live_pod_whose_own_target_drains_is_not_retired() -> None:
    assert drains(with_states(fresh(), v1_1="draining")) == []


def test_a_group_that_does_not_answer_has_let_go_of_nothing() -> None:
    seen = remembering(fresh(), GONE)
    assert drains(replace(seen, target_groups=(group([], targets=None),))) == ["ip-gone"]


def test_a_group_that_is_in_the_spec_no_more_is_not_waited_for() -> None:
    seen = with_target(remembering(fresh(), GONE), TargetState.DRAINING)
    other = group(seen.pods, name="other")
    assert drains(replace(seen, target_groups=(other,))) == []


def test_another_port_at_the_same_address_is_another_target() -> None:
    seen = remembering(fresh(), replace(GONE, port=9090))
    assert drains(with_target(seen, TargetState.HEALTHY)) == []


def test_the_oldest_comes_first() -> None:
    later = replace(GONE, id="ip-later", since=NOW - 5)
    seen = with_target(
        with_target(remembering(fresh(), later, GONE), TargetState.DRAINING), TargetState.DRAINING, "ip-later"
    )
    assert drains(seen) == ["ip-gone", "ip-later"]


def test_every_target_of_a_pod_that_goes_is_put_on_record_in_every_group() -> None:
    going = replace(pod("v1-1"), ports=(ContainerPort(80), ContainerPort(443)))
    web = group([], targets=tuple(Target("ip-v1-1", port, TargetState.HEALTHY) for port in (80, 443, 9999)))
    secure = group([], name="secure", targets=(Target("ip-v1-1", 443, TargetState.INITIAL),))
    recorded = {(each.target_group, each.port) for each in targets_to_drain([going], [web, secure], NOW)}
    assert recorded == {("arn-web", 80), ("arn-web", 443), ("arn-secure", 443)}


def test_a_target_that_takes_no_requests_needs_no_draining() -> None:
    of = pods("v1", 2)
    recorded = targets_to_drain(of, [group(of, {"v1-1": "unused", "v1-2": "absent"})], NOW)
    assert list(recorded) == []


def test_an_instance_has_nothing_to_drain_when_a_pod_of_it_goes_and_drains_for_reasons_of_its_own() -> None:
    going = replace(pod("v1-1"), instance="i-1", terminating=True)
    nodes = group([], targets=(Target("i-1", 30080, TargetState.HEALTHY),), target_type="instance")
    assert list(targets_to_drain([going], [nodes], NOW)) == []
    leaving = replace(nodes, targets=(Target("i-2", 30080, TargetState.DRAINING),))
    assert drains(replace(fresh(), target_groups=(leaving,))) == []


def test_a_target_is_not_forgotten_when_a_spec_that_cannot_be_read_names_no_group() -> None:
    problem = Problem(Reason.INVALID_SPEC, "spec.step.maxSurge is 3%%")
    seen = replace(remembering(fresh(), GONE), target_groups=(), problems=(problem,))
    assert drains(seen) == ["ip-gone"]
