"""Requests through a load balancer in virtual time: who gets them, which fail, and why."""

from __future__ import annotations

from typing import Any

from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.elbv2.health import Address, Answer
from saferollout.sim.elbv2.load_balancer import (
    ApplicationLoadBalancer,
    LoadBalancer,
    NetworkLoadBalancer,
    Outcome,
)
from saferollout.sim.elbv2.routing import Routing
from saferollout.sim.elbv2.target_group import TargetGroup
from saferollout.sim.timeline import Timeline
from saferollout.sim.traffic import Traffic, TrafficConfig

ZONES = ("a", "b", "c")
A, B, C = (Address(f"10.0.{zone}.1", 80) for zone in (1, 2, 3))
ZONE_OF = {A.id: "a", B.id: "b", C.id: "c", "10.0.1.2": "a"}


class Street:
    """A target group, the load balancer before it, and a load of 50 requests a second."""

    def __init__(self, *, kind: str, dns_ttl: float = 60, speed: float = 1.0, **config: Any) -> None:
        self.dead: set[Address] = set()
        self.timeline = Timeline(0.0, speed=speed)
        given = {"name": "web", "kind": kind, "registration_seconds": 0, "lag_seconds": 0} | config
        self.group = TargetGroup(
            self.timeline, TargetGroupConfig.model_validate(given), self.probe, ZONE_OF.get
        )
        self.balancer = self._balancer(kind)
        load = TrafficConfig(target_group="web", dns_ttl_seconds=dns_ttl)
        self.traffic = Traffic(self.timeline, self.balancer, load)

    def _balancer(self, kind: str) -> LoadBalancer:
        routing = Routing(self.timeline, self.group)
        if kind == "alb":
            return ApplicationLoadBalancer(routing, self.answers)
        cross_zone = self.group.config.cross_zone
        return NetworkLoadBalancer(routing, self.answers, ZONES, cross_zone=cross_zone)

    def probe(self, address: Address) -> Answer:
        return Answer.OK if self.answers(address) else Answer.REFUSED

    def answers(self, address: Address) -> bool:
        return address not in self.dead

    def outcomes(self, since: float, until: float) -> dict[str, int]:
        self.timeline.run_until(until)
        return {str(outcome): count for outcome, count in self.traffic.tally.counts(since, until).items()}


def settled(kind: str, *addresses: Address, **config: Any) -> Street:
    """A street whose targets have been healthy for a while at 200 s."""
    street = Street(kind=kind, **config)
    for address in addresses:
        street.group.register(address)
    street.timeline.run_until(200.0)
    return street


def test_with_healthy_targets_every_request_succeeds_at_the_given_rate() -> None:
    for kind in ("alb", "nlb"):
        assert settled(kind, A, B, C).outcomes(200, 300) == {"ok": 5000}


def test_without_a_target_an_alb_says_503() -> None:
    assert Street(kind="alb").outcomes(1, 10) == {"503-no-target": 450}


def test_with_only_initial_targets_an_alb_says_502_until_one_is_healthy() -> None:
    street = Street(kind="alb", health_check={"interval_seconds": 10, "healthy_threshold": 3})
    street.group.register(A)
    assert street.outcomes(0, 20).keys() == {"502-initial-targets"}
    assert street.outcomes(21, 40) == {"ok": 950}


def test_with_only_unhealthy_targets_an_alb_opens_to_them() -> None:
    street = Street(kind="alb")
    street.dead.add(A)
    street.group.register(A)
    street.timeline.run_until(100.0)
    street.dead.clear()
    assert street.outcomes(101, 105) == {"ok": 200}


def test_a_target_that_died_gets_its_share_of_requests_until_it_is_unhealthy() -> None:
    street = settled("alb", A, B, health_check={"interval_seconds": 10, "unhealthy_threshold": 3})
    street.dead.add(A)
    first = street.outcomes(200, 220)
    assert 400 < first["502-dead-target"] < 600
    assert street.outcomes(240, 300) == {"ok": 3000}


def test_an_alb_sends_strays_to_a_target_for_seconds_after_its_deregistration() -> None:
    street = settled("alb", A, B, stray_seconds=17)
    street.group.deregister(A)
    street.dead.add(A)
    assert 300 < street.outcomes(200, 217)["502-dead-target"] < 550
    assert street.outcomes(218, 260) == {"ok": 2100}


def test_a_stray_does_no_harm_while_the_process_outlives_it() -> None:
    street = settled("alb", A, B, stray_seconds=17)
    street.group.deregister(A)
    street.timeline.run_until(218)
    street.dead.add(A)
    assert street.outcomes(200, 300) == {"ok": 5000}


def test_an_nlb_sends_strays_even_when_the_target_is_gone_from_the_group() -> None:
    street = settled("nlb", A, Address("10.0.1.2", 80), B, stray_seconds=120, deregistration_delay_seconds=60)
    street.group.deregister(A)
    street.dead.add(A)
    street.timeline.run_until(270)
    assert A not in [target.address for target in street.group.describe()]
    assert street.outcomes(270, 320)["reset-dead-target"] > 300
    assert street.outcomes(321, 340) == {"ok": 950}


def test_the_last_target_of_a_zone_takes_cached_clients_with_it_until_their_dns_expires() -> None:
    street = settled("nlb", A, B, C, dns_ttl=60)
    street.group.deregister(A)
    early, late = street.outcomes(200, 215), street.outcomes(245, 260)
    assert early["reset-empty-zone"] > late["reset-empty-zone"] > 0
    assert street.outcomes(260, 300) == {"ok": 2000}


def test_the_data_plane_learns_late_that_a_zone_is_empty() -> None:
    street = settled("nlb", A, B, C, lag_seconds=5)
    street.group.deregister(A)
    assert street.outcomes(200, 205) == {"ok": 250}
    assert street.outcomes(206, 220)["reset-empty-zone"] > 50


def test_a_zone_comes_back_into_dns_with_its_next_healthy_target() -> None:
    street = settled("nlb", A, B, C)
    street.group.deregister(A)
    street.timeline.run_until(300)
    assert street.balancer.resolve() == ("b", "c")
    street.group.register(A)
    street.timeline.run_until(400)
    assert street.balancer.resolve() == ZONES


def test_cross_zone_load_balancing_leaves_no_zone_empty() -> None:
    street = settled("nlb", A, B, C, cross_zone=True)
    street.group.deregister(A)
    assert street.outcomes(200, 300) == {"ok": 5000}


def test_an_nlb_without_any_healthy_target_opens_to_all() -> None:
    street = settled("nlb", A)
    street.dead.add(A)
    street.timeline.run_until(300)
    assert street.balancer.resolve() == ZONES
    outcomes = street.outcomes(300, 330)
    assert outcomes["reset-empty-zone"] > outcomes["reset-dead-target"] > 300


def test_the_same_seed_gives_the_same_failures() -> None:
    def run() -> dict[str, int]:
        street = settled("nlb", A, B, C, dns_ttl=60)
        street.group.deregister(A)
        return street.outcomes(200, 300)

    assert run() == run()


def test_speed_sends_the_same_requests_in_less_time() -> None:
    slow, fast = Street(kind="alb"), Street(kind="alb", speed=10.0)
    assert slow.outcomes(10, 110) == fast.outcomes(1, 11) == {"503-no-target": 5000}


def test_the_summary_names_every_outcome_and_counts_the_seconds_with_failures() -> None:
    street = settled("alb", A)
    street.group.deregister(A)
    street.dead.add(A)
    street.timeline.run_until(202.99)
    summary = street.traffic.tally.summary(since=201)
    assert summary["outcomes"] == {str(outcome): 0 for outcome in Outcome} | {"502-dead-target": 100}
    assert summary["failed"] == summary["total"] == 100
    assert summary["failingSeconds"] == 2
