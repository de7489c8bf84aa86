"""What the AWS Load Balancer Controller does for TargetGroupBindings."""

from __future__ import annotations

from saferollout.decide.answers import TargetState
from saferollout.sim.controllers.queue import WorkQueue
from saferollout.sim.elbv2.health import Address
from saferollout.sim.elbv2.operations import TargetGroups
from saferollout.sim.elbv2.target_group import TargetGroup
from saferollout.sim.objects import Key, condition_of, conditions_of, key_of, put_condition
from saferollout.sim.resources import NODES, PODS, SERVICES
from saferollout.sim.store import ApiError, Change, Object, Store
from saferollout.sim.target_group_bindings import (
    TARGET_GROUP_BINDINGS,
    addresses,
    belongs,
    gate_of,
    has_gate,
    on_nodes,
)
from saferollout.sim.timeline import Timeline

_GATE_POLL = 5.0
"""Seconds between two looks at targets that a readiness gate waits for."""

Member = tuple[Object, Address]
"""A pod and where it is reached."""


class LoadBalancerController:
    """Keeps target groups equal to the pods behind their bindings.

    ``lag_seconds`` of the simulation's time go by between a change and the reconcile that follows it.
    """

    def __init__(self, store: Store, timeline: Timeline, groups: TargetGroups, *, lag_seconds: float) -> None:
        self._store = store
        self._timeline = timeline
        self._groups = groups
        self._lag = lag_seconds / timeline.speed
        self._queue = WorkQueue(timeline, self._reconcile)
        self._bound: dict[Key, str] = {}
        for binding in store.list(TARGET_GROUP_BINDINGS):
            self._soon(binding)
        store.subscribe(self._observe)

    def _observe(self, change: Change) -> None:
        if change.resource.key == TARGET_GROUP_BINDINGS.key:
            self._soon(change.object)
        elif change.resource is NODES:
            for binding in self._store.list(TARGET_GROUP_BINDINGS):
                self._soon(binding)
        elif change.resource in (PODS, SERVICES):
            namespace = change.object["metadata"]["namespace"]
            for binding in self._store.list(TARGET_GROUP_BINDINGS, namespace):
                self._soon(binding)

    def _soon(self, binding: Object) -> None:
        self._queue.add_at(key_of(binding), self._timeline.now + self._lag)

    def _reconcile(self, key: Key) -> None:
        try:
            binding = self._store.get(TARGET_GROUP_BINDINGS, *key)
        except ApiError:
            self._synchronise(self._groups.get(self._bound.pop(key, "")), [])
            return
        arn = binding["spec"]["targetGroupARN"]
        if self._bound.get(key, arn) != arn:
            self._synchronise(self._groups.get(self._bound[key]), [])
        self._bound[key] = arn
        group, gate = self._groups.get(arn), gate_of(binding)
        if group is None:
            return
        service, port = self._service(binding), binding["spec"]["serviceRef"]["port"]
        if service is None:
            self._synchronise(group, [])
        elif group.config.target_type == "instance":
            self._synchronise(group, [*on_nodes(service, port, self._store.list(NODES))])
        else:
            pods = self._store.list(PODS, binding["metadata"]["namespace"])
            members = [each for each in addresses(service, port, pods) if belongs(each[0], gate)]
            self._synchronise(group, [address for _, address in members])
            self._open_gates(key, group, gate, members)

    def _service(self, binding: Object) -> Object | None:
        try:
            return self._store.get(
                SERVICES, binding["metadata"]["namespace"], binding["spec"]["serviceRef"]["name"]
            )
        except ApiError:
            return None

    def _synchronise(self, group: TargetGroup | None, wanted: list[Address]) -> None:
        """Deregister first, then register, as the original does (aws-load-balancer-controller 3621)."""
        if group is None:
            return
        kept = frozenset(wanted)
        for target in group.registered():
            if target.address not in kept:
                group.deregister(target.address)
        for address in wanted:
            group.register(address)

    def _open_gates(self, key: Key, group: TargetGroup, gate: str, members: list[Member]) -> None:
        """Set the gates of healthy targets True, once and for all: they are latches."""
        closed = [member for member in members if has_gate(member[0], gate) and not _is_open(member[0], gate)]
        for pod, address in closed:
            if group.health(address).state is TargetState.HEALTHY:
                opened = {"type": gate, "status": "True"}
                conditions = put_condition(conditions_of(pod), opened, self._timeline.now)
                self._store.update_status(
                    PODS, {**pod, "status": {**pod["status"], "conditions": conditions}}
                )
            else:
                self._queue.add_at(key, self._timeline.now + _GATE_POLL / self._timeline.speed)


def _is_open(pod: Object, gate: str) -> bool:
    condition = condition_of(pod, gate)
    return condition is not None and condition["status"] == "True"
