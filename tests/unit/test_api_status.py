import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferollout.api.crd import custom_resource_definition
from saferollout.api.reasons import Reason
from saferollout.api.recall import memory_of, read_status
from saferollout.api.report import HISTORY_LENGTH, report, to_json
from saferollout.api.status import Status
from saferollout.decide.decision import Decision, Finished, GroupCount, Picture, ZoneCount
from saferollout.decide.memory import Because, Chosen, Draining, Failed, Memory, Takeover
from structural import violations

SCHEMA = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
    "status"
]
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web-tg/0123456789abcdef"

words = st.text("abcdefgh-0123456789", min_size=1, max_size=12)
moments = st.integers(0, 4_000_000_000_000_000).map(lambda microseconds: microseconds / 1e6)
counts = st.integers(0, 1000)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


memories = st.builds(
    Memory,
    stable=maybe(words),
    target=maybe(words),
    reason=st.sampled_from(Reason),
    waiting_since=maybe(moments),
    started_at=maybe(moments),
    step_started_at=maybe(moments),
    had=maybe(st.dictionaries(words, counts, min_size=1).map(lambda had: tuple(sorted(had.items())))),
    retiring=st.lists(
        st.builds(Chosen, words, maybe(words), st.sampled_from(Because)),
        unique_by=lambda each: each.pod,
        max_size=4,
    ).map(tuple),
    planned_at=maybe(moments),
    draining=st.lists(
        st.builds(
            Draining,
            target_group=st.just(ARN) | words,
            id=words,
            port=st.integers(1, 65535),
            pod=st.just("") | words,
            zone=maybe(words),
            since=moments,
        ),
        max_size=4,
    ).map(tuple),
    failing_since=maybe(moments),
    baking_since=maybe(moments),
    approved=st.sampled_from([(), ("1",), ("1", "50%")]),
    skipped=st.sampled_from([(), (Reason.WAITING_FOR_DRAIN,), (Reason.BAKING, Reason.ZONE_FLOOR)]),
    skipped_at=maybe(moments),
    failed=maybe(st.builds(Failed, words, words, words, words, moments, st.booleans())),
    ledger=maybe(words),
    takeovers=st.lists(
        st.builds(Takeover, words, st.just("") | words, counts, moments, moments),
        unique_by=lambda each: each.field,
    ).map(tuple),
)
pictures = st.builds(
    Picture,
    desired=counts,
    updated=counts,
    serving=counts,
    step=counts,
    steps=counts,
    zones=st.lists(st.builds(ZoneCount, words, counts, counts, counts), unique_by=lambda zone: zone.name).map(
        tuple
    ),
    groups=st.just((GroupCount("web-tg", ARN, "spec", "ip", 10, 0, 0, 1),)),
)

PICTURE = Picture(
    desired=10,
    updated=3,
    serving=11,
    step=3,
    steps=10,
    zones=(
        ZoneCount("us-east-1a", 4, 1, 1),
        ZoneCount("us-east-1b", 3, 1, 1),
        ZoneCount("us-east-1c", 4, 1, 1),
    ),
    groups=(GroupCount("web-tg", ARN, "spec", "ip", 10, 0, 0, 1),),
)


def reported(
    memory: Memory, picture: Picture = PICTURE, previous: Status | None = None, **decided: Any
) -> Status:
    decision = Decision(memory.reason or Reason.COMPLETE, "a sentence", memory, picture, **decided)
    return report(decision, previous=previous or Status(), problems=(), generation=3, now=1000)


def applied(patch: dict[str, Any], to: dict[str, Any]) -> dict[str, Any]:
    """What a JSON merge patch makes of an object (RFC 7396)."""
    merged = {name: value for name, value in to.items() if name not in patch}
    for name, value in patch.items():
        if isinstance(value, dict):
            before = to.get(name)
            merged[name] = applied(value, before if isinstance(before, dict) else {})
        elif value is not None:
            merged[name] = value
    return merged


def stored(status: Status, before: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(applied(to_json(status), before or {})))
    return content


@given(memories, pictures)
def test_what_is_remembered_comes_back_as_it_was(memory: Memory, picture: Picture) -> None:
    assert memory_of(read_status(stored(reported(memory, picture)))) == memory


@given(memories, pictures)
def test_every_status_conforms_to_the_schema(memory: Memory, picture: Picture) -> None:
    finished = Finished("6f57", 10, 20, 3)
    assert violations(stored(reported(memory, picture, finished=finished)), SCHEMA) == []


@given(memories, memories)
def test_nothing_of_an_earlier_status_shines_through(earlier: Memory, later: Memory) -> None:
    before = stored(reported(earlier))
    assert memory_of(read_status(stored(reported(later), before))) == later


def test_what_kubectl_shows_is_ready_made() -> None:
    summary = reported(Memory(reason=Reason.WAITING_FOR_DRAIN)).summary
    assert summary is not None
    assert (summary.step, summary.updated, summary.zones) == ("3/10", "3/10", "1a=4 1b=3 1c=4")


def test_zones_that_would_look_the_same_are_written_out() -> None:
    zones = (ZoneCount("us-east-1a", 4, 1, 1), ZoneCount("us-west-1a", 3, 1, 1))
    summary = reported(Memory(), Picture(zones=zones)).summary
    assert summary is not None
    assert summary.zones == "us-east-1a=4 us-west-1a=3"


def test_zones_that_are_not_of_aws_keep_their_names() -> None:
    summary = reported(Memory(), Picture(zones=(ZoneCount("rack-7", 2, 0, 1),))).summary
    assert summary is not None
    assert summary.zones == "rack-7=2"


def test_without_a_deployment_there_is_no_step_to_show() -> None:
    summary = reported(Memory(reason=Reason.DEPLOYMENT_NOT_FOUND), Picture()).summary
    assert summary is not None
    assert summary.step is None


def test_what_zones_had_is_kept_while_the_deployment_is_out_of_sight() -> None:
    memory = Memory(reason=Reason.CACHE_STALE, had=(("a", 2), ("b", 1)))
    assert memory_of(reported(memory, Picture())).had == memory.had


def test_what_zones_had_is_not_remembered_before_it_is_known() -> None:
    assert memory_of(reported(Memory(started_at=5))).had is None


def test_a_pod_in_two_target_groups_drains_as_one() -> None:
    targets = tuple(Draining(group, "10.0.3.7", 80, "web-1", "a", 5) for group in ("arn:one", "arn:two"))
    replicas = reported(Memory(draining=targets)).replicas
    assert replicas is not None
    assert replicas.draining == 1


def test_a_draining_target_names_its_group() -> None:
    draining = reported(Memory(draining=(Draining(ARN, "10.0.3.7", 80, "web-1", "a", 5),))).draining
    assert [(each.target_group, each.arn) for each in draining] == [("web-tg", ARN)]


def test_phase_and_reason_are_words_in_json() -> None:
    status = stored(reported(Memory(reason=Reason.WAITING_FOR_DRAIN)))
    assert (status["phase"], status["reason"]) == ("Progressing", "WaitingForDrain")


def test_a_rollout_that_ends_comes_first_in_the_history() -> None:
    status = Status()
    for number in range(HISTORY_LENGTH + 2):
        status = reported(Memory(), previous=status, finished=Finished(f"rev{number}", number, number + 1, 3))
    assert [past.revision for past in status.history] == [f"rev{number}" for number in range(11, 1, -1)]


def test_the_history_stays_when_nothing_ends() -> None:
    status = reported(Memory(), finished=Finished("6f57", 10, 20, 3))
    assert reported(Memory(), previous=read_status(stored(status))).history == status.history


# --- a status that somebody has edited


def test_a_member_that_is_malformed_is_absent_and_the_rest_stays() -> None:
    status = read_status(
        {"startedAt": "yesterday", "waitingSince": "2026-01-02T03:04:05.250000Z", "reason": 3}
    )
    assert (status.started_at, status.waiting_since, status.reason) == (None, 1767323045.25, None)


def test_a_step_keeps_what_is_well_formed_in_it() -> None:
    kept = {"pod": "a", "because": "AllGo"}
    memory = memory_of(
        read_status({"step": {"index": -1, "plannedAt": 7, "retiring": [kept, 3, {"pod": "b"}]}})
    )
    assert memory.retiring == (Chosen("a", None, Because.ALL_GO),)


def test_an_item_without_a_member_it_needs_is_absent_and_the_others_stay() -> None:
    whole = {
        "targetGroup": "web-tg",
        "arn": ARN,
        "id": "10.0.3.7",
        "port": 80,
        "since": "2026-01-02T03:04:05Z",
    }
    broken = [{**whole, "since": "a while"}, {**whole, "port": None}, {**whole, "zone": 5}, "x", {}]
    memory = memory_of(read_status({"draining": [*broken, {**whole, "id": "10.0.3.8"}]}))
    assert [(each.id, each.zone) for each in memory.draining] == [("10.0.3.7", None), ("10.0.3.8", None)]


@pytest.mark.parametrize("moment", [-1, 1e300, float("inf"), "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_moment_that_cannot_be_written_is_absent(moment: object) -> None:
    assert read_status({"startedAt": moment}).started_at is None


def test_a_reason_of_another_version_is_absent() -> None:
    assert memory_of(read_status({"reason": "WaitingForGodot"})).reason is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), inner)
    ),
    max_leaves=10,
)


@given(json_values)
def test_whatever_stands_in_a_status_is_read(value: Any) -> None:
    memory_of(read_status(value))


@given(memories, st.data())
def test_damage_to_one_member_leaves_the_others_alone(memory: Memory, data: st.DataObject) -> None:
    status = stored(reported(memory))
    hit = data.draw(st.sampled_from(sorted(status)))
    damaged = stored(read_status({**status, hit: data.draw(json_values)}))
    assert {name: damaged.get(name) for name in status if name != hit} == {
        name: value for name, value in status.items() if name != hit
    }
