"""What the scenarios apply: a Deployment behind target groups, and its SafeRollout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from saferollout.sim.elbv2.config import HealthCheck, TargetGroupConfig
from saferollout.sim.world import WorldConfig

Manifest = dict[str, Any]

NAMESPACE = "default"
SPEED = 60.0
"""Seconds of the simulation in one of the clock."""


@dataclass(frozen=True, slots=True)
class App:
    """A Deployment with all that belongs to it. ``groups`` are names of target groups.

    A ``step`` is so many pods, that are added before old ones go, or ``in_place`` after they went.
    """

    name: str = "web"
    replicas: int = 6
    image: str = "web:1"
    groups: tuple[str, ...] = ("web",)
    step: int | str = 1
    in_place: bool = False
    min_healthy: int | str = 1
    health_timeout: str = "10m"
    drain_timeout: str = "20m"
    spread: bool = True
    startup: str = "120s"
    pre_stop: int = 120
    node_port: int | None = None
    spec: Manifest = field(default_factory=dict)
    """Fields of the Deployment's ``spec`` that the user sets beside the usual ones."""

    @property
    def arns(self) -> list[str]:
        """The ARNs of its target groups."""
        return [target_group(name).arn for name in self.groups]

    def deployment(self) -> Manifest:
        """The Deployment as its user writes it."""
        labels = {"app": self.name}
        over_zones = {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": labels},
            "matchLabelKeys": ["pod-template-hash"],
        }
        container = {
            "name": "web",
            "image": self.image,
            "ports": [{"name": "http", "containerPort": 8080}],
            "lifecycle": {"preStop": {"sleep": {"seconds": self.pre_stop}}},
        }
        template = {
            "metadata": {"labels": labels, "annotations": {"sim.saferollout.dev/startup": self.startup}},
            "spec": {
                "containers": [container],
                "terminationGracePeriodSeconds": self.pre_stop + 20,
                "topologySpreadConstraints": [over_zones] if self.spread else [],
            },
        }
        spec = {"replicas": self.replicas, "selector": {"matchLabels": labels}, "template": template}
        return _object("apps/v1", "Deployment", self.name, spec | self.spec)

    def service(self) -> Manifest:
        """The Service that selects its pods."""
        port: Manifest = {"name": "http", "port": 80, "targetPort": "http"}
        on_nodes: Manifest = {}
        if self.node_port is not None:
            port, on_nodes = port | {"nodePort": self.node_port}, {"type": "NodePort"}
        spec = {"selector": {"app": self.name}, "ports": [port], **on_nodes}
        return _object("v1", "Service", self.name, spec)

    def bindings(self) -> list[Manifest]:
        """What registers its pods in its target groups."""
        return [
            _object(
                "elbv2.k8s.aws/v1beta1",
                "TargetGroupBinding",
                name,
                {"targetGroupARN": target_group(name).arn, "serviceRef": {"name": self.name, "port": "http"}},
            )
            for name in self.groups
        ]

    def rollout(self, **spec: Any) -> Manifest:
        """The SafeRollout; ``spec`` replaces fields of its spec."""
        usual = {
            "deploymentRef": {"name": self.name},
            "targetGroups": [{"arn": arn} for arn in self.arns],
            "step": {"maxSurge": 0, "maxUnavailable": self.step}
            if self.in_place
            else {"maxSurge": self.step},
            "gates": {
                "targetHealth": {"timeout": self.health_timeout},
                "drain": {"timeout": self.drain_timeout},
            },
            "zones": {"minHealthy": self.min_healthy},
        }
        return _object("saferollout.dev/v1alpha1", "SafeRollout", self.name, usual | spec)


def target_group(name: str, **settings: Any) -> TargetGroupConfig:
    """Return a target group of an NLB; behind an ALB if its name begins so. Seconds of the simulation."""
    usual: dict[str, Any] = {
        "kind": "alb" if name.startswith("alb") else "nlb",
        "port": 8080,
        "registration_seconds": 60.0,
        "deregistration_delay_seconds": 60.0,
        "stray_seconds": 60.0,
        "health_check": HealthCheck(interval_seconds=10, healthy_threshold=3, unhealthy_threshold=2),
    }
    return TargetGroupConfig(name=name, **(usual | settings))


def world(*groups: TargetGroupConfig, **settings: Any) -> WorldConfig:
    """Return a site of three zones with these target groups, each with a load of 20 requests a second."""
    traffic = tuple({"targetGroup": group.name, "rate": 20} for group in groups)
    return WorldConfig.model_validate(
        {"speed": SPEED, "target_groups": groups, "traffic": traffic} | settings
    )


def _object(api_version: str, kind: str, name: str, spec: Manifest) -> Manifest:
    meta = {"namespace": NAMESPACE, "name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}
