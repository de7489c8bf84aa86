"""The load balancer controller on a store without any other controller: pods are what the test says."""

from __future__ import annotations

from typing import Any

from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.elbv2.health import Address, Answer
from saferollout.sim.elbv2.target_group import TargetGroup
from saferollout.sim.loadbalancer_controller import LoadBalancerController
from saferollout.sim.objects import condition_of
from saferollout.sim.resources import PODS, SERVICES
from saferollout.sim.store import Object, Store
from saferollout.sim.target_group_bindings import TARGET_GROUP_BINDINGS
from saferollout.sim.timeline import Timeline

GATE = "target-health.elbv2.k8s.aws/web"
ONE, TWO = Address("10.0.1.1", 8080), Address("10.0.1.2", 8080)


def pod(name: str, ip: str, *, ready: bool = True, gate: str | None = None) -> Object:
    ready_now = ready and gate is None
    return {
        "metadata": {"namespace": "shop", "name": name, "labels": {"app": "web", "version": name}},
        "spec": {
            "nodeName": "node-1",
            "readinessGates": [{"conditionType": gate}] if gate else [],
            "containers": [{"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}],
        },
        "status": {
            "podIP": ip,
            "conditions": [
                {"type": "ContainersReady", "status": str(ready)},
                {"type": "Ready", "status": str(ready_now)},
            ],
        },
    }


class Namespace:
    """A namespace with a Service ``web`` and a binding of it, and a controller that reacts in 2 seconds."""

    def __init__(self, *, port: int | str = 80, target_port: int | str | None = "http") -> None:
        self.timeline = Timeline(0.0)
        self.store = Store(self.timeline)
        self.store.register(TARGET_GROUP_BINDINGS)
        self.group = self._target_group("web")
        self.other = self._target_group("other")
        self.start_controller()
        entry = {"name": "web", "port": 80} | ({} if target_port is None else {"targetPort": target_port})
        self.create(SERVICES, {"metadata": {"name": "web"}, "spec": self._service_spec(entry)})
        self.create(TARGET_GROUP_BINDINGS, {"metadata": {"name": "web"}, "spec": self._binding_spec(port)})

    def start_controller(self) -> None:
        groups = {group.config.arn: group for group in (self.group, self.other)}
        LoadBalancerController(self.store, self.timeline, groups, lag_seconds=2.0)

    def _target_group(self, name: str) -> TargetGroup:
        config = TargetGroupConfig(name=name, kind="alb")
        return TargetGroup(self.timeline, config, lambda _: Answer.OK, lambda _: None)

    def _service_spec(self, entry: Object) -> Object:
        return {"selector": {"app": "web"}, "ports": [entry]}

    def _binding_spec(self, port: int | str) -> Object:
        return {"targetGroupARN": self.group.config.arn, "serviceRef": {"name": "web", "port": port}}

    def create(self, resource: Any, obj: Object) -> None:
        self.store.create(resource, {**obj, "metadata": {"namespace": "shop", **obj["metadata"]}})

    def run(self, *pods: Object) -> list[Address]:
        for each in pods:
            self.store.create(PODS, each)
        self.timeline.run_until(self.timeline.now + 3)
        return [target.address for target in self.group.registered()]


def test_ready_pods_are_registered_by_address_and_container_port_after_the_lag() -> None:
    shop = Namespace()
    shop.store.create(PODS, pod("one", ONE.id))
    shop.timeline.run_until(1.9)
    assert shop.group.registered() == []
    assert shop.run() == [ONE]


def test_a_controller_that_starts_late_registers_what_it_finds() -> None:
    shop = Namespace()
    shop.run(pod("one", ONE.id))
    shop.group.deregister(ONE)
    shop.start_controller()
    assert shop.run() == [ONE]


def test_the_port_may_be_a_name_or_a_number_on_either_side() -> None:
    assert Namespace(port="web", target_port="http").run(pod("one", ONE.id)) == [ONE]
    assert Namespace(port=80, target_port=8080).run(pod("one", ONE.id)) == [ONE]
    assert Namespace(port=80, target_port=None).run(pod("one", ONE.id)) == [Address(ONE.id, 80)]


def test_a_port_that_nobody_has_registers_nothing() -> None:
    assert Namespace(port="metrics").run(pod("one", ONE.id)) == []
    assert Namespace(target_port="metrics").run(pod("one", ONE.id)) == []


def test_pods_that_are_not_ready_or_not_selected_are_left_out() -> None:
    stranger = pod("stranger", TWO.id)
    stranger["metadata"]["labels"] = {"app": "db"}
    assert Namespace().run(pod("one", ONE.id, ready=False), stranger) == []


def test_a_terminating_pod_is_deregistered_though_it_still_runs() -> None:
    shop = Namespace()
    assert shop.run(pod("one", ONE.id), pod("two", TWO.id)) == [ONE, TWO]
    shop.store.delete(PODS, "shop", "one")
    assert shop.run() == [TWO]
    assert shop.group.health(ONE).state == "draining"


def test_a_pod_that_stops_being_ready_is_deregistered() -> None:
    shop = Namespace()
    assert shop.run(pod("one", ONE.id)) == [ONE]
    shop.store.update_status(PODS, pod("one", ONE.id, ready=False))
    assert shop.run() == []


def test_a_replacement_is_registered_only_after_its_predecessor_was_deregistered() -> None:
    shop = Namespace()
    shop.run(pod("one", ONE.id))
    seen: list[tuple[Address, str]] = []
    shop.group.subscribe(lambda target: seen.append((target.address, str(target.state))))
    shop.store.create(PODS, pod("two", TWO.id))
    shop.store.delete(PODS, "shop", "one")
    shop.timeline.run_until(shop.timeline.now + 2.5)
    assert seen == [(ONE, "draining"), (TWO, "initial")]


def test_the_gate_is_latched_true_once_the_target_is_healthy() -> None:
    shop = Namespace()
    assert shop.run(pod("one", ONE.id, gate=GATE)) == [ONE]
    assert condition_of(shop.store.get(PODS, "shop", "one"), GATE) is None
    shop.timeline.run_until(60)
    gate = condition_of(shop.store.get(PODS, "shop", "one"), GATE)
    assert gate is not None
    assert gate["status"] == "True"
    shop.group.deregister(ONE)
    shop.timeline.run_until(120)
    assert condition_of(shop.store.get(PODS, "shop", "one"), GATE) == gate


def test_a_gate_that_names_another_binding_keeps_the_pod_out() -> None:
    assert Namespace().run(pod("one", ONE.id, gate="target-health.elbv2.k8s.aws/elsewhere")) == []


def test_without_its_service_or_its_binding_a_target_group_is_emptied() -> None:
    for resource in (SERVICES, TARGET_GROUP_BINDINGS):
        shop = Namespace()
        assert shop.run(pod("one", ONE.id)) == [ONE]
        shop.store.delete(resource, "shop", "web")
        assert shop.run() == []


def test_a_binding_that_moves_to_another_target_group_takes_its_pods_along() -> None:
    shop = Namespace()
    assert shop.run(pod("one", ONE.id)) == [ONE]

    def move(binding: Object) -> None:
        binding["spec"]["targetGroupARN"] = shop.other.config.arn

    shop.store.patch(TARGET_GROUP_BINDINGS, "shop", "web", move)
    assert shop.run() == []
    assert [target.address for target in shop.other.registered()] == [ONE]


def test_a_binding_of_an_unknown_target_group_harms_nobody() -> None:
    shop = Namespace()
    spec = {"targetGroupARN": "arn:unknown", "serviceRef": {"name": "web", "port": 80}}
    shop.create(TARGET_GROUP_BINDINGS, {"metadata": {"name": "lost"}, "spec": spec})
    assert shop.run(pod("one", ONE.id)) == [ONE]
