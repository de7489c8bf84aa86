"""The ledger: what the user has is kept while the operator's values are in place, and comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferollout.decide import ledger
from saferollout.decide.ledger import SETTINGS, Ledger, Release, Settings
from saferollout.decide.workload import Deployment, Strategy
from unit.decide.given import USERS, deployment

USER = Settings(False, USERS, 0, 600)  # noqa: FBT003 - in the order of a Deployment's spec
STEPPED = Strategy("RollingUpdate", 1, 0)

strategies = st.builds(
    Strategy, st.just("RollingUpdate"), st.sampled_from([0, 1, "25%", "100%"]), st.sampled_from([0, 1, "25%"])
) | st.just(Strategy("Recreate"))
values: dict[str, st.SearchStrategy[Any]] = {
    "paused": st.booleans(),
    "strategy": strategies,
    "min_ready_seconds": st.integers(0, 5),
    "progress_deadline_seconds": st.none() | st.integers(1, 5),
}
wanted = st.builds(Settings, **values)
releases = st.none() | st.builds(Release, st.text("abc"), *[st.integers(0, 9)] * 3)


def with_settings(found: Deployment, live: Settings, kept: Ledger | None) -> Deployment:
    """The Deployment with these settings and this ledger, as it is read from the API."""
    text = None if kept is None else ledger.write(kept)
    fields: dict[str, Any] = {name: getattr(live, name) for name in SETTINGS}
    return replace(found, ledger=text, **fields)


def users_of(found: Deployment) -> Settings:
    return ledger.users_settings(found, ledger.read(found.ledger))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(users=wanted, ours=st.lists(wanted, min_size=1, max_size=5), release=releases)
def test_the_users_values_survive_every_sequence_of_moves(
    users: Settings, ours: list[Settings], release: Release | None
) -> None:
    found = with_settings(deployment(3), users, None)
    for each in ours:
        found = with_settings(found, each, ledger.keep(users_of(found), each, release))
        assert users_of(found) == users
    assert ledger.keep(users_of(found), users_of(found)) is None


@settings(max_examples=300, deadline=None, derandomize=True)
@given(users=wanted, ours=wanted, name=st.sampled_from(SETTINGS), data=st.data())
def test_what_somebody_writes_over_our_value_is_the_users_from_then_on(
    users: Settings, ours: Settings, name: str, data: st.DataObject
) -> None:
    found = with_settings(deployment(3), ours, ledger.keep(users, ours))
    written = data.draw(values[name].filter(lambda value: value != getattr(ours, name)))
    change: dict[str, Any] = {name: written}
    assert users_of(replace(found, **change)) == replace(users, **change)


def test_a_field_is_in_the_ledger_only_while_it_differs_from_the_users() -> None:
    kept = ledger.keep(USER, replace(USER, paused=True))
    assert kept == Ledger(users={"paused": False}, ours={"paused": True})


def test_nothing_to_keep_is_no_ledger() -> None:
    assert ledger.keep(USER, USER) is None


def test_a_release_is_kept_though_no_field_differs() -> None:
    release = Release("v2", replicas=3, new=2, old=2)
    assert ledger.keep(USER, USER, release) == Ledger(release=release)


def test_a_user_without_a_progress_deadline_gets_none_back() -> None:
    users = replace(USER, progress_deadline_seconds=None)
    ours = replace(USER, progress_deadline_seconds=1000)
    found = with_settings(deployment(3), ours, ledger.keep(users, ours))
    assert users_of(found).progress_deadline_seconds is None


@settings(max_examples=300, deadline=None, derandomize=True)
@given(users=wanted, ours=wanted, release=releases)
def test_a_ledger_is_read_back_as_it_was_written(
    users: Settings, ours: Settings, release: Release | None
) -> None:
    kept = ledger.keep(users, ours, release)
    assert kept is None or ledger.read(ledger.write(kept)) == kept


def test_the_text_says_what_is_changed_and_nothing_else() -> None:
    kept = ledger.keep(USER, replace(USER, strategy=STEPPED))
    assert kept is not None
    assert json.loads(ledger.write(kept)) == {
        "ours": {"strategy": {"max_surge": 1, "max_unavailable": 0, "type": "RollingUpdate"}},
        "users": {"strategy": {"max_surge": "25%", "max_unavailable": "25%", "type": "RollingUpdate"}},
    }


RELEASE = {"target": "v2", "replicas": 3, "new": 2, "old": 2}


@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        [],
        "text",
        {"users": 3},
        {"users": ["paused"]},
        {"ours": "paused"},
        {"users": {"paused": "yes"}},
        {"users": {"min_ready_seconds": "30"}},
        {"users": {"min_ready_seconds": None}},
        {"users": {"min_ready_seconds": 1.5}},
        {"users": {"progress_deadline_seconds": "600"}},
        {"users": {"strategy": 4}},
        {"users": {"strategy": {"type": 4}}},
        {"users": {"strategy": {"type": "RollingUpdate", "max_surge": []}}},
        {"users": {"strategy": {"type": "RollingUpdate", "surge": 1}}},
        {"release": 3},
        {"release": {"new": 2}},
        {"release": RELEASE | {"new": "2"}},
        {"release": RELEASE | {"old": None}},
        {"release": RELEASE | {"target": 2}},
    ],
    ids=json.dumps,
)
def test_a_text_that_is_no_ledger_counts_as_absent(content: Any) -> None:
    assert ledger.read(json.dumps(content)) is None


@pytest.mark.parametrize("text", [None, "", "{", "[" * 100_000, '{"users":{"paused":tru'])
def test_a_text_that_is_no_json_counts_as_absent(text: str | None) -> None:
    assert ledger.read(text) is None


def test_members_of_a_later_version_are_passed_over() -> None:
    text = '{"ours":{"paused":true},"users":{"paused":false,"later":1},"more":{}}'
    assert ledger.read(text) == Ledger(users={"paused": False}, ours={"paused": True})
