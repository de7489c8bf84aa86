"""How large each ReplicaSet of a Deployment should be: the arithmetic of the Deployment controller, pure.

Rules after kubernetes ``pkg/controller/deployment/{sync,rolling}.go`` and ``util/deployment_util.go``. They
read the ReplicaSets' *reported* availability, so they are wrong for as long as the report is late, as there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from saferollout.sim.objects import annotations_of
from saferollout.sim.store import Object

DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"

Sizes = list[tuple[str, int]]
"""New values of ``spec.replicas`` by the names of the ReplicaSets, in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the strategy allows, in pods: ``surge`` more than ``replicas``, ``unavailable`` fewer.

    ``rolling`` is false for ``Recreate``, which knows no proportions.
    """

    replicas: int
    surge: int
    unavailable: int
    rolling: bool = True

    @property
    def ceiling(self) -> int:
        """Most pods at once, ready or not."""
        return self.replicas + self.surge

    @property
    def floor(self) -> int:
        """Fewest available pods."""
        return self.replicas - self.unavailable


def bounds_of(deployment: Object) -> Bounds:
    """Resolve ``spec.strategy``: surge rounds up, unavailable down; one of them is at least 1."""
    replicas = size(deployment)
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return Bounds(replicas, 0, 0, rolling=False)
    rolling = strategy.get("rollingUpdate") or {}
    surge = math.ceil(_pods(rolling.get("maxSurge", "25%"), replicas))
    unavailable = math.floor(_pods(rolling.get("maxUnavailable", "25%"), replicas))
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(replicas, surge, min(unavailable, replicas))


def _pods(amount: int | str, replicas: int) -> float:
    return amount if isinstance(amount, int) else int(amount.rstrip("%")) * replicas / 100


def size(obj: Object) -> int:
    """``spec.replicas``, which defaults to 1."""
    replicas: int = obj["spec"].get("replicas", 1)
    return replicas


def total(replica_sets: Iterable[Object]) -> int:
    """Sum of the sizes."""
    return sum(map(size, replica_sets))


def available(replica_set: Object) -> int:
    """``status.availableReplicas`` as last reported."""
    reported: int = (replica_set.get("status") or {}).get("availableReplicas", 0)
    return reported


def by_age(obj: Object) -> tuple[str, str]:
    """Sort key: oldest first, the name breaks ties of the same second."""
    return obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]


def active(replica_sets: Iterable[Object]) -> list[Object]:
    """Those that have, or ought to have, pods."""
    return [each for each in replica_sets if size(each) > 0]


def grown(bounds: Bounds, new: int, everything: int) -> int:
    """Size for the new ReplicaSet, now ``new`` pods of ``everything``: all the room below the ceiling."""
    if new > bounds.replicas:
        return bounds.replicas
    room = max(0, bounds.ceiling - everything)
    return new + min(room, bounds.replicas - new)


def shrunk(bounds: Bounds, old: Sequence[Object], new: Object) -> Sizes:
    """Sizes for the active old ReplicaSets: unavailable pods go first, then the oldest, down to the floor.

    A ReplicaSet that loses pods for both reasons is written twice.
    """
    budget = total(old) + available(new) - bounds.floor
    sizes: Sizes = []
    if budget <= 0 or not old:
        return sizes
    oldest_first = sorted(old, key=by_age)
    left = {each["metadata"]["name"]: size(each) for each in oldest_first}
    for each in oldest_first:
        if budget == 0:
            break
        unavailable = size(each) - available(each)
        if unavailable < 0:
            return sizes  # the report is older than the last scaling: the original gives up until it is not
        budget -= _take(min(budget, unavailable), each, left, sizes)
    excess = sum(map(available, oldest_first)) + available(new) - bounds.floor
    for each in oldest_first:
        excess -= _take(max(0, excess), each, left, sizes)
    return sizes


def _take(pods: int, replica_set: Object, left: dict[str, int], sizes: Sizes) -> int:
    """Take up to ``pods`` of those ``left``, and return how many these are."""
    name = replica_set["metadata"]["name"]
    go = min(pods, left[name])
    if go:
        left[name] -= go
        sizes.append((name, left[name]))
    return go


def is_scaling(bounds: Bounds, replica_sets: Iterable[Object]) -> bool:
    """Whether ``spec.replicas`` changed since a ReplicaSet with pods was last sized."""
    noted = (annotations_of(each).get(DESIRED_REPLICAS) for each in active(replica_sets))
    return any(desired is not None and desired != str(bounds.replicas) for desired in noted)


def is_saturated(bounds: Bounds, new: Object | None) -> bool:
    """Whether the new ReplicaSet has all the pods it should have, available. Then nothing old is needed."""
    return (
        new is not None
        and size(new) == available(new) == bounds.replicas
        and annotations_of(new).get(DESIRED_REPLICAS) == str(bounds.replicas)
    )


def scaled(bounds: Bounds, new: Object | None, old: Sequence[Object], reported: int) -> Sizes:
    """Sizes after a change of ``spec.replicas``, and in every sync while paused.

    ``reported`` is the Deployment's ``status.replicas``. This is what makes a paused Deployment move: see
    `is_saturated` and `_proportional`.
    """
    everything = [*old, *([new] if new is not None else [])]
    running = active(everything)
    if len(running) <= 1:
        alone = running or ([new] if new is not None else sorted(old, key=by_age)[-1:])
        return [
            (each["metadata"]["name"], bounds.replicas) for each in alone if size(each) != bounds.replicas
        ]
    if is_saturated(bounds, new):
        return [(each["metadata"]["name"], 0) for each in active(old)]
    return _proportional(bounds, running, reported) if bounds.rolling else []


def _proportional(bounds: Bounds, running: list[Object], reported: int) -> Sizes:
    """Spread what is missing to the ceiling, or too much, in proportion; the rest to the largest."""
    allowed = bounds.ceiling if bounds.replicas > 0 else 0
    change = allowed - total(running)
    running.sort(key=by_age, reverse=change > 0)
    running.sort(key=size, reverse=True)
    sizes: Sizes = []
    left = change
    for each in running:
        share = _share(bounds, each, reported) if left else 0
        go = min(share, left) if change > 0 else max(share, left)
        sizes.append((each["metadata"]["name"], size(each) + go))
        left -= go
    largest, wanted = sizes[0]
    sizes[0] = largest, max(0, wanted + left)
    return sizes


def _share(bounds: Bounds, replica_set: Object, reported: int) -> int:
    """By how much one ReplicaSet would change if it kept its part of the whole."""
    now = size(replica_set)
    if bounds.replicas == 0:
        return -now
    before = int(annotations_of(replica_set).get(MAX_REPLICAS, 0)) or reported
    if before == 0:
        return 0
    return math.floor(now * bounds.ceiling / before + 0.5) - now
