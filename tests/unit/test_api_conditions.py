import pytest

from saferollout.api.conditions import conditions
from saferollout.api.reasons import EXPLANATIONS, ConditionType, Phase, Reason
from saferollout.api.status import FALSE, TRUE, UNKNOWN, Condition
from saferollout.decide.decision import GroupCount, Picture
from saferollout.decide.memory import Takeover
from saferollout.decide.observation import Problem


def told(
    reason: Reason,
    *problems: Problem,
    picture: Picture = Picture(),  # noqa: B008 - frozen
    previous: tuple[Condition, ...] = (),
    now: float = 100,
) -> dict[str, Condition]:
    known = (Problem(reason, "a sentence"), *problems)
    found = conditions(known, picture, generation=7, previous=previous, now=now)
    return {each.type: each for each in found}


def statuses(reason: Reason, *problems: Problem) -> dict[str, str]:
    return {kind: each.status for kind, each in told(reason, *problems).items()}


def test_every_reason_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)


def test_every_remedy_is_a_sentence_a_table_can_hold() -> None:
    texts = [text for each in EXPLANATIONS.values() for text in (each.meaning, each.remedy)]
    assert [text for text in texts if not text or "|" in text or "\n" in text] == []


def test_what_is_complete_is_ready() -> None:
    assert statuses(Reason.COMPLETE) == {
        "Ready": TRUE,
        "Reconciling": FALSE,
        "Stalled": FALSE,
        "TargetGroupsResolved": TRUE,
        "ZonesSafe": TRUE,
        "PodsAreTargets": UNKNOWN,
        "ScaleDownOrdered": TRUE,
        "FieldsKept": TRUE,
        "Guarded": UNKNOWN,
    }


@pytest.mark.parametrize("reason", [Reason.WAITING_FOR_DRAIN, Reason.HEALTH_TIMEOUT, Reason.PAUSED_BY_SPEC])
def test_what_has_not_ended_is_reconciling_and_not_ready(reason: Reason) -> None:
    found = statuses(reason)
    assert (found["Ready"], found["Reconciling"], found["Stalled"]) == (FALSE, TRUE, FALSE)


@pytest.mark.parametrize("reason", [Reason.INVALID_SPEC, Reason.ACCESS_DENIED, Reason.STRATEGY_UNSUPPORTED])
def test_what_needs_somebody_is_stalled_and_not_reconciling(reason: Reason) -> None:
    found = statuses(reason)
    assert (found["Ready"], found["Reconciling"], found["Stalled"]) == (FALSE, FALSE, TRUE)


@pytest.mark.parametrize("reason", Reason)
def test_exactly_one_of_the_kstatus_conditions_holds(reason: Reason) -> None:
    found = statuses(reason)
    assert [found[kind] for kind in ("Ready", "Reconciling", "Stalled")].count(TRUE) == 1


@pytest.mark.parametrize("reason", Reason)
def test_whatever_is_degraded_is_stalled_and_nothing_else(reason: Reason) -> None:
    assert EXPLANATIONS[reason].stalled == (EXPLANATIONS[reason].phase is Phase.DEGRADED)


def test_an_unknown_target_group_is_not_resolved() -> None:
    resolved = told(Reason.TARGET_GROUP_NOT_FOUND)["TargetGroupsResolved"]
    assert (resolved.status, resolved.reason, resolved.message) == (
        FALSE,
        "TargetGroupNotFound",
        "a sentence",
    )


def test_without_an_answer_nobody_knows_whether_target_groups_and_zones_are_well() -> None:
    found = statuses(Reason.ENDPOINT_UNREACHABLE)
    assert (found["TargetGroupsResolved"], found["ZonesSafe"]) == (UNKNOWN, UNKNOWN)


def test_a_zone_at_its_floor_is_not_safe_and_its_target_groups_are_resolved() -> None:
    found = statuses(Reason.ZONE_FLOOR)
    assert (found["ZonesSafe"], found["TargetGroupsResolved"]) == (FALSE, TRUE)


def test_a_problem_beside_the_main_reason_counts_too() -> None:
    resolved = told(Reason.PAUSING, Problem(Reason.THROTTLED, "slow down"))["TargetGroupsResolved"]
    assert (resolved.status, resolved.reason, resolved.message) == (UNKNOWN, "Throttled", "slow down")


def test_what_is_false_comes_before_what_is_unknown() -> None:
    unknown = Problem(Reason.THROTTLED, "slow down")
    assert (
        told(Reason.TARGET_GROUP_MALFORMED, unknown)["TargetGroupsResolved"].reason == "TargetGroupMalformed"
    )


@pytest.mark.parametrize(
    ("types", "status", "reason"),
    [
        (("ip", "ip"), TRUE, "TargetTypeIP"),
        (("ip", "instance"), FALSE, "InstanceTargets"),
        ((), UNKNOWN, "NoTargetGroup"),
    ],
)
def test_instances_for_targets_are_told_of(types: tuple[str, ...], status: str, reason: str) -> None:
    groups = tuple(GroupCount(f"web-{each}", "arn", "spec", each, 1, 0, 0, 0) for each in types)
    verdict = told(Reason.COMPLETE, picture=Picture(groups=groups))["PodsAreTargets"]
    assert (verdict.status, verdict.reason) == (status, reason)
    assert ("the targets of web-instance are instances" in verdict.message) == ("instance" in types)


def test_costs_of_somebody_elses_are_told_of() -> None:
    picture = Picture(foreign_costs=("web-1", "web-2", "web-3", "web-4"))
    verdict = told(Reason.COMPLETE, picture=picture)["ScaleDownOrdered"]
    assert (verdict.status, verdict.reason) == (FALSE, "ForeignCosts")
    assert verdict.message.startswith("web-1, web-2, web-3 and 1 more: the deletion cost is somebody else's")


def taken(field: str, times: int = 3) -> Takeover:
    return Takeover(field, "argocd-controller", times, since=100, latest=160)


def test_one_who_writes_a_field_once_or_twice_has_not_taken_it() -> None:
    picture = Picture(takeovers=(taken("strategy", 2),))
    assert told(Reason.COMPLETE, picture=picture)["FieldsKept"].status == TRUE


def test_a_field_that_is_left_to_another_is_told_of_with_what_to_do() -> None:
    verdict = told(Reason.COMPLETE, picture=Picture(takeovers=(taken("strategy"),)))["FieldsKept"]
    assert (verdict.status, verdict.reason) == (FALSE, "TakenOver")
    assert verdict.message == (
        "spec.strategy was written 3 times by argocd-controller over what had been set: at rest it is left as"
        " it is, so that in the moment between a new template and the pause Kubernetes may act by it: up to"
        " maxUnavailable pods. What to do: leave it out of the manifest; or in Argo CD, ignoreDifferences"
        " with jsonPointers [/spec/strategy] and the sync option RespectIgnoreDifferences=true; in Flux,"
        " ignore /spec/strategy."
    )


@pytest.mark.parametrize(
    ("fields", "danger"),
    [
        (("paused",), False),
        (("minReadySeconds",), False),
        (("minReadySeconds", "paused"), True),
        (("paused", "strategy"), True),
    ],
)
def test_that_no_brake_lasts_is_called_a_danger(fields: tuple[str, ...], *, danger: bool) -> None:
    picture = Picture(takeovers=tuple(map(taken, fields)))
    verdict = told(Reason.WAITING_FOR_HEALTH, picture=picture)["FieldsKept"]
    assert ("DANGER" in verdict.message) is danger


def test_all_condition_types_are_there_in_their_order() -> None:
    assert list(told(Reason.COMPLETE)) == list(ConditionType)


def test_every_condition_is_about_the_generation_that_was_followed() -> None:
    assert {each.observed_generation for each in told(Reason.COMPLETE).values()} == {7}


def test_the_time_of_transition_stays_while_the_status_stays() -> None:
    before = tuple(told(Reason.WAITING_FOR_HEALTH, now=100).values())
    after = told(Reason.WAITING_FOR_DRAIN, previous=before, now=200)
    assert (after["Ready"].last_transition_time, after["Ready"].reason) == (100, "WaitingForDrain")


def test_the_time_of_transition_moves_with_the_status() -> None:
    before = tuple(told(Reason.WAITING_FOR_HEALTH, now=100).values())
    after = told(Reason.COMPLETE, previous=before, now=200)
    assert (after["Ready"].last_transition_time, after["Stalled"].last_transition_time) == (200, 100)
