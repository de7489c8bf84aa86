"""A whole simulated site: cluster, load balancers and the people who use them, wired together."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import yaml
from pydantic import Field, model_validator

from saferollout.sim.cloudwatch.alarms import SimulatedAlarms
from saferollout.sim.controllers import Controllers
from saferollout.sim.controllers.placement import ZONE
from saferollout.sim.elbv2.config import Config, TargetGroupConfig
from saferollout.sim.elbv2.health import Address, Answer
from saferollout.sim.elbv2.load_balancer import ApplicationLoadBalancer, LoadBalancer, NetworkLoadBalancer
from saferollout.sim.elbv2.routing import Routing
from saferollout.sim.elbv2.target_group import Probe, TargetGroup
from saferollout.sim.kubelet import Kubelet
from saferollout.sim.loadbalancer_controller import LoadBalancerController
from saferollout.sim.node_ports import NodePorts
from saferollout.sim.nodes import new_node
from saferollout.sim.objects import labels_of
from saferollout.sim.outages import Outages
from saferollout.sim.resources import CUSTOM_RESOURCE_DEFINITIONS, NODES, PODS
from saferollout.sim.store import Object, Store
from saferollout.sim.target_group_bindings import DEFINITION, TARGET_GROUP_BINDINGS
from saferollout.sim.timeline import Timeline
from saferollout.sim.traffic import Traffic, TrafficConfig


class WorldConfig(Config):
    """What a world consists of, as written in YAML.

    ``speed`` shortens the simulation's own durations. ``controller_lag_seconds`` is how long the load
    balancer controller takes to react. There is at most one load for each target group.
    """

    speed: float = Field(default=1.0, gt=0)
    seed: int = 0
    zones: tuple[str, ...] = Field(default=("us-east-1a", "us-east-1b", "us-east-1c"), min_length=1)
    nodes_per_zone: int = Field(default=2, ge=1)
    pods_per_node: int = Field(default=110, ge=1)
    controller_lag_seconds: float = Field(default=1.0, ge=0)
    target_groups: tuple[TargetGroupConfig, ...] = ()
    traffic: tuple[TrafficConfig, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [group.name for group in self.target_groups]
        loads = [load.target_group for load in self.traffic]
        if len(set(names)) < len(names):
            raise ValueError("two target groups have the same name")
        if len(set(loads)) < len(loads):
            raise ValueError("two loads are on the same target group")
        if unknown := set(loads) - set(names):
            raise ValueError(f"there is no target group {', '.join(sorted(unknown))}")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no YAML, or says something that is not understood.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text()) or {})
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is not YAML: {error}") from error


class Site:
    """What is around a cluster: kubelets, load balancers and their users. ``store`` shows the cluster.

    It lives as the ``timeline`` of the store does. ``groups`` are the target groups by ARN, ``traffic`` the
    loads by target group name, ``alarms`` those of CloudWatch.
    """

    def __init__(self, config: WorldConfig, store: Store) -> None:
        self.config = config
        self.store = store
        self.timeline = store.timeline
        self.kubelet = Kubelet(self.store, self.timeline)
        self.node_ports = NodePorts(self.store)
        self.outages = Outages(self.store, self.timeline, self.kubelet)
        self.alarms = SimulatedAlarms(self.timeline)
        self.groups: dict[str, TargetGroup] = {}
        self.traffic: dict[str, Traffic] = {}
        loads = {load.target_group: load for load in config.traffic}
        for each in config.target_groups:
            group = TargetGroup(self.timeline, each, self._probe(each), self._zone_of)
            self.groups[each.arn] = group
            balancer = self._load_balancer(group)
            if load := loads.get(each.name):
                self.traffic[each.name] = Traffic(self.timeline, balancer, load)
        LoadBalancerController(
            self.store, self.timeline, self.groups, lag_seconds=config.controller_lag_seconds
        )

    def _load_balancer(self, group: TargetGroup) -> LoadBalancer:
        config, routing = group.config, Routing(self.timeline, group)
        if config.kind == "alb":
            return ApplicationLoadBalancer(routing, self._answers)
        zones = config.zones or self.config.zones
        return NetworkLoadBalancer(routing, self._answers, zones, cross_zone=config.cross_zone)

    def _answers(self, address: Address) -> bool:
        pod = self._behind(address)
        return pod is not None and self.kubelet.serves(*pod)

    def _behind(self, address: Address) -> Address | None:
        """The pod's address that a target leads to: itself, unless it is an instance."""
        return self.node_ports.leads_to(address) if address.id.startswith("i-") else address

    def _probe(self, config: TargetGroupConfig) -> Probe:
        return self._connect if config.check_protocol == "TCP" else self._get

    def _connect(self, address: Address) -> Answer:
        """A TCP health check: any process that takes the connection passes."""
        pod = self._behind(address)
        if pod is not None and self.kubelet.serves(*pod):
            return Answer.OK
        return Answer.TIMEOUT if pod is not None and self._pod_at(pod.id) is None else Answer.REFUSED

    def _get(self, address: Address) -> Answer:
        """An HTTP health check: the process has to say that it is well."""
        pod = self._behind(address)
        if pod is not None and self.kubelet.healthy(*pod):
            return Answer.OK
        reached = self._connect(address)
        return Answer.MISMATCH if reached is Answer.OK else reached

    def _zone_of(self, target: str) -> str | None:
        """The zone of a Node, or of a pod: the scheduler left it there, so a lost node changes nothing."""
        placed = self._pod_at(target) or self.node_ports.node(target)
        return None if placed is None else labels_of(placed).get(ZONE)

    def _pod_at(self, ip: str) -> Object | None:
        pods = self.store.list(PODS)
        return next((pod for pod in pods if (pod.get("status") or {}).get("podIP") == ip), None)


class World(Site):
    """A site with the embedded cluster in it: run its timeline in virtual time, or let it drive."""

    def __init__(self, config: WorldConfig, *, start: float) -> None:
        store = Store(Timeline(start, speed=config.speed), seed=config.seed)
        for zone in config.zones:
            for number in range(1, config.nodes_per_zone + 1):
                store.create(NODES, new_node(f"{zone}-{number}", zone, pods=config.pods_per_node))
        store.register(TARGET_GROUP_BINDINGS)
        store.create(CUSTOM_RESOURCE_DEFINITIONS, DEFINITION)
        self.controllers = Controllers(store, store.timeline)
        super().__init__(config, store)
