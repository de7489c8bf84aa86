"""The kubelets of all nodes: pods start, become ready, crash, and are stopped with preStop and grace.

They are also what the rest of the simulation asks whether a pod answers. Durations are the simulation's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from saferollout.sim.addresses import Addresses
from saferollout.sim.objects import annotations_of, condition_of, is_deleting, key_of
from saferollout.sim.process import NOT_RUNNING_YET, Process, Stage, status_of
from saferollout.sim.resources import NODES, PODS
from saferollout.sim.store import Change, Object, Store
from saferollout.sim.timeline import Event, Timeline
from saferollout.sim.workload import workload_of

_SANDBOX = 0.3
"""Seconds from the binding of a pod to the start of its container."""

_PULL_BACK_OFF = 10.0
_CRASH_BACK_OFF = 10.0
_LONGEST_BACK_OFF = 300.0
"""Seconds, doubled at each crash; the first restart is immediate."""

_LEAST_GRACE = 2.0
"""Seconds left for SIGTERM when preStop has used the grace up (``pkg/kubelet/kuberuntime``)."""


class Kubelet:
    """Runs the pods of every node in the store."""

    def __init__(self, store: Store, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._processes: dict[str, Process] = {}
        self._by_address: dict[str, Process] = {}
        self._addresses = Addresses()
        self._dead_nodes: set[str] = set()
        for pod in store.list(PODS):
            self._observe(Change("ADDED", PODS, pod, None))
        store.subscribe(self._observe)

    def serves(self, pod_ip: str, port: int) -> bool:
        """Whether a request to that address is answered now; a TCP health check asks the same.

        It is from the end of the start-up on, all through preStop, and after SIGTERM only if the pod
        says so (`workload`). Nobody answers where no pod is, nor on a port that the pod does not declare.
        """
        process = self._listening(pod_ip, port)
        return process is not None and process.serves

    def healthy(self, pod_ip: str, port: int) -> bool:
        """Whether an HTTP health check of a load balancer passes now.

        As `serves`, but false for an image tagged ``:broken``, and from SIGTERM on, whatever is still served.
        """
        process = self._listening(pod_ip, port)
        return process is not None and process.healthy

    def kill_node(self, node: str) -> None:
        """End everything on a node at once, without a word to the API server, until it registers anew."""
        self._dead_nodes.add(node)
        for process in self._processes.values():
            if process.node == node:
                process.cancel()
                process.stage = Stage.GONE

    def _listening(self, pod_ip: str, port: int) -> Process | None:
        process = self._by_address.get(pod_ip)
        if process is None or (process.behaviour.ports and port not in process.behaviour.ports):
            return None
        return process

    def _observe(self, change: Change) -> None:
        if change.resource is PODS:
            self._observe_pod(change)
        elif change.resource is NODES and change.type == "ADDED":
            self._dead_nodes.discard(change.object["metadata"]["name"])
        elif change.resource is NODES and change.type == "DELETED":
            self.kill_node(change.object["metadata"]["name"])

    def _observe_pod(self, change: Change) -> None:
        pod = change.object
        process = self._processes.get(pod["metadata"]["uid"])
        if process is None:
            if change.type != "DELETED" and pod["spec"].get("nodeName"):
                self._accept(pod)
        elif change.type == "DELETED":
            self._forget(process)
        elif process.stage is not Stage.GONE:
            self._follow(process, pod, change.old or pod)

    def _accept(self, pod: Object) -> None:
        node = pod["spec"]["nodeName"]
        if node in self._dead_nodes or is_deleting(pod):
            return
        process = Process(
            pod=key_of(pod),
            uid=pod["metadata"]["uid"],
            node=node,
            ip=self._addresses.take(node),
            since=self._timeline.now,
            behaviour=workload_of(pod),
        )
        self._processes[process.uid] = self._by_address[process.ip] = process
        self._later(process, _SANDBOX, self._start)

    def _follow(self, process: Process, pod: Object, old: Object) -> None:
        """React to what others wrote: annotations, readiness gates, deletion, a shorter grace."""
        if annotations_of(pod) != annotations_of(old):
            process.behaviour = workload_of(pod)
            if process.stage is Stage.MISCONFIGURED:
                self._start(process)
        if is_deleting(pod):
            grace = pod["metadata"]["deletionGracePeriodSeconds"]
            if grace != old["metadata"].get("deletionGracePeriodSeconds"):
                self._stop(process, grace)
        if annotations_of(pod) != annotations_of(old) or _gates(pod) != _gates(old):
            self._report(process)

    def _start(self, process: Process) -> None:
        if process.behaviour.complaint:
            process.stage = Stage.MISCONFIGURED
        elif process.behaviour.image_missing:
            process.stage = Stage.UNPULLABLE
            self._later(process, _PULL_BACK_OFF, self._give_up_pull)
        else:
            process.stage, process.came_up = Stage.STARTING, False
            process.running_since = self._timeline.now
            if process.behaviour.crash_after is not None:
                self._later(process, process.behaviour.crash_after, self._crash)
            self._later(process, process.behaviour.startup, self._come_up)
        self._report(process)

    def _give_up_pull(self, process: Process) -> None:
        process.stage = Stage.BACKING_OFF_PULL
        self._report(process)

    def _come_up(self, process: Process) -> None:
        process.stage, process.came_up = Stage.UP, True
        self._report(process)

    def _crash(self, process: Process) -> None:
        _cancel(process.to_come)
        process.stage = Stage.CRASHED
        self._report(process)
        wait = _CRASH_BACK_OFF * 2 ** (process.restarts - 1) if process.restarts else 0.0
        self._later(process, min(wait, _LONGEST_BACK_OFF), self._restart)

    def _restart(self, process: Process) -> None:
        process.restarts += 1
        self._start(process)

    def _stop(self, process: Process, grace: float) -> None:
        """Plan the end: preStop, SIGTERM, shutdown, and no later than the grace allows SIGKILL."""
        now, speed = self._timeline.now, self._timeline.speed
        if process.stopped_at is None:
            process.stopped_at = now
        _cancel(process.end)
        if process.stage in NOT_RUNNING_YET:
            _cancel(process.to_come)
            process.end.append(self._timeline.at(now, partial(self._finish, process)))
            return
        pre_stop = min(process.behaviour.pre_stop, grace)
        left = max(grace - pre_stop, _LEAST_GRACE if pre_stop else 0.0)
        over = pre_stop + min(process.behaviour.shutdown, left)
        at = process.stopped_at
        process.end.append(self._timeline.at(at + pre_stop / speed, partial(self._terminate, process)))
        process.end.append(self._timeline.at(at + over / speed, partial(self._finish, process)))

    def _terminate(self, process: Process) -> None:
        _cancel(process.to_come)
        if process.stage in NOT_RUNNING_YET:
            self._finish(process)
        else:
            process.stage = Stage.STOPPING

    def _finish(self, process: Process) -> None:
        process.cancel()
        process.stage = Stage.GONE
        self._store.delete(PODS, *process.pod, grace_seconds=0, uid=process.uid)

    def _forget(self, process: Process) -> None:
        process.cancel()
        process.stage = Stage.GONE
        del self._processes[process.uid], self._by_address[process.ip]
        self._addresses.release(process.node, process.ip)

    def _report(self, process: Process) -> None:
        pod = self._store.get(PODS, *process.pod)
        status = status_of(pod, process, self._timeline.now)
        self._store.update_status(PODS, {**pod, "status": status})

    def _later(self, process: Process, seconds: float, what: Callable[[Process], None]) -> None:
        process.to_come.append(self._timeline.after_scaled(seconds, partial(what, process)))


def _cancel(events: list[Event]) -> None:
    for event in events:
        event.cancel()
    events.clear()


def _gates(pod: Object) -> list[Object | None]:
    """The conditions that the pod's readiness waits for."""
    gates = pod["spec"].get("readinessGates") or ()
    return [condition_of(pod, each["conditionType"]) for each in gates]
