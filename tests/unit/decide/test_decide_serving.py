"""Who serves, and what is said of who does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferollout.decide.answers import Target, TargetGroup, TargetState
from saferollout.decide.serving import who_serves
from saferollout.decide.workload import ContainerPort, Pod
from unit.decide.given import NOW, PORT, group, pod

POD = pod("v1-1")


def why_not(found: Pod, *groups: TargetGroup) -> str | None:
    return who_serves([found], groups).why_not.get(found.name)


def test_a_pod_serves_when_it_is_ready_and_healthy_in_every_group() -> None:
    serving = who_serves([POD], [group([POD]), group([POD], name="secure")])
    assert serving.pods == (POD,)
    assert serving.why_not == {}


def test_a_pod_that_is_not_ready_does_not_serve_whatever_its_target_says() -> None:
    waiting = replace(POD, ready_since=None, phase="Pending")
    assert why_not(waiting, group([waiting])) == "not Ready (Pending)"


@pytest.mark.parametrize("state", [each for each in TargetState if each is not TargetState.HEALTHY])
def test_only_healthy_is_healthy(state: TargetState) -> None:
    assert why_not(POD, group([POD], {"v1-1": state})) == f"ip-v1-1:8080 is {state} in web"


def arrives(found: Pod, *groups: TargetGroup) -> bool:
    return found.name in who_serves([found], groups).arriving


def test_a_pod_that_elbv2_was_still_to_check_may_serve_by_now() -> None:
    assert arrives(POD, group([POD], {"v1-1": "initial"}))
    assert arrives(POD, group([POD]), group([POD], {"v1-1": "initial"}, name="secure"))


def test_a_pod_that_was_not_ready_yet_when_elbv2_was_asked_may_serve_by_now() -> None:
    assert arrives(replace(POD, ready_since=NOW), group([POD], {"v1-1": "unused"}, asked_at=NOW - 1))


def test_a_pod_that_nobody_has_registered_may_serve_by_now_while_it_is_young() -> None:
    assert arrives(replace(POD, ready_since=NOW - 59), group([]))
    assert not arrives(replace(POD, ready_since=NOW - 60), group([]))


@pytest.mark.parametrize(
    "state", [each for each in TargetState if each not in {TargetState.HEALTHY, TargetState.INITIAL}]
)
def test_a_pod_that_one_group_knows_to_fail_does_not_serve_by_now(state: TargetState) -> None:
    assert not arrives(POD, group([POD], {"v1-1": state}))
    assert not arrives(POD, group([POD], {"v1-1": "initial"}), group([POD], {"v1-1": state}, name="secure"))


def test_a_pod_that_serves_or_is_not_ready_or_of_which_nothing_is_known_is_not_arriving() -> None:
    assert not arrives(POD, group([POD]))
    assert not arrives(replace(POD, ready_since=None), group([POD], {"v1-1": "initial"}))
    assert not arrives(POD, group([], targets=None))


def test_the_reason_of_elbv2_is_passed_on() -> None:
    target = Target("ip-v1-1", PORT, TargetState.INITIAL, reason="Elb.RegistrationInProgress")
    said = why_not(POD, group([], targets=(target,)))
    assert said == "ip-v1-1:8080 is initial in web (Elb.RegistrationInProgress)"


def test_a_pod_that_one_of_two_groups_does_not_know_does_not_serve() -> None:
    assert why_not(POD, group([POD]), group([], name="secure")) == "ip-v1-1 is not registered in secure"


def test_a_group_that_has_not_answered_vouches_for_nobody() -> None:
    assert why_not(POD, group([], targets=None)) == "web has not answered"


def test_an_answer_from_before_the_pod_was_ready_is_about_whoever_had_the_address() -> None:
    earlier = group([POD], asked_at=(POD.ready_since or 0) - 1)
    assert why_not(POD, earlier) == "web has not been asked since it became Ready"


def test_a_target_at_a_port_that_the_pod_does_not_have_is_not_its() -> None:
    assert (
        why_not(replace(POD, ports=(ContainerPort(9090),)), group([POD]))
        == "ip-v1-1 is not registered in web"
    )


def test_a_pod_that_declares_no_port_is_known_by_its_address() -> None:
    assert why_not(replace(POD, ports=()), group([POD])) is None


def test_a_pod_with_two_targets_in_a_group_serves_when_both_are_healthy() -> None:
    found = replace(POD, ports=(ContainerPort(80), ContainerPort(443)))
    both = tuple(Target("ip-v1-1", port, TargetState.HEALTHY) for port in (80, 443))
    half = (both[0], replace(both[1], state=TargetState.INITIAL))
    assert why_not(found, group([], targets=both)) is None
    assert why_not(found, group([], targets=half)) == "ip-v1-1:443 is initial in web"


def test_reasons_come_in_order_of_names_and_only_of_those_asked_for() -> None:
    pods = [pod("v1-2"), pod("v1-1"), pod("v1-3")]
    serving = who_serves(pods, [group(pods, {"v1-1": "initial", "v1-2": "unused", "v1-3": "initial"})])
    assert serving.reasons(pods[:2]) == [
        "v1-1: ip-v1-1:8080 is initial in web",
        "v1-2: ip-v1-2:8080 is unused in web",
    ]
    assert serving.count(pods) == 0


def test_the_moment_an_answer_is_asked_for_is_soon_enough() -> None:
    assert why_not(replace(POD, ready_since=NOW), group([POD], asked_at=NOW)) is None


def test_a_port_given_by_its_name_is_looked_up_in_each_pod() -> None:
    old = replace(POD, ports=(ContainerPort(PORT, "http"), ContainerPort(9090, "metrics")))
    targets = (
        Target(POD.ip or "", PORT, TargetState.HEALTHY),
        Target(POD.ip or "", 9090, TargetState.INITIAL),
    )
    assert why_not(old, group([], targets=targets, ports=("http",))) is None
    assert why_not(old, group([], targets=targets, ports=("metrics",))) == "ip-v1-1:9090 is initial in web"
    assert why_not(old, group([], targets=targets, ports=("grpc",))) == "ip-v1-1 is not registered in web"


def test_a_port_given_by_its_number_need_not_be_declared() -> None:
    assert why_not(replace(POD, ports=()), group([POD], ports=(PORT,))) is None
    assert why_not(replace(POD, ports=()), group([POD], ports=(PORT + 1,))) is not None


def on_nodes(*targets: Target, ports: tuple[int | str, ...] = (30080,)) -> TargetGroup:
    return group([], targets=targets, target_type="instance", ports=ports)


HOUSED = replace(POD, node="one", instance="i-1")


def test_a_pod_behind_instances_serves_when_its_node_is_healthy_on_the_node_port() -> None:
    theirs = Target("i-2", 30080, TargetState.UNHEALTHY)
    other_port = Target("i-1", 30090, TargetState.UNHEALTHY)
    mine = Target("i-1", 30080, TargetState.HEALTHY)
    assert why_not(HOUSED, on_nodes(mine, theirs, other_port)) is None
    sick = replace(mine, state=TargetState.UNHEALTHY)
    assert why_not(HOUSED, on_nodes(sick)) == "i-1:30080 is unhealthy in web"


def test_a_node_whose_port_nobody_told_is_healthy_on_all_that_are_registered() -> None:
    one, two = Target("i-1", 30080, TargetState.HEALTHY), Target("i-1", 30090, TargetState.INITIAL)
    assert why_not(HOUSED, on_nodes(one, ports=())) is None
    assert why_not(HOUSED, on_nodes(one, two, ports=())) == "i-1:30090 is initial in web"


def test_a_pod_on_a_node_that_is_no_instance_does_not_serve_behind_instances() -> None:
    elsewhere = Target("i-2", 30080, TargetState.HEALTHY)
    said = why_not(replace(HOUSED, instance=None), on_nodes(elsewhere))
    assert said == "its Node one (no instance) is not registered in web"
