"""Whatever is written into specs, statuses and annotations: the operator decides, and says so plainly."""

from __future__ import annotations

import json
import os
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saferollout.api.crd import custom_resource_definition
from saferollout.api.parsing import InvalidSpecError, parse_spec
from saferollout.api.plain import MOST_ADVISED, MOST_BYTES, message
from saferollout.api.reasons import EXPLANATIONS, Reason
from saferollout.api.recall import memory_of, read_status
from saferollout.api.report import report, to_json
from saferollout.decide.answers import AlarmState, AlarmValue, TargetState
from saferollout.decide.observation import Asked, Observation, Problem
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from structural import violations
from unit.decide.given import acted, releasable, releasing, rolling, with_states
from unit.hostile import annotation_texts, specs, statuses, texts

EXAMPLES = int(os.environ.get("SAFEROLLOUT_HOSTILE", "2000"))
VERSION = custom_resource_definition()["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]["properties"]["status"]
actions = st.none() | st.builds(
    Asked, texts | st.sampled_from(["approve", "retry", "abort", "skip-gate"]), by=texts
)
SCENES = (releasable(), rolling(5, new=2), releasing(), with_states(releasable(), v2_1="unhealthy"))


def policy_of(raw: Any) -> tuple[Policy, tuple[Problem, ...]]:
    """What the loop makes of a spec."""
    try:
        return parse_spec(raw).policy, ()
    except InvalidSpecError as error:
        return Policy(), (Problem(Reason.INVALID_SPEC, str(error)),)


def said_by_others(seen: Observation, text: str) -> Observation:
    """The same with AWS saying this of its targets and alarms."""
    groups = tuple(
        replace(
            group,
            targets=tuple(
                replace(each, description=text, reason=text)
                if each.state is not TargetState.HEALTHY
                else each
                for each in group.targets or ()
            ),
        )
        for group in seen.target_groups
    )
    names = [each.name for each in seen.policy.alarms]
    alarms = tuple(AlarmState(name, AlarmValue.ALARM, text, seen.now) for name in names)
    return replace(seen, target_groups=groups, alarms=alarms)


def is_plain(text: str, most: int = MOST_BYTES) -> bool:
    obeyed = any(unicodedata.category(each)[0] == "C" for each in text)
    return len(text.encode()) <= most and not obeyed and len(text.splitlines()) <= 1


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SCENES), specs, statuses, annotation_texts, annotation_texts, texts, actions)
def test_nothing_that_people_write_keeps_the_operator_from_deciding(  # noqa: PLR0913, PLR0917
    scene: Observation, spec: Any, status: Any, ledger: str, cost: str, text: str, asked: Asked | None
) -> None:
    policy, problems = policy_of(spec if isinstance(spec, dict) else {})
    before = read_status(status)
    assert scene.deployment is not None
    seen = replace(
        scene,
        policy=policy,
        asked=asked,
        problems=problems,
        memory=memory_of(before),
        deployment=replace(scene.deployment, ledger=ledger),
        pods=tuple(replace(each, deletion_cost=cost, cost_before=cost) for each in scene.pods),
    )
    seen = said_by_others(seen, text)
    for _ in range(3):
        decision = decide(seen)
        assert decision.reason in EXPLANATIONS
        told = report(decision, previous=before, problems=seen.problems, generation=1, now=seen.now)
        written = to_json(told)
        without_nulls = {name: each for name, each in written.items() if each is not None}
        assert json.loads(json.dumps(written)) == written
        assert is_plain(told.message or "")
        assert all(is_plain(each.message, MOST_ADVISED) for each in told.conditions)
        assert all(is_plain(message(each.message)) for each in decision.notes)
        assert memory_of(read_status(written)) == memory_of(told)
        assert violations(_pruned(without_nulls), SCHEMA) == []
        seen, before = acted(seen, decision, later=1.0), told


def _pruned(value: Any) -> Any:
    """What a merge patch leaves: null removes."""
    if isinstance(value, dict):
        return {name: _pruned(each) for name, each in value.items() if each is not None}
    return [_pruned(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("text", ["\n[red]forged", "\x1b[2J\x1b]0;owned\x07", "x" * 5000])
def test_what_elb_says_of_a_target_is_told_plainly(text: str) -> None:
    seen = said_by_others(with_states(releasable(), v2_1="unhealthy"), f"Target.Timeout{text}")
    decision = decide(seen)
    assert decision.reason is Reason.WAITING_FOR_HEALTH
    assert "Target.Timeout" in decision.message
    assert is_plain(message(decision.message))
