"""A target group in virtual time: what DescribeTargetHealth would say, and when."""

from __future__ import annotations

import time
from typing import Any

import botocore.session
import pytest
from pydantic import ValidationError

from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.elbv2.health import (
    CHECKING,
    DRAINING,
    GROUP_NOT_IN_USE,
    HEALTHY,
    NOT_REGISTERED,
    REGISTERING,
    UNCHECKED,
    ZONE_NOT_IN_USE,
    Address,
    Answer,
    Health,
)
from saferollout.sim.elbv2.target_group import TargetGroup
from saferollout.sim.timeline import Timeline

ONE = Address("10.0.1.1", 80)
TWO = Address("10.0.2.1", 80)


class Rig:
    """A target group, the answers of its targets, and a clock to push."""

    def __init__(self, *, speed: float = 1.0, **config: Any) -> None:
        self.timeline = Timeline(0.0, speed=speed)
        self.answers: dict[Address, Answer] = {}
        self.asked: list[Address] = []
        given = {"name": "web", "kind": "alb", "registration_seconds": 20.0} | config
        checked = TargetGroupConfig.model_validate(given)
        self.group = TargetGroup(self.timeline, checked, self.probe, lambda _: "1a")

    def probe(self, address: Address) -> Answer:
        self.asked.append(address)
        return self.answers.get(address, Answer.OK)

    def health_at(self, when: float, address: Address = ONE) -> Health:
        self.timeline.run_until(when)
        return self.group.health(address)


def test_a_target_is_registering_then_checked_then_healthy_after_as_many_checks_as_the_threshold() -> None:
    rig = Rig(health_check={"interval_seconds": 10, "healthy_threshold": 3})
    rig.group.register(ONE)
    assert rig.health_at(19.9) is REGISTERING
    assert rig.health_at(20.0) is CHECKING
    assert rig.health_at(39.9) is CHECKING
    assert rig.health_at(40.0) is HEALTHY


def test_speed_shortens_registration_checks_and_draining() -> None:
    rig = Rig(speed=10.0, deregistration_delay_seconds=100)
    rig.group.register(ONE)
    assert rig.health_at(3.99) is CHECKING
    assert rig.health_at(4.0) is HEALTHY
    rig.group.deregister(ONE)
    assert rig.health_at(13.9) is DRAINING
    assert rig.health_at(14.0) is NOT_REGISTERED


@pytest.mark.parametrize("answer", [Answer.MISMATCH, Answer.REFUSED, Answer.TIMEOUT])
def test_a_target_that_fails_turns_unhealthy_at_the_threshold_and_comes_back(answer: Answer) -> None:
    rig = Rig(health_check={"interval_seconds": 10, "unhealthy_threshold": 2})
    rig.group.register(ONE)
    assert rig.health_at(40.0) is HEALTHY
    rig.answers[ONE] = answer
    assert rig.health_at(59.9) is HEALTHY
    assert rig.health_at(60.0) is answer.health
    rig.answers[ONE] = Answer.OK
    assert rig.health_at(89.9) is answer.health
    assert rig.health_at(90.0) is HEALTHY


def test_a_target_that_never_answers_is_unhealthy_without_ever_having_been_healthy() -> None:
    rig = Rig()
    rig.answers[ONE] = Answer.TIMEOUT
    seen: list[Health] = []
    rig.group.subscribe(lambda target: seen.append(target.health))
    rig.group.register(ONE)
    rig.timeline.run_until(500)
    assert seen == [REGISTERING, CHECKING, Answer.TIMEOUT.health]


def test_one_failed_check_starts_the_count_to_healthy_again() -> None:
    rig = Rig(health_check={"interval_seconds": 10, "healthy_threshold": 3, "unhealthy_threshold": 2})
    rig.group.register(ONE)
    rig.timeline.run_until(30.0)
    rig.answers[ONE] = Answer.REFUSED
    rig.timeline.run_until(40.0)
    rig.answers[ONE] = Answer.OK
    assert rig.health_at(69.9) is CHECKING
    assert rig.health_at(70.0) is HEALTHY


def test_a_deregistered_target_drains_for_the_whole_delay_and_is_asked_nothing() -> None:
    rig = Rig(deregistration_delay_seconds=120)
    rig.group.register(ONE)
    rig.timeline.run_until(100.0)
    rig.group.deregister(ONE)
    asked = len(rig.asked)
    assert rig.health_at(219.9) is DRAINING
    assert [target.address for target in rig.group.describe()] == [ONE]
    assert rig.group.registered() == []
    assert rig.health_at(220.0) is NOT_REGISTERED
    assert rig.group.describe() == []
    assert len(rig.asked) == asked


def test_registering_a_draining_target_again_starts_from_the_beginning() -> None:
    rig = Rig(deregistration_delay_seconds=120)
    rig.group.register(ONE)
    rig.timeline.run_until(100.0)
    rig.group.deregister(ONE)
    rig.timeline.run_until(110.0)
    rig.group.register(ONE)
    assert rig.health_at(110.0) is REGISTERING
    assert rig.health_at(150.0) is HEALTHY
    assert rig.health_at(400.0) is HEALTHY


def test_registering_twice_and_deregistering_a_stranger_change_nothing() -> None:
    rig = Rig()
    rig.group.register(ONE)
    rig.timeline.run_until(60.0)
    rig.group.register(ONE)
    rig.group.deregister(TWO)
    assert rig.health_at(60.0) is HEALTHY
    assert len(rig.group.describe()) == 1


def test_the_same_address_on_another_port_is_another_target() -> None:
    rig = Rig()
    rig.group.register(ONE)
    other = Address(ONE.id, 81)
    assert rig.health_at(60.0) is HEALTHY
    assert rig.health_at(60.0, other) is NOT_REGISTERED


def test_checks_go_to_the_health_check_port_when_there_is_one() -> None:
    rig = Rig(health_check={"port": 8082})
    rig.group.register(ONE)
    rig.timeline.run_until(60.0)
    assert set(rig.asked) == {Address(ONE.id, 8082)}


def test_without_health_checks_a_registered_target_is_unavailable() -> None:
    rig = Rig(health_check={"enabled": False})
    rig.group.register(ONE)
    assert rig.health_at(60.0) is UNCHECKED
    assert rig.asked == []


def test_targets_are_unused_when_no_load_balancer_uses_the_group_or_their_zone() -> None:
    loose, elsewhere = Rig(attached=False), Rig(zones=["1b"])
    loose.group.register(ONE)
    elsewhere.group.register(ONE)
    assert loose.health_at(60.0) is GROUP_NOT_IN_USE
    assert elsewhere.health_at(60.0) is ZONE_NOT_IN_USE


def test_an_unused_target_leaves_without_draining() -> None:
    rig = Rig(attached=False)
    rig.group.register(ONE)
    rig.group.deregister(ONE)
    assert rig.group.describe() == []


def test_a_stopped_instance_is_unused_at_the_first_check() -> None:
    rig = Rig()
    rig.group.register(ONE)
    rig.timeline.run_until(60.0)
    rig.answers[ONE] = Answer.STOPPED
    assert rig.health_at(70.0) is Answer.STOPPED.health


def test_an_nlb_target_that_fails_drains_as_unhealthy_before_it_is_unhealthy() -> None:
    rig = Rig(kind="nlb", unhealthy_draining_seconds=60)
    rig.group.register(ONE)
    rig.timeline.run_until(100.0)
    rig.answers[ONE] = Answer.REFUSED
    rig.timeline.run_until(130.0)
    assert rig.group.health(ONE).state == "unhealthy.draining"
    assert rig.health_at(200.0) is Answer.REFUSED.health
    rig.answers[ONE] = Answer.OK
    assert rig.health_at(230.0) is HEALTHY


def test_an_nlb_is_slower_than_an_alb_unless_told_otherwise() -> None:
    alb = TargetGroupConfig(name="a", kind="alb")
    nlb = TargetGroupConfig.model_validate({"name": "n", "kind": "nlb"})
    told = TargetGroupConfig.model_validate({"name": "t", "kind": "nlb", "registrationSeconds": 3})
    assert nlb.registration_seconds > alb.registration_seconds
    assert nlb.stray_seconds > alb.stray_seconds
    assert told.registration_seconds == 3
    assert told.stray_seconds == nlb.stray_seconds


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="deregistrationDelay"):
        TargetGroupConfig.model_validate({"name": "a", "kind": "alb", "deregistrationDelay": 3})


def test_every_state_and_reason_is_one_that_botocore_knows() -> None:
    model: Any = botocore.session.get_session().get_service_model("elbv2")
    states = model.shape_for("TargetHealthStateEnum").enum
    reasons = model.shape_for("TargetHealthReasonEnum").enum
    known = [REGISTERING, CHECKING, DRAINING, NOT_REGISTERED, GROUP_NOT_IN_USE, ZONE_NOT_IN_USE, UNCHECKED]
    for health in [*known, *(answer.health for answer in Answer)]:
        assert health.state in states
        assert health.reason in reasons or health is HEALTHY


def test_an_hour_of_thirty_targets_takes_well_under_a_second() -> None:
    rig = Rig()
    for number in range(30):
        rig.group.register(Address(f"10.0.0.{number}", 80))
    began = time.perf_counter()
    rig.timeline.run_until(3600.0)
    assert time.perf_counter() - began < 1.0
