"""The process in a pod as the kubelet follows it, and the pod's status that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from saferollout.sim.objects import Key, condition_of, conditions_of, put_condition
from saferollout.sim.store import Object
from saferollout.sim.timeline import Event
from saferollout.sim.timestamps import timestamp
from saferollout.sim.workload import Workload


class Stage(Enum):
    """Where a process stands. ``GONE`` is killed: with its node, or at the end of its grace."""

    CREATING = "ContainerCreating"
    UNPULLABLE = "ErrImagePull"
    BACKING_OFF_PULL = "ImagePullBackOff"
    MISCONFIGURED = "CreateContainerConfigError"
    STARTING = "starting"
    UP = "up"
    CRASHED = "CrashLoopBackOff"
    STOPPING = "stopping"
    GONE = "gone"


NOT_RUNNING_YET = frozenset(
    {Stage.CREATING, Stage.UNPULLABLE, Stage.BACKING_OFF_PULL, Stage.MISCONFIGURED, Stage.CRASHED}
)
"""No process: nothing to stop when the pod is deleted."""


@dataclass(slots=True)
class Process:
    """What runs, or is to run, in one pod. Times are seconds since the epoch."""

    pod: Key
    uid: str
    node: str
    ip: str
    since: float
    behaviour: Workload
    stage: Stage = Stage.CREATING
    came_up: bool = False
    restarts: int = 0
    running_since: float | None = None
    stopped_at: float | None = None
    to_come: list[Event] = field(default_factory=list)
    end: list[Event] = field(default_factory=list)

    @property
    def serves(self) -> bool:
        """Whether it answers requests at this moment."""
        if self.stage is Stage.STOPPING:
            return self.came_up and self.behaviour.answers and self.behaviour.serves_while_stopping
        return self.stage is Stage.UP and self.behaviour.answers

    @property
    def healthy(self) -> bool:
        """Whether it passes the HTTP health check of a load balancer: it fails them from SIGTERM on."""
        return self.stage is Stage.UP and self.behaviour.answers and self.behaviour.passes_checks

    def cancel(self) -> None:
        """Let nothing more happen to it."""
        for event in (*self.to_come, *self.end):
            event.cancel()
        self.to_come.clear()
        self.end.clear()


def status_of(pod: Object, process: Process, now: float) -> Object:
    """``status`` of the pod for what its process does: phase, address, containers, conditions."""
    ready = process.stage is Stage.UP and process.behaviour.answers
    began = process.running_since is not None
    containers = [_container_status(each, process, ready=ready) for each in pod["spec"]["containers"]]
    conditions = put_condition(conditions_of(pod), {"type": "Initialized", "status": "True"}, now)
    unready = "" if ready else f"containers with unready status: [{_names(pod)}]"
    for verdict in (
        _verdict("ContainersReady", "ContainersNotReady", unready),
        _verdict("Ready", *_why_not_ready(pod, unready)),
    ):
        conditions = put_condition(conditions, verdict, now)
    addressed = {"podIP": process.ip, "podIPs": [{"ip": process.ip}]} if began else {}
    return {
        **(pod.get("status") or {}),
        "phase": "Running" if began else "Pending",
        "startTime": timestamp(process.since),
        **addressed,
        "containerStatuses": containers,
        "conditions": conditions,
    }


def _why_not_ready(pod: Object, unready: str) -> tuple[str, str]:
    """Reason and message of a Ready condition that is false; the message is empty when it is true."""
    if unready:
        return "ContainersNotReady", unready
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        found = condition_of(pod, kind)
        if found is None:
            why = f'corresponding condition of pod readiness gate "{kind}" does not exist.'
            return "ReadinessGatesNotReady", why
        if found["status"] != "True":
            return (
                "ReadinessGatesNotReady",
                f'the status of pod readiness gate "{kind}" is not "True", but {found["status"]}',
            )
    return "", ""


def _verdict(kind: str, reason: str, message: str) -> Object:
    if not message:
        return {"type": kind, "status": "True"}
    return {"type": kind, "status": "False", "reason": reason, "message": message}


def _names(pod: Object) -> str:
    return " ".join(each["name"] for each in pod["spec"]["containers"])


def _container_status(container: Object, process: Process, *, ready: bool) -> Object:
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "ready": ready,
        "started": ready,
        "restartCount": process.restarts,
        "state": _container_state(process),
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}} if process.restarts else {},
    }


def _container_state(process: Process) -> Object:
    if process.stage in NOT_RUNNING_YET:
        complaint = process.behaviour.complaint
        return {"waiting": {"reason": process.stage.value, **({"message": complaint} if complaint else {})}}
    if process.stage is Stage.GONE:
        return {"terminated": {"exitCode": 137, "reason": "Error"}}
    return {"running": {"startedAt": timestamp(process.running_since or process.since)}}
