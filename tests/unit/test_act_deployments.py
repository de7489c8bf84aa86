"""The patch of a Deployment: as small as the change, and valid for the version that was decided on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import kube_objects
from model.site import merged
from saferollout.act.deployments import patch_of
from saferollout.api.names import GUARD_ANNOTATION, GUARDED_LABEL, LEDGER_ANNOTATION
from saferollout.decide import ledger
from saferollout.decide.decision import Change, Move
from saferollout.decide.ledger import Settings, keep, live_settings
from saferollout.decide.workload import Strategy
from saferollout.observe import records

Raw = kube_objects.Raw

STEPPED = Strategy("RollingUpdate", 1, 0)
MANIFEST = kube_objects.deployment(
    strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    progressDeadlineSeconds=600,
)

amounts = st.sampled_from([0, 1, 3, "25%", "100%"])
wanted = st.builds(
    Settings,
    paused=st.booleans(),
    strategy=st.just(Strategy("Recreate")) | st.builds(Strategy, st.just("RollingUpdate"), amounts, amounts),
    min_ready_seconds=st.sampled_from([0, 30, 10**8]),
    progress_deadline_seconds=st.none() | st.sampled_from([600, 10**8 + 600]),
)


def patch_for(raw: Raw, **fields: Any) -> Raw:
    """The patch that changes these settings, the others staying as they are."""
    found = records.deployment(raw)
    users = live_settings(found)
    asked = replace(users, **fields)
    return patch_of(found, Change(Move.PAUSE, asked, keep(users, asked)))


def test_what_stays_the_same_is_not_in_the_patch() -> None:
    assert patch_for(MANIFEST, paused=True)["spec"] == {"paused": True}


def test_a_pause_that_ends_is_removed_as_the_api_server_leaves_it_out() -> None:
    paused = merged(MANIFEST, {"spec": {"paused": True}})
    assert patch_for(paused, paused=False)["spec"] == {"paused": None}


def test_no_minimum_of_ready_seconds_is_a_field_that_is_not_there() -> None:
    fenced = merged(MANIFEST, {"spec": {"minReadySeconds": 30}})
    assert patch_for(fenced, min_ready_seconds=0)["spec"] == {"minReadySeconds": None}


def test_a_strategy_is_written_whole() -> None:
    assert patch_for(MANIFEST, strategy=STEPPED)["spec"] == {
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    }


def test_a_strategy_without_numbers_takes_those_of_the_other_away() -> None:
    assert patch_for(MANIFEST, strategy=Strategy("Recreate"))["spec"] == {
        "strategy": {"type": "Recreate", "rollingUpdate": None}
    }


def test_a_patch_is_of_the_version_that_was_decided_on() -> None:
    assert patch_for(MANIFEST, paused=True)["metadata"]["resourceVersion"] == "1"


def test_the_ledger_goes_with_the_change_that_needs_it() -> None:
    text = patch_for(MANIFEST, paused=True)["metadata"]["annotations"][LEDGER_ANNOTATION]
    assert ledger.read(text) == ledger.Ledger(users={"paused": False}, ours={"paused": True})


def test_the_ledger_is_removed_with_the_last_value_that_is_ours() -> None:
    found = records.deployment(MANIFEST)
    back = patch_of(found, Change(Move.GIVE_BACK, live_settings(found), None))
    assert back["metadata"]["annotations"] == {LEDGER_ANNOTATION: None, GUARD_ANNOTATION: None}
    assert back["spec"] == {}


def test_the_label_is_written_where_it_is_missing_and_taken_off_in_the_end() -> None:
    found = records.deployment(MANIFEST)
    first = patch_of(found, Change(Move.ADOPT, live_settings(found), None))
    assert first["metadata"]["labels"] == {GUARDED_LABEL: "true"}
    labelled = records.deployment(merged(MANIFEST, first))
    assert "labels" not in patch_of(labelled, Change(Move.PAUSE, live_settings(found), None))["metadata"]
    last = patch_of(labelled, Change(Move.GIVE_BACK, live_settings(found), None, label=None))
    assert last["metadata"]["labels"] == {GUARDED_LABEL: None}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(users=wanted, asked=wanted)
def test_merged_into_any_deployment_a_patch_makes_it_as_asked_and_its_reverse_as_it_was(
    users: Settings, asked: Settings
) -> None:
    def to(raw: Raw, settings_to_have: Settings, kept: ledger.Ledger | None) -> Raw:
        change = Change(Move.PAUSE, settings_to_have, kept)
        return dict(merged(raw, patch_of(records.deployment(raw), change)))

    before = to(MANIFEST, users, None)
    during = to(before, asked, keep(users, asked))
    assert live_settings(records.deployment(during)) == asked
    assert to(during, users, None) == before
    assert during["spec"]["template"] == MANIFEST["spec"]["template"]
