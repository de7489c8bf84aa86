"""What a status remembers beyond what it lists, and that it stays below 64 KiB however much that is."""

from __future__ import annotations

import base64
import json
import lzma
from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferollout.api.reasons import Reason
from saferollout.api.recall import memory_of, read_status
from saferollout.api.report import HISTORY_LENGTH, report, to_json
from saferollout.api.status import Status
from saferollout.api.unshown import LISTED, Unshown, pack, unpack
from saferollout.decide.answers import Target, TargetGroup, TargetState
from saferollout.decide.decision import Decision, Finished
from saferollout.decide.memory import Because, Chosen, Draining, Lost, Memory, Takeover
from saferollout.decide.observation import Observation, Problem
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from saferollout.decide.takeovers import API_NAMES
from saferollout.decide.workload import ContainerPort, Disruption, Pod
from unit.decide.given import NOW, acted, deployment, replica_set

MOST = 64 * 1024
PODS, GROUPS = 1000, 20
SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
NAME = "checkout-service-of-the-shop-in-production".ljust(57, "x")
"""The longest that the names of a ReplicaSet's pods begin with: 63 characters with what makes them differ."""

moments = st.integers(0, 4_000_000_000_000_000).map(lambda microseconds: microseconds / 1e6)
draining = st.builds(
    Draining,
    target_group=st.text(max_size=5),
    id=st.text(max_size=5),
    port=st.integers(0, 65535),
    pod=st.text(max_size=5),
    zone=st.none() | st.sampled_from("abc"),
    since=moments,
    ended_at=st.none() | moments,
)
chosen = st.builds(Chosen, st.text(max_size=5), st.none() | st.sampled_from("abc"), st.sampled_from(Because))


def order(entries: tuple[Draining, ...]) -> list[Draining]:
    return sorted(entries, key=repr)


leaving = st.tuples(st.sampled_from(Disruption), st.text(max_size=5))


@given(st.lists(draining).map(tuple), st.lists(chosen).map(tuple), st.lists(leaving).map(tuple))
def test_what_is_packed_is_remembered(
    targets: tuple[Draining, ...], pods: tuple[Chosen, ...], lost: tuple[tuple[Disruption, str], ...]
) -> None:
    again = unpack(pack(Unshown(targets, pods, lost)))
    assert order(again.draining) == order(targets)
    assert (again.retiring, again.leaving) == (pods, lost)


def test_nothing_is_packed_when_all_is_listed() -> None:
    assert pack(Unshown()) is None
    assert unpack(None) == Unshown()


def packed(content: Any) -> str:
    return base64.b64encode(lzma.compress(json.dumps(content).encode())).decode()


ROW = {"pod": [0], "zone": [0], "ports": [0], "since": [1.0], "ended": [None], "address": ["10.0.0.1"]}
SHARED = {"pods": ["pod"], "zones": ["a"], "groups": ["arn"], "ports": [[[0, 80]]]}


def test_what_is_well_formed_is_read() -> None:
    again = unpack(packed({"draining": ROW, "leaving": [["Other", 0]]} | SHARED))
    assert again.draining == (Draining("arn", "10.0.0.1", 80, "pod", "a", 1.0),)
    assert again.leaving == ((Disruption.OTHER, "pod"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none of it",
        "äöü",
        base64.b64encode(b"not compressed").decode(),
        packed([]),
        packed({"draining": {"pod": [0]}, "pods": ["pod"]}),
        packed({"draining": ROW}),
        packed({"draining": ROW | {"pod": [-1]}} | SHARED),
        packed({"draining": ROW | {"since": [1e99]}} | SHARED),
        packed({"draining": ROW | {"ports": [3]}} | SHARED),
        packed({"retiring": [[0, 0, "Because"]]} | SHARED),
        packed({"leaving": [["Other", 1]]} | SHARED),
        packed("0" * 2**25),
        packed({"groups": ["a"]})[:-8],
    ],
)
def test_what_is_malformed_counts_as_absent(text: str) -> None:
    assert unpack(text) == Unshown()


def test_a_list_that_is_short_is_written_out_whole() -> None:
    targets = tuple(Draining("arn", f"10.0.0.{n}", 80, f"pod-{n}", "a", NOW) for n in range(LISTED))
    told = report(
        Decision(Reason.WAITING_FOR_DRAIN, "drains", Memory(draining=targets), _no_picture()),
        previous=Status(),
        problems=(),
        generation=1,
        now=NOW,
    )
    assert told.unshown is None
    assert memory_of(told).draining == targets


def _no_picture() -> Any:
    return decide(Observation(NOW, "web", Policy())).picture


# --- the worst that is promised: 1,000 pods, 20 target groups, all draining, all with long names


def groups_of(pods: tuple[Pod, ...], state: TargetState) -> tuple[TargetGroup, ...]:
    made = []
    for number in range(GROUPS):
        name = f"k8s-shop-checkout{number:02}".ljust(32, "x")
        made.append(
            TargetGroup(
                f"arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:targetgroup/{name}"
                f"/{number * 0x1234567890ABC:016x}",
                name,
                targets=tuple(Target(pod.ip, 10_000 + number, state) for pod in pods if pod.ip),
                asked_at=NOW,
                ports=(10_000 + number,),
                source=f"TargetGroupBinding {'b' * 253} (Service {'s' * 63}, port {'p' * 15})",
            )
        )
    return tuple(made)


def many_pods(revision: str, chance: Random) -> tuple[Pod, ...]:
    """Pods with addresses and names that have no more in common than they must."""
    return tuple(
        Pod(
            name=f"{NAME}-{''.join(chance.choices(SUFFIX, k=5))}",
            uid=f"{revision}-{number}",
            owner=revision,
            created_at=NOW - 2000,
            ip=f"2600:1f14:abc:{chance.getrandbits(16):x}:{chance.getrandbits(16):x}::{number:x}",
            ports=tuple(ContainerPort(10_000 + each) for each in range(GROUPS)),
            node=f"node-{number}",
            zone=f"us-gov-west-1{chance.choice('abcdef')}",
            phase="Running",
            ready_since=NOW - 1000,
        )
        for number in range(PODS)
    )


def in_one_step() -> Observation:
    """A step as large as the Deployment: every old pod is to go at once."""
    chance = Random(9)  # noqa: S311 - names, no secret
    old, new = many_pods("v1", chance), many_pods("v2", chance)
    return Observation(
        NOW,
        "web",
        Policy(max_surge=PODS, min_healthy=0),
        deployment=deployment(PODS),
        replica_sets=(replica_set("v1", PODS), replica_set("v2", PODS)),
        pods=(*old, *new),
        target_groups=groups_of((*old, *new), TargetState.HEALTHY),
    )


def written(seen: Observation, decision: Decision, previous: Status) -> Status:
    """The status of the decision, with all that can be wrong beside it and all that has been before."""
    long = "ß" * 3000
    problems = (Problem(Reason.ZONE_UNKNOWN, long), Problem(Reason.TARGET_GROUP_UNRESOLVED, long))
    told = replace(decision, message=long, finished=Finished("f" * 10, NOW - 9000, NOW, 1000))
    return report(told, previous=previous, problems=problems, generation=2**31, now=seen.now)


def size(status: Status) -> int:
    """Bytes of the status as it is stored: JSON in UTF-8."""
    return len(orjson.dumps(to_json(status)))


def test_given_1000_pods_in_20_groups_when_all_go_at_once_then_the_status_stays_below_64_kib() -> None:
    seen = in_one_step()
    status = Status()
    sizes = []
    for _ in range(HISTORY_LENGTH + 2):
        decision = decide(seen)
        status = written(seen, decision, status)
        stored = json.loads(json.dumps(to_json(status)))
        sizes.append(size(status))
        assert memory_of(read_status(stored)) == memory_of(status)
        assert set(memory_of(status).draining) == set(decision.memory.draining)
        assert memory_of(status).retiring == decision.memory.retiring
        seen = replace(acted(seen, decision, later=seen.tuning.settle), memory=decision.memory)
        seen = replace(
            seen, target_groups=tuple(replace(each, asked_at=seen.now) for each in seen.target_groups)
        )
        if len(decision.memory.draining) == PODS * GROUPS:
            break
    else:
        pytest.fail(f"nothing has been released: {status.reason}")
    ends = {pod.name: NOW + number * 7919 % 600 for number, pod in enumerate(seen.pods)}  # whole seconds
    ended = replace(
        decision.memory,
        draining=tuple(replace(each, ended_at=ends[each.pod]) for each in decision.memory.draining),
    )
    # And somebody takes them all before they have drained, over whom a manager writes its fields.
    taken = tuple(dict.fromkeys(each.pod for each in ended.draining))
    fields = [Takeover(field, "m" * 128, 3, NOW, NOW) for field in API_NAMES.values()]
    ended = replace(
        ended,
        lost=(Lost(Disruption.OTHER, 1, ()), Lost(Disruption.EVICTION, PODS, taken)),
        takeovers=tuple(fields),
    )
    picture = replace(decision.picture, takeovers=tuple(fields))
    for _ in range(HISTORY_LENGTH):
        status = written(seen, replace(decision, memory=ended, picture=picture), status)
    assert memory_of(status).lost == ended.lost
    sizes.append(size(status))
    assert len(memory_of(status).draining) == PODS * GROUPS
    assert len(memory_of(status).retiring) == PODS
    assert len(status.history) == HISTORY_LENGTH
    assert max(sizes) < MOST, sizes


def test_a_status_of_before_is_read_as_it_was() -> None:
    targets = [
        {"targetGroup": "web", "arn": "arn", "id": f"10.0.0.{n}", "port": 80, "since": "2026-01-01T00:00:00Z"}
        for n in range(100)
    ]
    assert len(memory_of(read_status({"draining": targets})).draining) == 100
