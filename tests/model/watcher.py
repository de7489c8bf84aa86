"""Holds a virtual rollout against the contract, event by event, without asking the operator."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from model.site import NAMESPACE, PORT, Site
from saferollout.decide import steps
from saferollout.decide.answers import TargetState
from saferollout.sim.elbv2.health import Address
from saferollout.sim.elbv2.target_group import Target
from saferollout.sim.objects import condition_of, is_deleting, labels_of
from saferollout.sim.resources import PODS
from saferollout.sim.store import Change, Object

ZONE = "topology.kubernetes.io/zone"

IN_FLIGHT = 0.1
"""Seconds from the look at a cluster to the pod that goes for what was decided: what fails in them fails too
late to be known."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken promise: which one, when (seconds since the start), and how."""

    promise: str
    at: float
    what: str


class Watcher:
    """Judges every retirement at the moment it happens, and every creation of a pod.

    ``floors`` are taken when watching begins. ``excused`` are the names of pods that others take. A
    retirement is a pod of the Deployment that gets its ``deletionTimestamp`` from the ReplicaSet controller.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.breaches: list[Breach] = []
        self.retired: list[tuple[str, Address | None, int]] = []
        self.passed: set[str] = set()
        self.excused: set[str] = set()
        self._failed: dict[Address, float] = {}
        self.begun = site.timeline.now
        self.floors = self._floors()
        site.store.subscribe(self._changed)
        for group in site.world.groups.values():
            group.subscribe(self._health_changed)

    def serving(self) -> list[Object]:
        """Pods that are Ready, not terminating and healthy in every target group."""
        return [pod for pod in self.site.pods if self._serves(pod)]

    def _serves(self, pod: Object) -> bool:
        ready = condition_of(pod, "Ready")
        if is_deleting(pod) or ready is None or ready["status"] != "True":
            return False
        address = Address(pod["status"]["podIP"], PORT)
        groups = self.site.world.groups.values()
        return all(group.health(address).state is TargetState.HEALTHY for group in groups)

    def _serves_by_all_that_could_be_known(self, pod: Object) -> bool:
        if self._serves(pod):
            return True
        address = Address(pod["status"].get("podIP", ""), PORT)
        failed_at = self._failed.get(address, -math.inf)
        return not is_deleting(pod) and self.site.timeline.now - failed_at < IN_FLIGHT

    def _floors(self) -> Counter[str]:
        had = Counter(labels_of(pod)[ZONE] for pod in self.serving())
        wanted = self.site.policy.min_healthy
        share = {
            zone: wanted if isinstance(wanted, int) else -(-int(wanted[:-1]) * count // 100)
            for zone, count in had.items()
        }
        return Counter({zone: min(count, share[zone]) for zone, count in had.items()})

    def _health_changed(self, target: Target) -> None:
        if target.state is TargetState.UNHEALTHY:
            self._failed.setdefault(target.address, target.since)
        elif target.state is TargetState.HEALTHY:
            self._failed.pop(target.address, None)
        self._note_healthy()

    def _note_healthy(self) -> None:
        self.passed.update(pod["metadata"]["name"] for pod in self.serving())

    def _changed(self, change: Change) -> None:
        if change.resource != PODS or change.object["metadata"]["namespace"] != NAMESPACE:
            return
        if change.type == "ADDED":
            self._created()
        elif change.old is not None and is_deleting(change.object) and not is_deleting(change.old):
            self._retired(change.old)

    def _created(self) -> None:
        step = self.step
        current = _images(self.site.deployment["spec"]["template"])
        fresh = [
            pod
            for pod in self.site.pods
            if pod["metadata"]["name"] not in self.passed and not is_deleting(pod) and _images(pod) == current
        ]
        if len(fresh) > step:
            self._breach("S3", f"{len(fresh)} pods that have not passed the health gate, in steps of {step}")

    @property
    def step(self) -> int:
        """Pods of a full step."""
        policy, replicas = self.site.policy, self.site.deployment["spec"]["replicas"]
        if policy.max_unavailable:
            return steps.in_place(policy.max_unavailable, replicas)
        wanted = policy.max_surge
        return max(1, wanted if isinstance(wanted, int) else -(-int(wanted[:-1]) * replicas // 100))

    def _retired(self, before: Object) -> None:
        name, replicas = before["metadata"]["name"], self.site.deployment["spec"]["replicas"]
        if name in self.excused:
            return
        serving = [pod for pod in self.site.pods if self._serves_by_all_that_could_be_known(pod)]
        served = self._serves(before)
        least = replicas - self.step if self.site.policy.max_unavailable else replicas
        if served and len(serving) < least:
            self._breach("S1", f"{len(serving)} of {least} serve after {name} was retired")
        zone = labels_of(before).get(ZONE, "")
        left = sum(1 for pod in serving if labels_of(pod).get(ZONE) == zone)
        if served and left < self.floors[zone]:
            self._breach("S2", f"{zone} has {left} serving, its floor is {self.floors[zone]}")
        release = self.site.operator.releases
        for other, address, earlier in self.retired:
            if address is not None and earlier != release and self._drains(other, address):
                self._breach("S4", f"{name} was retired while the target of {other} was draining")
        ip = before["status"].get("podIP")
        self.retired.append((name, Address(ip, PORT) if ip else None, release))

    def _drains(self, name: str, address: Address) -> bool:
        holders = [pod for pod in self.site.pods if pod["status"].get("podIP") == address.id]
        if any(pod["metadata"]["name"] != name and not is_deleting(pod) for pod in holders):
            return False
        groups = self.site.world.groups.values()
        return any(group.health(address).state is not TargetState.UNUSED for group in groups)

    def _breach(self, promise: str, what: str) -> None:
        self.breaches.append(Breach(promise, round(self.site.timeline.now - self.begun, 3), what))


def _images(template: Object) -> list[str]:
    return [container["image"] for container in template["spec"]["containers"]]
