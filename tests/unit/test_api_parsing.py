from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferollout.api.model import ServiceRef, TargetGroupRef
from saferollout.api.parsing import InvalidSpecError, ParsedSpec, parse_spec
from saferollout.decide.policy import Policy, WatchedAlarm

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"
LEAST = {"deploymentRef": {"name": "web"}, "targetGroups": [{"arn": ARN}]}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def complaint_about(spec: dict[str, Any]) -> str:
    try:
        parse_spec(spec)
    except InvalidSpecError as error:
        return str(error)
    return ""


def refusal(**changes: Any) -> str:
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec({**LEAST, **changes})
    return str(caught.value)


def test_the_least_spec_gets_the_documented_defaults() -> None:
    assert parse_spec(LEAST) == ParsedSpec(
        "web", (TargetGroupRef(arn=ARN),), Policy(1, 600, 1200, 1, paused=False)
    )


def test_a_whole_spec_is_read_as_written() -> None:
    spec = {
        **LEAST,
        "step": {"maxSurge": "25%"},
        "gates": {"targetHealth": {"timeout": "1h30m", "stableFor": "30s"}, "drain": {"timeout": "1.5s"}},
        "zones": {"minHealthy": "50%"},
        "paused": True,
    }
    assert parse_spec(spec).policy == Policy("25%", 5400, 1.5, "50%", paused=True, stable_for=30)


def test_alarms_are_read_with_what_too_few_data_count_as() -> None:
    alarms = [{"name": "web 5xx"}, {"name": "latency", "insufficientData": "Alarm"}]
    assert parse_spec({**LEAST, "gates": {"alarms": alarms}}).policy.alarms == (
        WatchedAlarm("web 5xx"),
        WatchedAlarm("latency", counts_without_data=True),
    )


@pytest.mark.parametrize("name", ["", "two\nlines", "\x1b[31m", "\x7f", "x" * 256, 7])
def test_what_can_be_no_alarms_name_is_refused(name: object) -> None:
    told = refusal(gates={"alarms": [{"name": name}]})
    assert told.startswith("spec.gates.alarms[0].name is ")
    assert "write" in told


def test_a_number_of_pods_stays_a_number() -> None:
    surge = parse_spec({**LEAST, "step": {"maxSurge": 3}}).policy.max_surge
    assert (surge, type(surge)) == (3, int)


def test_a_step_may_be_made_in_place() -> None:
    policy = parse_spec({**LEAST, "step": {"maxSurge": 0, "maxUnavailable": "20%"}}).policy
    assert (policy.max_surge, policy.max_unavailable) == (0, "20%")


def test_a_target_group_named_twice_is_asked_about_once() -> None:
    twice = [{"arn": ARN}, {"arn": ARN}]
    assert parse_spec({**LEAST, "targetGroups": twice}).target_groups == (TargetGroupRef(arn=ARN),)


def test_no_target_group_is_asked_for_when_none_is_named() -> None:
    assert parse_spec({"deploymentRef": {"name": "web"}}).target_groups == ()


def test_a_binding_and_a_service_name_target_groups_too() -> None:
    asked = [
        {"binding": "web-tg"},
        {"service": {"name": "web", "port": "http"}},
        {"service": {"name": "web"}},
    ]
    assert parse_spec({**LEAST, "targetGroups": asked}).target_groups == (
        TargetGroupRef(binding="web-tg"),
        TargetGroupRef(service=ServiceRef(name="web", port="http")),
        TargetGroupRef(service=ServiceRef(name="web")),
    )


def test_null_is_what_was_left_out() -> None:
    spec = {**LEAST, "step": None, "gates": {"drain": None}, "zones": {"minHealthy": None}, "paused": None}
    assert parse_spec(spec) == parse_spec(LEAST)


def test_fields_of_a_later_version_are_ignored() -> None:
    assert parse_spec({**LEAST, "experiments": ["50%"]}) == parse_spec(LEAST)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"step": {"maxSurge": "250%"}},
            'spec.step.maxSurge is "250%": write 0 or more pods, or a percent from 0% to 100% such as 50%',
        ),
        (
            {"step": {"maxSurge": 0}},
            (
                'spec.step is {"maxSurge": 0}: '
                "write either maxSurge or maxUnavailable above 0, and 0 for the other"
            ),
        ),
        (
            {"zones": {"minHealthy": -1}},
            "spec.zones.minHealthy is -1: write 0 or more pods, or a percent from 0% to 100% such as 50%",
        ),
        (
            {"gates": {"drain": {"timeout": "10 minutes"}}},
            'spec.gates.drain.timeout is "10 minutes": write a duration above zero such as 90s, 10m or 1h30m',
        ),
        (
            {"gates": {"targetHealth": {"timeout": "-9m"}}},
            'spec.gates.targetHealth.timeout is "-9m": write a duration above zero such as 90s, 10m or 1h30m',
        ),
        (
            {"gates": {"targetHealth": {"timeout": 600}}},
            "spec.gates.targetHealth.timeout is 600: write a duration above zero such as 90s, 10m or 1h30m",
        ),
        ({"gates": {"drain": []}}, "spec.gates.drain is []: write a mapping of its fields"),
        ({"paused": "yes"}, 'spec.paused is "yes": write true or false'),
        ({"targetGroups": "web"}, 'spec.targetGroups is "web": write a list'),
        (
            {"targetGroups": [{"arn": ARN}, "web"]},
            'spec.targetGroups[1] is "web": write a mapping of its fields',
        ),
        ({"targetGroups": [{}]}, "spec.targetGroups[0] is {}: write one of arn, binding and service"),
        (
            {"targetGroups": [{"arn": ARN, "binding": "web"}]},
            f'spec.targetGroups[0] is {{"arn": "{ARN[:71]}…: write one of arn, binding and service',
        ),
        (
            {"targetGroups": [{"binding": "web", "assumeRole": {"arn": "arn:aws:iam::210987654321:role/x"}}]},
            (
                'spec.targetGroups[0] is {"binding": "web", "assumeRole": '
                '{"arn": "arn:aws:iam::210987654321:role/x"}}: '
                "write assumeRole beside an arn only: a binding names its role itself"
            ),
        ),
        (
            {"targetGroups": [{"service": {"name": "web", "port": 0}}]},
            "spec.targetGroups[0].service.port is 0: write the number or the name of a port of the Service",
        ),
        (
            {"targetGroups": [{"service": {"port": 80}}]},
            (
                "spec.targetGroups[0].service.name is missing: write it, "
                "see kubectl explain saferollout.spec.targetGroups.service.name"
            ),
        ),
        (
            {"deploymentRef": None},
            "spec.deploymentRef is missing: write it, see kubectl explain saferollout.spec.deploymentRef",
        ),
        (
            {"deploymentRef": {"name": "Web Shop"}},
            (
                'spec.deploymentRef.name is "Web Shop": write the name of an object in this namespace: '
                "lower-case letters, digits, '-' and '.'"
            ),
        ),
    ],
)
def test_a_refusal_says_which_field_which_value_and_what_to_write(
    changes: dict[str, Any], message: str
) -> None:
    assert refusal(**changes) == message


@pytest.mark.parametrize("value", [True, 1.5, "25", "", "1e2%", [], {}])
def test_what_is_neither_number_nor_percent_is_refused(value: object) -> None:
    assert refusal(step={"maxSurge": value}).startswith("spec.step.maxSurge is ")


@pytest.mark.parametrize("value", ["0s", "0h0m", "9" * 31 + "h", "5m\n", "1.2.3s", True, {}])
def test_what_cannot_be_waited_for_is_refused(value: object) -> None:
    assert refusal(gates={"drain": {"timeout": value}}).startswith("spec.gates.drain.timeout is ")


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert refusal(step={"maxSurge": -1}, paused=3).count(": write ") == 2


def test_a_long_value_is_not_repeated_whole() -> None:
    assert len(refusal(step={"maxSurge": "x" * 10_000})) < 250


@given(json_values, st.sampled_from(["deploymentRef", "targetGroups", "step", "gates", "zones", "paused"]))
def test_whatever_stands_in_a_field_is_read_or_refused(value: Any, name: str) -> None:
    complaint = complaint_about({**LEAST, name: value})
    assert complaint == "" or f"spec.{name}" in complaint


@given(json_values)
def test_whatever_stands_in_place_of_a_spec_is_refused(value: Any) -> None:
    with pytest.raises(InvalidSpecError):
        parse_spec(value)


def test_a_pause_is_kept_when_that_is_asked_for() -> None:
    assert not parse_spec(LEAST).policy.keep_paused
    assert parse_spec({**LEAST, "onDelete": "KeepPaused"}).policy.keep_paused
    with pytest.raises(InvalidSpecError, match=r"spec\.onDelete"):
        parse_spec({**LEAST, "onDelete": "Keep"})
