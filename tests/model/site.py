"""A rollout in virtual time: the embedded cluster's own controllers, and the operator's own decisions.

Nothing here is slower than arithmetic, so thousands of whole rollouts can be looked at, each from its first
event to its last. What is left out is what is not judgement: HTTP, caches, processes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from saferollout.act.deployments import patch_of
from saferollout.api.names import (
    COST_BEFORE_ANNOTATION,
    DELETION_COST_ANNOTATION,
    GUARD_ANNOTATION,
    LEDGER_ANNOTATION,
)
from saferollout.api.recall import memory_of, read_status
from saferollout.api.report import report, to_json
from saferollout.decide.answers import Target, TargetGroup
from saferollout.decide.decision import Decision, Move
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy, Tuning
from saferollout.decide.workload import Pod
from saferollout.observe import records
from saferollout.observe.vanished import KEPT_SECONDS, gone
from saferollout.sim.disruption import EVICTED, disrupted
from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.nodes import new_node
from saferollout.sim.objects import is_deleting
from saferollout.sim.resources import DEPLOYMENTS, NODES, PODS, REPLICA_SETS, SERVICES
from saferollout.sim.store import ApiError, Change, Object
from saferollout.sim.target_group_bindings import TARGET_GROUP_BINDINGS
from saferollout.sim.timeline import Event
from saferollout.sim.workload import READY
from saferollout.sim.world import World, WorldConfig

START = 1_800_000_000.0
NAMESPACE, NAME = "shop", "checkout"
PORT = 8080
LABELS = {"app": NAME}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is about. Durations are seconds; A ``full`` cluster has room for no pod more."""

    replicas: int = 6
    zones: int = 3
    max_surge: int | str = 1
    max_unavailable: int | str = 0
    full: bool = False
    growth: int = 1
    zone_by_zone: bool = False
    min_healthy: int | str = 1
    startup: float = 2.0
    registration: float = 10.0
    deregistration: float = 30.0
    users_min_ready: int = 0
    users_deadline: int = 600
    poll: float = 2.0
    latency: float = 0.05
    seed: int = 0
    groups: int = 1
    kind: Literal["alb", "nlb"] = "nlb"


def merged(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


class Site:
    """A world with one Deployment behind target groups, and an operator that looks after it."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        zones = tuple(f"us-east-1{letter}" for letter in "abcdef"[: setting.zones])
        groups = tuple(
            TargetGroupConfig(
                name=f"{NAME}-{number}",
                kind=setting.kind,
                registration_seconds=setting.registration,
                deregistration_delay_seconds=setting.deregistration,
            )
            for number in range(setting.groups)
        )
        self.world = World(
            WorldConfig(zones=zones, target_groups=groups, seed=setting.seed, **self._room()), start=START
        )
        self.store, self.timeline = self.world.store, self.world.timeline
        self.template_generation = 0
        self.original = self._install(groups)
        self.policy = Policy(
            max_surge=setting.max_surge,
            max_unavailable=setting.max_unavailable,
            min_healthy=setting.min_healthy,
            growth=setting.growth,
            zone_by_zone=setting.zone_by_zone,
        )
        self.operator = Operator(self)

    def _room(self) -> dict[str, Any]:
        """How many nodes there are, and how large they are."""
        if not self.setting.full:
            return {}
        return {"nodes_per_zone": 1, "pods_per_node": -(-self.setting.replicas // self.setting.zones)}

    def _install(self, groups: tuple[TargetGroupConfig, ...]) -> Object:
        service = {
            "metadata": {"namespace": NAMESPACE, "name": NAME},
            "spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": PORT}]},
        }
        self.store.create(SERVICES, service)
        for group in groups:
            spec = {"targetGroupARN": group.arn, "serviceRef": {"name": NAME, "port": 80}}
            meta = {"namespace": NAMESPACE, "name": group.name}
            self.store.create(TARGET_GROUP_BINDINGS, {"metadata": meta, "spec": spec})
        made = self.store.create(DEPLOYMENTS, self._manifest())
        return dict(made["spec"])

    def _manifest(self) -> Object:
        return {
            "metadata": {"namespace": NAMESPACE, "name": NAME},
            "spec": {
                "replicas": self.setting.replicas,
                "selector": {"matchLabels": LABELS},
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
                },
                "progressDeadlineSeconds": self.setting.users_deadline,
                "revisionHistoryLimit": 10,
                **({"minReadySeconds": self.setting.users_min_ready} if self.setting.users_min_ready else {}),
                "template": self.template("v1"),
            },
        }

    def template(self, tag: str) -> Object:
        """Return a pod template of the image with that tag."""
        spread = {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": LABELS},
            "matchLabelKeys": ["pod-template-hash"],
        }
        return {
            "metadata": {
                "labels": LABELS,
                "annotations": {"sim.saferollout.dev/startup": f"{self.setting.startup}s"},
            },
            "spec": {
                "containers": [{"name": "web", "image": f"web:{tag}", "ports": [{"containerPort": PORT}]}],
                "terminationGracePeriodSeconds": 30,
                "topologySpreadConstraints": [spread],
            },
        }

    @property
    def deployment(self) -> Object:
        """The Deployment as it is now."""
        return self.store.get(DEPLOYMENTS, NAMESPACE, NAME)

    @property
    def pods(self) -> list[Object]:
        """All pods there are."""
        return self.store.list(PODS, NAMESPACE)

    def change_image(self, tag: str) -> None:
        """Do what ``kubectl set image`` does."""
        self.edit(lambda found: merged(found, {"spec": {"template": self.template(tag)}}))

    def scale(self, replicas: int) -> None:
        """Do what an autoscaler does."""
        self.edit(lambda found: merged(found, {"spec": {"replicas": replicas}}))

    def lose_zone(self, zone: str) -> None:
        """End all nodes of a zone, and what runs on them."""
        for node in self._nodes(zone):
            self.store.remove(NODES, None, node)

    def pods_on(self, node: str) -> frozenset[str]:
        """Return the names of the pods on a node that are not on their way out."""
        on = (pod for pod in self.pods if pod["spec"].get("nodeName") == node and not is_deleting(pod))
        return frozenset(pod["metadata"]["name"] for pod in on)

    def drain(self, node: str) -> None:
        """Do what ``kubectl drain`` does where no budget is in its way."""
        self._set_unschedulable(node, to=True)
        for name in self.pods_on(node):
            pod = self.store.get(PODS, NAMESPACE, name)
            self.store.update_status(PODS, disrupted(pod, EVICTED, self.timeline.now))
            self.store.delete(PODS, NAMESPACE, name)

    def fall_ill(self, pod: str, seconds: float) -> None:
        """Have a pod answer nobody for so long."""
        self._set_ready(pod, "never")
        self.timeline.at(self.timeline.now + seconds, lambda: self._set_ready(pod, None))

    def _set_ready(self, pod: str, to: str | None) -> None:
        try:
            found = self.store.get(PODS, NAMESPACE, pod)
        except ApiError:
            return  # It has gone in the meantime.
        self.store.update(PODS, merged(found, {"metadata": {"annotations": {READY: to}}}))

    def uncordon(self, node: str) -> None:
        """Let pods on the node again."""
        self._set_unschedulable(node, to=False)

    def _set_unschedulable(self, node: str, *, to: bool) -> None:
        self.store.patch(NODES, None, node, lambda found: found["spec"].update(unschedulable=to))

    def restore_zone(self, zone: str) -> None:
        """Have new nodes in the zone, under the names of those that were lost."""
        for node in self._nodes(zone):
            self.store.create(NODES, new_node(node, zone))

    def _nodes(self, zone: str) -> list[str]:
        return [f"{zone}-{number}" for number in range(1, self.world.config.nodes_per_zone + 1)]

    def edit(self, change: Any) -> None:
        """Replace the Deployment by what ``change`` makes of it."""
        self.store.update(DEPLOYMENTS, change(self.deployment))

    def run(self, seconds: float) -> None:
        """Let time go by."""
        self.timeline.run_until(self.timeline.now + seconds)

    def run_until(self, condition: Any, within: float, step: float = 1.0) -> bool:
        """Let time go by until ``condition()`` holds; return whether it did within so many seconds."""
        until = self.timeline.now + within
        while self.timeline.now < until:
            if condition():
                return True
            self.run(step)
        return bool(condition())


class Operator:
    """The loop of the operator without its waiting: it looks when something changes, and when it said so.

    ``alive`` is whether it runs: killed and started again it knows nothing but the status. ``die_after``
    kills it in mid-turn, after so many further writes.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.alive = True
        self.deleting = False
        self.status: dict[str, Any] = {}
        self._read_status = read_status(self.status)
        self._told: tuple[object, ...] = ()
        self.decisions: list[Decision] = []
        self.releases = 0
        self.die_after: int | None = None
        self._due: Event | None = None
        self._tuning = Tuning(least_fence=3.0, settle=0.5, stale_after=3 * site.setting.poll)
        self._answers: dict[str, TargetGroup] = {}
        self._read_before: dict[str, tuple[str, Any]] = {}
        self._vanished: list[tuple[float, Pod]] = []
        site.store.subscribe(self._changed)
        self._look_in(0.0)

    @property
    def last(self) -> Decision:
        """The latest decision."""
        return self.decisions[-1]

    def kill(self) -> None:
        """End it at once."""
        self.alive = False

    def start(self) -> None:
        """Start another one: it has no answers of ELBv2, and knows what the status says."""
        self.alive = True
        self.die_after = None
        self._answers = {}
        self._vanished = []
        self._look_in(0.0)

    def _changed(self, change: Change) -> None:
        if change.resource is PODS and change.type == "DELETED" and change.old is not None and self.alive:
            pod = records.pod(change.old)
            if pod is not None:
                now = self.site.timeline.now
                self._vanished.append((now, gone(pod, now)))
        if change.resource in (DEPLOYMENTS, REPLICA_SETS, PODS):
            self._look_in(self.site.setting.latency)

    def _look_in(self, seconds: float) -> None:
        when = self.site.timeline.now + seconds
        if self._due is not None and self._due.run is not None and self._due.when <= when:
            return
        if self._due is not None:
            self._due.cancel()
        self._due = self.site.timeline.at(when, self._turn)

    def _turn(self) -> None:
        self._due = None
        if not self.alive:
            return
        seen = self._observe()
        decision = decide(seen)
        self.decisions.append(decision)
        try:
            self._act(decision, seen)
        except Killed:
            self.kill()
            return
        except ApiError:
            self._look_in(self.site.setting.latency)
            return
        again = self.site.setting.poll if decision.look_again is None else decision.look_again
        if again < 1e6:
            self._look_in(max(again, 0.01))

    def _observe(self) -> Observation:
        now = self.site.timeline.now
        found = records.deployment(self.site.deployment)
        sets = [
            self._read(records.replica_set, each) for each in self.site.store.list(REPLICA_SETS, NAMESPACE)
        ]
        pods = [self._read(records.pod, each) for each in self.site.pods]
        return Observation(
            now=now,
            name=NAME,
            policy=self.site.policy,
            tuning=self._tuning,
            memory=memory_of(self._read_status),
            deployment=found,
            replica_sets=tuple(each for each in sets if each is not None),
            pods=tuple(each for each in pods if each is not None),
            target_groups=tuple(self._ask(arn) for arn in self.site.world.groups),
            deleting=self.deleting,
            vanished=tuple(pod for at, pod in self._vanished if now - at <= KEPT_SECONDS),
        )

    def _read(self, parse: Any, raw: Object) -> Any:
        """Parse an object, once for each version of it: stored objects never change."""
        uid, version = raw["metadata"]["uid"], raw["metadata"]["resourceVersion"]
        if self._read_before.get(uid, ("", None))[0] != version:
            self._read_before[uid] = version, parse(raw)
        return self._read_before[uid][1]

    def _ask(self, arn: str) -> TargetGroup:
        now = self.site.timeline.now
        known = self._answers.get(arn)
        if known is not None and known.asked_at > now - self.site.setting.poll:
            return known
        group = self.site.world.groups[arn]
        targets = tuple(Target(each.address.id, each.address.port, each.state) for each in group.describe())
        self._answers[arn] = TargetGroup(arn, group.config.name, "ip", targets, asked_at=now)
        return self._answers[arn]

    def _act(self, decision: Decision, seen: Observation) -> None:
        store = self.site.store
        for cost in decision.costs:
            self._write()
            annotations = {DELETION_COST_ANNOTATION: cost.cost, COST_BEFORE_ANNOTATION: cost.before}
            try:
                pod = store.get(PODS, NAMESPACE, cost.pod)
            except ApiError:
                continue
            store.update(PODS, merged(pod, {"metadata": {"annotations": annotations}}))
        self._tell(decision, seen)
        if decision.change is not None and seen.deployment is not None:
            self._write()
            self.releases += decision.change.move is Move.RELEASE
            store.update(
                DEPLOYMENTS, merged(self.site.deployment, patch_of(seen.deployment, decision.change))
            )
        for fence in decision.fences:
            self._write()
            found = store.get(REPLICA_SETS, NAMESPACE, fence.replica_set)
            patch = {
                "metadata": {"annotations": {LEDGER_ANNOTATION: None, GUARD_ANNOTATION: None}},
                "spec": {"minReadySeconds": fence.min_ready_seconds or None},
            }
            store.update(REPLICA_SETS, merged(found, patch))

    def _tell(self, decision: Decision, seen: Observation) -> None:
        """Write the status; nothing is to be told when all that it is made of is as it was."""
        content = (decision.reason, decision.message, decision.memory, decision.picture, decision.finished)
        if content == self._told:
            return
        previous = self._read_status
        told = report(decision, previous=previous, problems=seen.problems, generation=1, now=seen.now)
        if told != previous:
            self._write()
            self.status = json.loads(json.dumps(merged(self.status, to_json(told))))
            self._read_status = read_status(self.status)
        self._told = content

    def _write(self) -> None:
        if self.die_after is not None:
            if self.die_after == 0:
                raise Killed
            self.die_after -= 1


class Killed(Exception):  # noqa: N818 - reads as what happened
    """The operator has died in the middle of a turn."""
