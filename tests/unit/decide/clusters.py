"""Generated clusters: ``anything`` that could be observed, and ``rollouts`` in which something may be wrong.

A pod is one of a few kinds, so that a whole cluster takes few choices and shrinks to a small one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from saferollout.api.reasons import Reason
from saferollout.decide import fences, ledger
from saferollout.decide.answers import Target, TargetGroup, TargetState
from saferollout.decide.decision import Move
from saferollout.decide.ledger import Release, Settings
from saferollout.decide.memory import Because, Chosen, Draining, Failed, Memory
from saferollout.decide.observation import Action, Asked, Observation, Problem
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy, Tuning
from saferollout.decide.victims import LOWEST_COST
from saferollout.decide.workload import ContainerPort, Deployment, Pod, Strategy
from unit.decide.given import LONG, NOW, PORT, USERS, acted, edited, fresh, group, pod, replica_set, with_pod

Kind = tuple[dict[str, Any], str]
"""What differs of a pod from the ordinary, and the state of its target."""

_SERVING: Kind = ({}, "healthy")
_OURS = {"deletion_cost": LOWEST_COST, "cost_before": ""}
KINDS: tuple[Kind, ...] = (
    *(_SERVING,) * 6,
    ({}, "initial"),
    ({}, "unhealthy"),
    ({}, "unhealthy.draining"),
    ({}, "unused"),
    ({}, "draining"),
    ({}, "absent"),
    ({"zone": None}, "healthy"),
    ({"ports": ()}, "healthy"),
    ({"ports": (ContainerPort(9090),)}, "healthy"),
    ({"ready_since": NOW - 0.5}, "healthy"),
    ({"ready_since": NOW - 3.5}, "healthy"),
    ({"ready_since": NOW + 2.0}, "healthy"),
    ({"ready_since": None}, "initial"),
    ({"ready_since": None, "phase": "Pending"}, "absent"),
    ({"ready_since": None, "phase": "Pending", "node": None, "ip": None, "zone": None}, "absent"),
    ({"ready_since": None, "phase": "Failed"}, "draining"),
    ({"phase": "Succeeded", "ready_since": None}, "absent"),
    ({"terminating": True}, "healthy"),
    ({"terminating": True}, "draining"),
    ({"terminating": True, "ready_since": None}, "unused"),
    ({"deletion_cost": "5"}, "healthy"),
    ({"deletion_cost": LOWEST_COST, "cost_before": "5"}, "healthy"),
    (_OURS, "healthy"),
    (_OURS, "healthy"),
    ({"ip": "ip-shared"}, "healthy"),
)

_PLACED: tuple[Kind, ...] = tuple(
    ({"zone": zone} | fields, state) for fields, state in KINDS for zone in "abc"
)
_REVISIONS = ("v1", "v2", "v3")
_AMOUNTS: st.SearchStrategy[int | str] = st.sampled_from([0, 1, 2, 3, "0%", "25%", "34%", "100%"])
_MOMENTS = st.none() | st.sampled_from([NOW - 5000.0, NOW - 700.0, NOW - 30.5, NOW - 1.0, NOW])
_STEPPED = Strategy("RollingUpdate", 1, 0)
_SOME_SETTINGS = tuple(
    Settings(*row)
    for row in (
        (False, USERS, 0, 600),
        (False, _STEPPED, 0, 600),
        (True, _STEPPED, fences.WALL, fences.WALL + 600),
        (True, _STEPPED, 0, 600),
        (True, Strategy("RollingUpdate", 2, 0), 0, 600),
        (False, _STEPPED, 40, 640),
        (True, USERS, 30, None),
        (False, Strategy("Recreate"), 0, 2**31 - 1),
    )
)
_MALFORMED = (
    "",
    "{",
    "[]",
    "null",
    "3",
    '"x"',
    '{"users":3}',
    '{"users":{"strategy":4}}',
    '{"release":{"new":1}}',
)
_releases = st.builds(
    Release, st.sampled_from(_REVISIONS), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)
)


def _ledger_text(users: Settings, ours: Settings, release: Release | None) -> str | None:
    kept = ledger.keep(users, ours, release)
    return None if kept is None else ledger.write(kept)


_ledgers = st.one_of(
    st.none(),
    st.sampled_from(_MALFORMED),
    st.builds(
        _ledger_text, st.sampled_from(_SOME_SETTINGS), st.sampled_from(_SOME_SETTINGS), st.none() | _releases
    ),
)
_drainings = st.builds(
    Draining,
    target_group=st.sampled_from(["arn-web", "arn-gone"]),
    id=st.sampled_from(["ip-v1-1", "ip-v2-1", "ip-left", "ip-shared"]),
    port=st.sampled_from([PORT, 9090]),
    pod=st.sampled_from(["v1-1", "v1-9", ""]),
    zone=st.sampled_from(["a", None]),
    since=st.sampled_from([NOW - 5000.0, NOW - 20.0]),
)
_had = st.none() | st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=1).map(
    lambda found: tuple(sorted(found.items()))
)


_failures = st.builds(
    Failed,
    revision=st.just("v2"),
    template=st.sampled_from(["v2", "v3"]),
    restored=st.just("v1"),
    cause=st.sampled_from(["ImagePullBackOff on 2 pods in a", "aborted by kubectl-annotate"]),
    at=st.just(NOW - 60.0),
    rolled_back=st.booleans(),
)
_actions = st.sampled_from([None, None, *Action, "aprove"]).map(
    lambda action: None if action is None else Asked(action, "kubectl-annotate")
)


def _chosen(names: tuple[str, ...]) -> tuple[Chosen, ...]:
    return tuple(Chosen(name, "a", Because.MOST_TO_SPARE) for name in names)


memories = st.builds(
    Memory,
    stable=st.sampled_from([None, "v1"]),
    target=st.sampled_from([None, "v2", "v3"]),
    reason=st.none() | st.sampled_from(Reason),
    waiting_since=_MOMENTS,
    started_at=_MOMENTS,
    step_started_at=_MOMENTS,
    had=_had,
    retiring=st.sampled_from([(), ("v1-1",), ("v1-1", "v1-2"), ("v9-9",)]).map(_chosen),
    planned_at=_MOMENTS,
    draining=st.lists(
        _drainings, max_size=2, unique_by=lambda each: (each.target_group, each.id, each.port)
    ).map(tuple),
    failing_since=_MOMENTS,
    baking_since=_MOMENTS,
    approved=st.sampled_from([(), ("1",), ("1", "50%")]),
    skipped=st.sampled_from([(), (), (Reason.WAITING_FOR_DRAIN,)]),
    skipped_at=_MOMENTS,
    failed=st.none() | _failures,
)
policies = st.builds(
    Policy,
    max_surge=_AMOUNTS.filter(lambda amount: amount not in {0, "0%"}),
    min_healthy=_AMOUNTS,
    paused=st.sampled_from([False, False, False, True]),
    bake=st.sampled_from([0.0, 0.0, 5.0]),
    approvals=st.sampled_from([(), (), (1,), ("50%", 4)]),
    rolls_back=st.booleans(),
)
_problems = st.sampled_from(
    [(), (), (), (Problem(Reason.CACHE_STALE, "lost"),), (Problem(Reason.INVALID_SPEC, "step: wrong"),)]
)


_sets = st.builds(
    lambda revision, size, follows, available, fence, noted: replica_set(
        revision,
        size,
        template="v2" if follows else revision,
        available=min(available, size + 1),
        min_ready_seconds=fence,
        noted=noted,
    ),
    st.sampled_from(_REVISIONS),
    st.integers(0, 5),
    st.sampled_from([False, False, False, True]),
    st.integers(0, 6),
    st.sampled_from([0, 0, 30, fences.WALL]),
    st.booleans(),
)
_some_sets = st.lists(_sets, max_size=3, unique_by=lambda each: each.name)
_off = st.sampled_from([0, 0, 0, 0, 0, 1, -1])
"""By how many pods a ReplicaSet misses the size that it is told to have."""
_placed = st.sampled_from(_PLACED)
_asked = st.sampled_from([NOW, NOW, NOW - 4.0, NOW - 60.0])
_extra_targets = st.sampled_from(
    [(), (), (), (Target("ip-left", PORT, TargetState.DRAINING),), (Target("", 0, TargetState.UNUSED),)]
)
_answers = st.sampled_from(["web", "web", "web", "web silent", "web stale", "silent", ""])


def _kept(live: Settings, users: Settings, text: str | None, release: Release | None) -> str | None:
    """The ledger that goes with the live settings, unless another text is given."""
    return _ledger_text(users, live, release) if text == "kept" else text


_deployments = st.builds(
    lambda live, seen_generation, replicas, template, users, text, release: Deployment(
        "shop",
        "web",
        uid="uid-web",
        resource_version="7",
        generation=3,
        observed_generation=seen_generation,
        replicas=replicas,
        template=template,
        ledger=_kept(live, users, text, release),
        paused=live.paused,
        strategy=live.strategy,
        min_ready_seconds=live.min_ready_seconds,
        progress_deadline_seconds=live.progress_deadline_seconds,
    ),
    st.sampled_from(_SOME_SETTINGS),
    st.sampled_from([3, 3, 3, 2]),
    st.integers(0, 6),
    st.sampled_from(["v2", "v3"]),
    st.sampled_from(_SOME_SETTINGS[:2]),
    st.just("kept") | _ledgers,
    st.none() | _releases,
)


@st.composite
def anything(draw: st.DrawFn) -> Observation:
    """Draw an observation of which nothing has to make sense."""
    sets = draw(_some_sets)
    members: list[Pod] = []
    states: dict[str, str] = {}
    for each in sets:
        for number in range(max(0, each.replicas + draw(_off))):
            fields, state = draw(_placed)
            members.append(pod(f"{each.name}-{number + 1}", **fields))
            states[members[-1].name] = state
    web = group(members, states, asked_at=draw(_asked))
    web = replace(web, targets=(*(web.targets or ()), *draw(_extra_targets)))
    answers = {
        "web": web,
        "silent": TargetGroup("arn-silent", "silent", problem=Reason.THROTTLED, detail="Rate exceeded"),
        "stale": replace(web, arn="arn-stale", name="stale", problem=Reason.ELB_ERROR, detail="500"),
    }
    return Observation(
        NOW,
        "web",
        policy=draw(policies),
        memory=draw(memories),
        deployment=draw(_deployments) if draw(_present) else None,
        replica_sets=tuple(sets),
        pods=tuple(members),
        target_groups=tuple(answers[name] for name in draw(_answers).split()),
        problems=draw(_problems),
        deleting=draw(_deleting),
        foreign=draw(_foreign),
        asked=draw(_actions),
    )


_present = st.sampled_from([True] * 9 + [False])
_deleting = st.sampled_from([False, False, False, True])
_foreign = st.sampled_from([frozenset[str](), frozenset({"ip-left"})])

_names = st.sampled_from([f"{revision}-{number}" for revision in _REVISIONS for number in range(1, 5)])
_faults = st.lists(st.tuples(_names, st.sampled_from(KINDS)), max_size=3)
_users_fences = st.sampled_from([0, 0, 0, 4, 30])
_ages = st.sampled_from([LONG, LONG, LONG, 10.0, 0.5])
_zones = st.lists(st.sampled_from("aabc"), min_size=13, max_size=13)


def _with_fault(seen: Observation, name: str, kind: Kind) -> Observation:
    """Return the same with one pod, if it is there, of another kind."""
    fields, state = kind
    web = seen.target_groups[0]
    targets = (
        replace(each, state=TargetState(state)) if each.id == f"ip-{name}" and state != "absent" else each
        for each in web.targets or ()
        if each.id != f"ip-{name}" or state != "absent"
    )
    return replace(with_pod(seen, name, **fields), target_groups=(replace(web, targets=tuple(targets)),))


@st.composite
def rollouts(draw: st.DrawFn) -> Observation:
    """Draw a rollout that is under way in good order, a few turns on, and up to three faults."""
    replicas = draw(st.integers(0, 8))
    new = draw(st.integers(0, replicas))
    old = replicas - new + draw(st.integers(0, 3))
    superseded = draw(st.sampled_from([0, 0, 1, 2]))
    seen = fresh(
        replicas,
        new=new,
        old=max(0, old - superseded),
        superseded=superseded,
        policy=draw(policies),
        tuning=Tuning(least_fence=3.0),
    )
    seen = edited(seen, min_ready_seconds=draw(_users_fences))
    zones, age = draw(_zones), draw(_ages)
    placed = (replace(each, zone=zones[number]) for number, each in enumerate(seen.pods))
    aged = (replace(each, ready_since=NOW - age) if each.owner == "v2" else each for each in placed)
    seen = replace(seen, pods=tuple(aged))
    for _ in range(draw(st.integers(0, 3))):
        decision = decide(seen)
        if decision.move is Move.RELEASE:
            break
        seen = acted(seen, decision, later=2.0)
    for name, kind in draw(_faults):
        seen = _with_fault(seen, name, kind)
    web = seen.target_groups[0]
    return replace(seen, target_groups=(replace(web, targets=(*(web.targets or ()), *draw(_extra_targets))),))
