"""Why pods do not come, start or serve: taken from ReplicaSet, pod and target, and told together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from saferollout.decide.rollout import Rollout
from saferollout.decide.serving import Serving
from saferollout.decide.workload import Pod


def of(pods: Iterable[Pod], serving: Serving) -> list[str]:
    """Return why those of these pods that do not serve do not, what is the same in a zone but once.

    What keeps a pod from starting comes first: ``ImagePullBackOff on 2 pods in us-east-1b``. Then what ELBv2
    says of those that have started.
    """
    down = [pod for pod in pods if not serving.serves(pod)]
    in_trouble = [pod for pod in down if pod.trouble and pod.ready_since is None]
    counts = Counter((pod.trouble, pod.zone) for pod in in_trouble)
    named = {pod.name for pod in in_trouble}
    return [
        *(_on(trouble, zone, count) for (trouble, zone), count in sorted(counts.items(), key=str)),
        *serving.reasons(pod for pod in down if pod.name not in named),
    ]


def refusals(rollout: Rollout) -> Iterator[str]:
    """Yield why the ReplicaSet controller gets no pods: a quota, or an admission that denies them."""
    for each in (*filter(None, [rollout.target]), *rollout.old_sets):
        if each.failure:
            yield f"replicaset/{each.name}: {each.failure}"


def _on(trouble: str, zone: str | None, count: int) -> str:
    which = "1 pod" if count == 1 else f"{count} pods"
    return f"{trouble} on {which}" + (f" in {zone}" if zone else "")
