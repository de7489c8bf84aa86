"""A world in virtual time: native rolling updates behind load balancers fail as their users saw them fail.

The set-ups are those of practice: 10 pods in three zones behind an ALB and behind an NLB, 6 behind an NLB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from saferollout.sim.apiserver.defaults import with_defaults
from saferollout.sim.objects import condition_of, is_deleting, labels_of
from saferollout.sim.resources import DEPLOYMENTS, PODS, SERVICES
from saferollout.sim.store import Object
from saferollout.sim.target_group_bindings import TARGET_GROUP_BINDINGS
from saferollout.sim.world import World, WorldConfig

ZONE = "topology.kubernetes.io/zone"
LABELS = {"app": "web"}
GATE = "target-health.elbv2.k8s.aws/web"


@dataclass
class Setup:
    """A Deployment ``web`` and the load balancer before it."""

    replicas: int
    kind: str = "nlb"
    strategy: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    pre_stop: int = 0
    grace: int = 30
    gated: bool = False
    target_group: dict[str, Any] = field(default_factory=dict)

    def world(self) -> World:
        group = {"name": "web", "kind": self.kind} | self.target_group
        world = World(
            WorldConfig.model_validate({"targetGroups": [group], "traffic": [{"targetGroup": "web"}]}),
            start=1_000_000.0,
        )
        reference = {"name": "web", "port": 80}
        arn = world.config.target_groups[0].arn
        binding = {"spec": {"targetGroupARN": arn, "serviceRef": reference}}
        world.store.create(SERVICES, self._named({"spec": {"selector": LABELS, "ports": [{"port": 80}]}}))
        world.store.create(TARGET_GROUP_BINDINGS, self._named(binding))
        world.store.create(DEPLOYMENTS, with_defaults(DEPLOYMENTS, self._named(self._deployment())))
        world.timeline.run_until(1_001_000.0)
        return world

    def _named(self, obj: Object) -> Object:
        return {**obj, "metadata": {"namespace": "default", "name": "web"}}

    def _deployment(self) -> Object:
        container = {
            "name": "web",
            "image": "web:1",
            "ports": [{"containerPort": 80}],
            "lifecycle": {"preStop": {"sleep": {"seconds": self.pre_stop}}},
        }
        spread = {
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": LABELS},
            "matchLabelKeys": ["pod-template-hash"],
        }
        template = {
            "metadata": {"labels": LABELS, "annotations": self.annotations},
            "spec": {
                "containers": [container],
                "terminationGracePeriodSeconds": self.grace,
                "readinessGates": [{"conditionType": GATE}] if self.gated else [],
                "topologySpreadConstraints": [spread],
            },
        }
        selector = {"matchLabels": LABELS}
        strategy = {"rollingUpdate": self.strategy} if self.strategy else {}
        return {
            "spec": {
                "replicas": self.replicas,
                "selector": selector,
                "strategy": strategy,
                "template": template,
            }
        }


def roll(world: World, *, seconds: float) -> dict[str, int]:
    """Change the image, let ``seconds`` go by, and return what became of the requests in that time."""

    def change(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"

    began = world.timeline.now
    world.store.patch(DEPLOYMENTS, "default", "web", change)
    world.timeline.run_until(began + seconds)
    outcomes: dict[str, int] = world.traffic["web"].tally.summary(since=began)["outcomes"]
    return outcomes


def ready_pods(world: World) -> list[Object]:
    pods = [pod for pod in world.store.list(PODS) if not is_deleting(pod)]
    return [pod for pod in pods if (found := condition_of(pod, "Ready")) and found["status"] == "True"]


ALB = Setup(10, kind="alb", annotations={"sim.saferollout.dev/shutdown": "40s"}, pre_stop=40, grace=60)
NLB = Setup(10, annotations={"sim.saferollout.dev/shutdown": "40s"}, pre_stop=40, grace=60)
TRAEFIK = Setup(
    6,
    strategy={"maxSurge": 1, "maxUnavailable": 0},
    pre_stop=90,
    grace=120,
    gated=True,
    target_group={"deregistrationDelaySeconds": 120},
)
CARELESS_ALB = Setup(10, kind="alb")


def test_pods_are_spread_over_zones_and_become_healthy_targets() -> None:
    world = NLB.world()
    targets = next(iter(world.groups.values())).describe()
    assert len(targets) == 10
    assert {str(target.state) for target in targets} == {"healthy"}
    by_zone = {zone: sum(target.zone == zone for target in targets) for zone in world.config.zones}
    assert sorted(by_zone.values()) == [3, 3, 4]
    assert {target.address.id: target.zone for target in targets} == {
        pod["status"]["podIP"]: labels_of(pod)[ZONE] for pod in ready_pods(world)
    }


@pytest.mark.parametrize("setup", [ALB, NLB, TRAEFIK, CARELESS_ALB])
def test_at_rest_no_request_fails(setup: Setup) -> None:
    world = setup.world()
    world.timeline.run_until(1_002_000.0)
    assert world.traffic["web"].tally.summary(since=1_001_000.0)["failed"] == 0


def test_a_native_update_behind_an_alb_without_pre_stop_gives_502s_for_the_seconds_of_stray_traffic() -> None:
    outcomes = roll(CARELESS_ALB.world(), seconds=600)
    assert 200 < outcomes["502-dead-target"] < 3000
    assert outcomes["503-no-target"] == 0


def test_a_native_update_behind_an_alb_gives_502s_while_targets_are_initial_and_old_ones_gone() -> None:
    outcomes = roll(ALB.world(), seconds=600)
    assert outcomes["502-initial-targets"] > 100
    assert outcomes["502-dead-target"] == 0


def test_a_native_update_behind_an_nlb_leaves_no_healthy_target_for_a_while() -> None:
    world = NLB.world()
    seen: list[list[str]] = []
    began = world.timeline.now
    group = next(iter(world.groups.values()))
    for second in range(150):
        world.timeline.at(began + second, lambda: seen.append([str(each.state) for each in group.describe()]))
    outcomes = roll(world, seconds=600)
    assert any("healthy" not in states and "initial" in states and "draining" in states for states in seen)
    assert max(map(len, seen)) >= 15
    assert outcomes["reset-empty-zone"] + outcomes["reset-dead-target"] > 1000


def test_a_pod_that_goes_before_the_nlb_lets_go_of_it_resets_its_strays() -> None:
    outcomes = roll(TRAEFIK.world(), seconds=1500)
    assert outcomes["reset-dead-target"] > 100


def test_an_image_that_fails_health_checks_becomes_ready_pods_but_unhealthy_targets() -> None:
    world = CARELESS_ALB.world()

    def break_it(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "web:broken"

    world.store.patch(DEPLOYMENTS, "default", "web", break_it)
    world.timeline.run_until(world.timeline.now + 900)
    targets = next(iter(world.groups.values())).describe()
    assert len(ready_pods(world)) == 10
    assert {target.health.reason for target in targets} == {"Target.ResponseCodeMismatch"}


def test_a_dead_node_times_out_the_health_checks_of_its_targets() -> None:
    world = NLB.world()
    world.outages.kill_node(ready_pods(world)[0]["spec"]["nodeName"])
    world.timeline.run_until(world.timeline.now + 40)
    unhealthy = [each for each in next(iter(world.groups.values())).describe() if each.state == "unhealthy"]
    assert unhealthy
    assert world.traffic["web"].tally.summary()["outcomes"]["reset-dead-target"] > 0


def test_the_same_world_runs_the_same_way_twice() -> None:
    assert roll(NLB.world(), seconds=300) == roll(NLB.world(), seconds=300)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"targetGroups": [{"name": "a", "kind": "alb"}, {"name": "a", "kind": "nlb"}]}, "same name"),
        ({"traffic": [{"targetGroup": "a"}]}, "there is no target group a"),
        ({"zone": ["a"]}, "zone"),
        ({"speed": 0}, "speed"),
    ],
)
def test_a_world_that_makes_no_sense_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        WorldConfig.model_validate(wrong)


def test_a_file_that_is_no_yaml_is_refused_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "world.yaml"
    broken.write_text("zones: [a")
    with pytest.raises(ValueError, match=r"world\.yaml is not YAML"):
        WorldConfig.load(broken)


def test_the_world_of_the_examples_is_understood() -> None:
    config = WorldConfig.load(Path(__file__).parents[2] / "examples" / "world.yaml")
    assert [group.name for group in config.target_groups] == ["web", "web-native"]
    assert {load.target_group for load in config.traffic} == {"web", "web-native"}
