"""CloudWatch alarms: which fire, which are unknown, when they are asked for, and that they hold a release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide import alarms
from saferollout.decide.answers import AlarmState, AlarmValue
from saferollout.decide.decision import Move
from saferollout.decide.gates import alarms_quiet
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy, WatchedAlarm
from unit.decide.given import at_rest, draining, edited, releasable, rolling, step_of

LENIENT = WatchedAlarm("errors")
STRICT = WatchedAlarm("errors", counts_without_data=True)


def watching(*watched: WatchedAlarm) -> Observation:
    """Every other gate is open."""
    return releasable(policy=Policy(alarms=watched))


def told(seen: Observation, *states: AlarmState) -> Observation:
    """The same with these answers, given just now unless they say when."""
    now = tuple(replace(each, asked_at=each.asked_at or seen.now) for each in states)
    return replace(seen, alarms=now)


def state(value: AlarmValue | None = AlarmValue.OK, name: str = "errors", **other: Any) -> AlarmState:
    return AlarmState(name, value, **other)


def closed(seen: Observation) -> tuple[Reason, str] | None:
    wait = alarms_quiet(step_of(seen))
    return None if wait is None else (wait.reason, wait.message)


def test_given_no_alarm_is_named_then_none_holds() -> None:
    assert closed(told(releasable(), state(AlarmValue.ALARM))) is None


def test_given_an_alarm_is_ok_then_it_is_quiet() -> None:
    seen = told(watching(LENIENT), state())
    assert closed(seen) is None
    assert (alarms.firing(seen), alarms.unknown(seen)) == (None, None)


def test_given_an_alarm_fires_then_it_is_named_with_its_reason() -> None:
    seen = told(watching(LENIENT), state(AlarmValue.ALARM, reason="3 datapoints were greater"))
    assert closed(seen) == (Reason.ALARM_FIRING, "alarm errors is in ALARM: 3 datapoints were greater")


def test_given_an_alarm_fires_then_no_pod_is_released_and_somebody_is_warned() -> None:
    decision = decide(told(watching(LENIENT), state(AlarmValue.ALARM)))
    assert (decision.reason, decision.change) == (Reason.ALARM_FIRING, None)
    assert [(each.reason, each.warning) for each in decision.notes] == [("AlarmFiring", True)]


def test_given_an_alarm_is_over_then_the_step_is_released() -> None:
    decision = decide(told(watching(LENIENT), state()))
    assert decision.change is not None
    assert decision.change.move is Move.RELEASE


def test_too_few_data_count_as_ok_or_as_alarm_as_the_user_says() -> None:
    without_data = state(AlarmValue.INSUFFICIENT_DATA, reason="1 datapoint was unknown")
    assert closed(told(watching(LENIENT), without_data)) is None
    assert closed(told(watching(STRICT), without_data)) == (
        Reason.ALARM_FIRING,
        "alarm errors is in INSUFFICIENT_DATA, which counts as ALARM: 1 datapoint was unknown",
    )


def test_an_alarm_that_has_not_been_asked_for_is_unknown() -> None:
    assert closed(watching(LENIENT)) == (Reason.ALARM_UNKNOWN, "alarm errors has not been asked for yet")


def test_an_alarm_that_has_not_been_told_says_why() -> None:
    seen = told(watching(LENIENT), state(None, problem="there is no alarm errors"))
    assert closed(seen) == (Reason.ALARM_UNKNOWN, "there is no alarm errors")


@pytest.mark.parametrize("value", AlarmValue)
def test_an_answer_that_is_too_old_is_unknown_whatever_it_says(value: AlarmValue) -> None:
    seen = watching(STRICT)
    old = told(seen, state(value, asked_at=seen.now - 15.1, problem="Rate exceeded"))
    assert alarms.firing(old) is None
    assert closed(old) == (
        Reason.ALARM_UNKNOWN,
        "the last answer about alarm errors is older than 15s: Rate exceeded",
    )


def test_a_problem_is_none_while_the_answer_is_young() -> None:
    seen = watching(LENIENT)
    assert closed(told(seen, state(asked_at=seen.now - 14, problem="Rate exceeded"))) is None


def test_what_fires_is_told_before_what_is_unknown() -> None:
    seen = told(watching(WatchedAlarm("unknown"), LENIENT), state(None, "unknown"), state(AlarmValue.ALARM))
    assert closed(seen) == (Reason.ALARM_FIRING, "alarm errors is in ALARM")


def test_three_alarms_are_named_and_the_others_counted() -> None:
    names = [f"alarm-{number}" for number in range(5)]
    seen = told(watching(*map(WatchedAlarm, names)), *(state(AlarmValue.ALARM, name) for name in names))
    assert str(alarms.firing(seen)).endswith("alarm alarm-2 is in ALARM and 2 more")


def test_given_a_rollout_is_on_its_way_or_ending_then_alarms_are_asked_for() -> None:
    policy = Policy(alarms=(LENIENT,))
    assert alarms.awaited(rolling(policy=policy))
    assert alarms.awaited(edited(at_rest(policy=policy), template="v3")), "before anything is remembered"
    assert alarms.awaited(draining(at_rest(policy=policy))), "the last targets drain"


def test_given_nothing_is_in_progress_then_alarms_are_not_asked_for() -> None:
    policy = Policy(alarms=(LENIENT,))
    assert not alarms.awaited(at_rest(policy=policy))
    assert not alarms.awaited(rolling()), "none is named"
    assert not alarms.awaited(replace(rolling(policy=policy), deleting=True))
    assert not alarms.awaited(replace(rolling(policy=policy), deployment=None))
