"""How a simulated application behaves, as its pod says: annotations, image tag, and the pod's own fields.

======================================= ====================================================================
``sim.saferollout.dev/startup: 35s``     from the start of the container to the first answer; default 2s
``sim.saferollout.dev/ready: never``     it runs, and answers nobody: neither probes nor requests
``sim.saferollout.dev/crash: after 3s``  the process ends 3s after each start
``sim.saferollout.dev/shutdown: 40s``    from SIGTERM to the end of the process; default 0s
``…/serves-while-stopping: "true"``      requests are answered between SIGTERM and the end of the process
image tag ``:broken``                    ready for Kubernetes, but fails the health checks of load balancers
image tag ``:crash``                     ends 1s after each start, before it is ready
image tag ``:missing``                   cannot be pulled
======================================= ====================================================================

Annotations are followed while the pod runs: annotating a pod with ``ready=never`` makes it unready.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import durationpy

from saferollout.sim.objects import annotations_of
from saferollout.sim.store import Object

PREFIX = "sim.saferollout.dev/"
STARTUP = f"{PREFIX}startup"
READY = f"{PREFIX}ready"
CRASH = f"{PREFIX}crash"
SHUTDOWN = f"{PREFIX}shutdown"
SERVES_WHILE_STOPPING = f"{PREFIX}serves-while-stopping"


@dataclass(frozen=True, slots=True)
class Workload:
    """The behaviour of one pod. Durations are seconds of the simulation; ``ports`` empty means any port.

    ``complaint`` is what cannot be understood of it; a container with one is not created.
    """

    startup: float = 2.0
    answers: bool = True
    crash_after: float | None = None
    shutdown: float = 0.0
    serves_while_stopping: bool = False
    passes_checks: bool = True
    image_missing: bool = False
    pre_stop: float = 0.0
    ports: frozenset[int] = frozenset()
    complaint: str = ""


def workload_of(pod: Object) -> Workload:
    """Read a pod's behaviour."""
    said = annotations_of(pod)
    containers = pod["spec"]["containers"]
    tags = {each.get("image", "").rpartition(":")[2] for each in containers}
    crash = "after 1s" if "crash" in tags else said.get(CRASH)
    try:
        return Workload(
            startup=_seconds(said.get(STARTUP, "2s")),
            answers=said.get(READY) != "never",
            crash_after=_seconds(crash.removeprefix("after ")) if crash else None,
            shutdown=_seconds(said.get(SHUTDOWN, "0s")),
            serves_while_stopping=said.get(SERVES_WHILE_STOPPING) == "true",
            passes_checks="broken" not in tags,
            image_missing="missing" in tags,
            pre_stop=max((_pre_stop(each) for each in containers), default=0.0),
            ports=frozenset(port["containerPort"] for each in containers for port in each.get("ports") or ()),
        )
    except ValueError as error:
        return Workload(complaint=str(error))


@lru_cache(maxsize=1024)
def _seconds(written: str) -> float:
    try:
        seconds: float = durationpy.from_str(written).total_seconds()
    except durationpy.DurationError as error:
        raise ValueError(f"{written!r} is no duration such as 35s or 1m30s") from error
    return seconds


def _pre_stop(container: Object) -> float:
    """Seconds of ``preStop``: its own ``sleep``, or a ``sleep N`` somewhere in its command."""
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if "sleep" in hook:
        return float(hook["sleep"]["seconds"])
    words: list[str] = " ".join((hook.get("exec") or {}).get("command") or ()).split()
    for word, following in pairwise(words):
        if word.endswith("sleep") and following.rstrip("s;").replace(".", "", 1).isdigit():
            return float(following.rstrip("s;"))
    return 0.0
