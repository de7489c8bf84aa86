"""Observations for tests, with only what a test says differing from the ordinary.

The ordinary: ReplicaSets ``v1`` (stable) and ``v2`` (target); pods ``v1-1``, ``v1-2``, … at addresses of
their own names, in the zones ``a``, ``b`` and ``c`` in turn, Ready for long; all of them healthy in one
target group, ``web``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from saferollout.api.reasons import Reason
from saferollout.decide import gates, ledger, victims
from saferollout.decide.answers import Target, TargetGroup, TargetState
from saferollout.decide.decision import Change, Decision
from saferollout.decide.fences import WALL
from saferollout.decide.memory import Draining, Failed
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from saferollout.decide.rollout import Rollout
from saferollout.decide.workload import ContainerPort, Deployment, Pod, ReplicaSet, Strategy

NOW = 1_800_000_000.0
PORT = 8080
LONG = 1000.0
"""Seconds for which an ordinary pod has been Ready."""

USERS = Strategy("RollingUpdate", "25%", "25%")
"""The strategy that an ordinary user writes, or leaves to Kubernetes."""

GONE = Draining("arn-web", "ip-gone", PORT, "v1-9", "a", NOW - 30)
"""A target on record whose pod is gone."""

FAILURE = Failed("v2", "v2", restored="v1", cause="ImagePullBackOff on 1 pod in a", at=NOW - 60)
"""Of the target revision, by what has been rolled back to the stable one."""

_AGES = {"v1": 9000.0, "v2": 3000.0, "v3": 2000.0}


def pod(name: str, zone: str | None = "a", *, ready_for: float | None = LONG, **other: Any) -> Pod:
    """A running pod of the ReplicaSet that its name begins with."""
    usual: dict[str, Any] = {
        "uid": f"uid-{name}",
        "owner": name.split("-", maxsplit=1)[0],
        "created_at": NOW - LONG - 60.0,
        "ip": f"ip-{name}",
        "ports": (ContainerPort(PORT, "http"),),
        "node": f"node-{zone}",
        "zone": zone,
        "phase": "Running",
        "ready_since": None if ready_for is None else NOW - ready_for,
    }
    return Pod(name, **(usual | other))


def pods(revision: str, count: int, *, zones: str = "abc", **other: Any) -> tuple[Pod, ...]:
    """So many pods of a ReplicaSet, over the zones in turn."""
    return tuple(
        pod(f"{revision}-{number + 1}", zones[number % len(zones)], **other) for number in range(count)
    )


def replica_set(name: str, replicas: int, **other: Any) -> ReplicaSet:
    """A ReplicaSet all of whose pods are available."""
    usual: dict[str, Any] = {
        "uid": name,
        "hash": name,
        "template": name,
        "created_at": NOW - _AGES[name],
        "available": replicas,
        "owner": "uid-web",
    }
    return ReplicaSet(name, replicas=replicas, **(usual | other))


def deployment(replicas: int, **other: Any) -> Deployment:
    """A Deployment that the operator has never touched, of template ``v2``."""
    usual: dict[str, Any] = {
        "uid": "uid-web",
        "resource_version": "7",
        "generation": 2,
        "observed_generation": 2,
        "paused": False,
        "strategy": USERS,
        "min_ready_seconds": 0,
        "progress_deadline_seconds": 600,
        "template": "v2",
    }
    return Deployment("shop", "web", replicas=replicas, **(usual | other))


def group(of: Iterable[Pod], states: Mapping[str, str] | None = None, **other: Any) -> TargetGroup:
    """A target group that has just answered; ``states`` are those of pods, by name, that are not healthy."""
    told = states or {}
    targets = tuple(
        Target(each.ip, PORT, TargetState(told.get(each.name, "healthy")))
        for each in of
        if each.ip is not None and told.get(each.name) != "absent"
    )
    name = other.pop("name", "web")
    usual: dict[str, Any] = {"arn": f"arn-{name}", "targets": targets, "asked_at": NOW}
    return TargetGroup(name=name, **(usual | other))


def observed(sets: Iterable[ReplicaSet], of: Iterable[Pod], found: Deployment, **other: Any) -> Observation:
    """What is there, with every pod a healthy target of ``web``."""
    everything = tuple(of)
    usual: dict[str, Any] = {"policy": Policy(), "target_groups": (group(everything),)}
    return Observation(
        NOW, "web", deployment=found, replica_sets=tuple(sets), pods=everything, **(usual | other)
    )


def fresh(
    replicas: int = 3, *, new: int = 1, old: int | None = None, superseded: int = 0, **other: Any
) -> Observation:
    """The middle of a rollout of which the operator has not done anything yet; sizes as after a step of 1.

    ``superseded`` pods are of a revision ``v3`` that never became the stable one.
    """
    kept = replicas + 1 - new - superseded if old is None else old
    sizes = {"v1": kept, "v2": new} | ({"v3": superseded} if superseded else {})
    of = tuple(each for name, size in sizes.items() for each in pods(name, size))
    return observed((replica_set(*each) for each in sizes.items()), of, deployment(replicas), **other)


def rolling(replicas: int = 3, **other: Any) -> Observation:
    """The same with the Deployment paused by the operator: the next thing is to plan a release."""
    seen = fresh(replicas, **other)
    return acted(seen, decide(seen))


def failed(replicas: int = 3, **other: Any) -> Observation:
    """The same with the only new pod not healthy for longer than it may be."""
    seen = with_states(rolling(replicas, **other), v2_1="unhealthy")
    memory = replace(
        seen.memory, failing_since=NOW - 601, reason=Reason.WAITING_FOR_HEALTH, waiting_since=NOW - 601
    )
    return replace(seen, memory=memory)


def releasable(replicas: int = 3, **other: Any) -> Observation:
    """The same with the costs written and settled: every gate is open."""
    seen = rolling(replicas, **other)
    return acted(seen, decide(seen), later=seen.tuning.settle)


def untouched(replicas: int = 3, **other: Any) -> Observation:
    """A Deployment with one revision that the operator has not adopted yet."""
    return observed((replica_set("v2", replicas),), pods("v2", replicas), deployment(replicas), **other)


def at_rest(replicas: int = 3, **other: Any) -> Observation:
    """A Deployment that is adopted and has nothing to do."""
    seen = untouched(replicas, **other)
    return acted(seen, decide(seen))


def acted(seen: Observation, decision: Decision, *, later: float = 0.0) -> Observation:
    """The same when the decision has been acted out. No controller has noticed yet, but walls work."""
    costs: dict[str, dict[str, Any]] = {
        each.pod: {"deletion_cost": each.cost, "cost_before": each.before} for each in decision.costs
    }
    fences = {each.replica_set: each.min_ready_seconds for each in decision.fences}
    found = seen.deployment
    if found is not None and decision.change is not None:
        found = changed(found, decision.change)
    return replace(
        seen,
        now=seen.now + later,
        memory=decision.memory,
        deployment=found,
        pods=tuple(replace(each, **costs.get(each.name, {})) for each in seen.pods),
        replica_sets=tuple(
            _fenced(each, fences[each.name]) if each.name in fences else each for each in seen.replica_sets
        ),
    )


def _fenced(found: ReplicaSet, seconds: int) -> ReplicaSet:
    available = found.replicas if seconds < WALL else 0
    return replace(found, min_ready_seconds=seconds, available=available, noted=False)


def changed(found: Deployment, change: Change) -> Deployment:
    """The Deployment as the change leaves it."""
    text = None if change.ledger is None else ledger.write(change.ledger)
    settings = {name: getattr(change.settings, name) for name in ledger.SETTINGS}
    return replace(found, ledger=text, label=change.label, held_by_guard=False, **settings)


def edited(seen: Observation, **fields: Any) -> Observation:
    """The same after somebody has written fields of the Deployment."""
    assert seen.deployment is not None
    return replace(seen, deployment=replace(seen.deployment, **fields))


def with_pod(seen: Observation, name: str, **fields: Any) -> Observation:
    """The same with one pod differing."""
    return replace(
        seen, pods=tuple(replace(each, **fields) if each.name == name else each for each in seen.pods)
    )


def with_states(seen: Observation, **states: str) -> Observation:
    """The same with some targets of ``web`` not healthy; ``v1_1="draining"`` is about the pod ``v1-1``."""
    told = {name.replace("_", "-"): state for name, state in states.items()}
    return replace(seen, target_groups=(group(seen.pods, told, asked_at=seen.now),))


def rollout_of(seen: Observation) -> Rollout:
    """The observation, sorted."""
    assert seen.deployment is not None
    return Rollout(seen, seen.deployment)


def step_of(seen: Observation) -> gates.Step:
    """The release that would be considered now."""
    rollout = rollout_of(seen)
    memory = seen.memory
    plan = victims.plan(rollout, rollout.floors)
    return gates.Step(rollout, plan, memory.draining, memory.planned_at or seen.now)


def releasing() -> Observation:
    """A release has just been made."""
    seen = releasable()
    return acted(seen, decide(seen))


def draining(seen: Observation) -> Observation:
    """The same with a retired pod whose target drains."""
    web = seen.target_groups[0]
    more = (*(web.targets or ()), Target("ip-gone", PORT, TargetState.DRAINING))
    memory = replace(seen.memory, draining=(GONE,), started_at=NOW - 600)
    return replace(seen, memory=memory, target_groups=(replace(web, targets=more),))
