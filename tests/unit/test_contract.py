"""Hand-made samples: six pods in three zones, one target group."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from saferollout.decide.answers import Target, TargetState
from saferollout.sim.contract import Breach, Contract, Promise, breaches
from saferollout.sim.samples import Sample, SeenPod, figures

ZONES = ("a", "b", "c")
CONTRACT = Contract(replicas=6)
HEALTHY, INITIAL, DRAINING = TargetState.HEALTHY, TargetState.INITIAL, TargetState.DRAINING


def pod(name: str, *, ready: bool = True, terminating: bool = False) -> SeenPod:
    """``old-4`` is of revision old, has address 10.old.4, and is in the fourth place of zones a b c a b c."""
    revision, number = name.split("-")
    zone = ZONES[int(number) % 3]
    return SeenPod(name, revision, zone, f"10.{revision}.{number}", (8080,), ready, terminating)


def sample(  # noqa: PLR0913 - one argument for each state a pod or target can be in
    at: float,
    serving: Iterable[str],
    *,
    starting: Iterable[str] = (),
    ending: Iterable[str] = (),
    draining: Iterable[str] = (),
    blind: bool = False,
) -> Sample:
    pods = (
        *(pod(name) for name in [*serving, *starting]),
        *(pod(name, terminating=True) for name in ending),
    )
    states = (
        dict.fromkeys(serving, HEALTHY) | dict.fromkeys(starting, INITIAL) | dict.fromkeys(draining, DRAINING)
    )
    targets = tuple(Target(str(pod(name).address), 8080, state) for name, state in states.items())
    return Sample(at, "new", pods, {"arn": None if blind else targets})


OLD = [f"old-{number}" for number in range(6)]
START = sample(0, OLD)
SURGED = sample(1, OLD, starting=["new-0"])
PASSED = sample(5, [*OLD, "new-0"])
RETIRED = sample(6, [*OLD[1:], "new-0"], ending=["old-0"], draining=["old-0"])


def promises(found: Iterable[Breach]) -> list[Promise]:
    return [breach.promise for breach in found]


def test_a_step_behind_its_gates_breaks_nothing() -> None:
    drained = sample(20, [*OLD[1:], "new-0"])
    surged = sample(21, [*OLD[1:], "new-0"], starting=["new-1"])
    passed = sample(25, [*OLD[1:], "new-0", "new-1"])
    retired = sample(26, [*OLD[2:], "new-0", "new-1"], ending=["old-1"], draining=["old-1"])
    assert breaches([START, SURGED, PASSED, RETIRED, drained, surged, passed, retired], CONTRACT) == []


def test_retiring_a_serving_pod_before_its_successor_serves_breaks_capacity_and_hold() -> None:
    retired = sample(6, OLD[1:], starting=["new-0"], ending=["old-0"], draining=["old-0"])
    found = breaches([START, SURGED, retired], CONTRACT)
    assert promises(found) == [Promise.CAPACITY, Promise.HOLD]
    assert found[0].seen == "5 of at least 6 pods serve without old-0"
    assert found[1].seen == "old-0 retired while new-0 did not serve"


def test_one_pod_less_is_allowed_where_one_may_be_unavailable() -> None:
    retired = sample(1, OLD[1:], ending=["old-0"], draining=["old-0"])
    assert breaches([START, retired], Contract(replicas=6, max_unavailable=1)) == []


def test_taking_both_pods_of_a_zone_breaks_its_floor() -> None:
    retired = sample(
        6,
        ["old-1", "old-2", "old-4", "old-5", "new-1"],
        ending=["old-0", "old-3"],
        draining=["old-0", "old-3"],
    )
    found = breaches([START, retired], Contract(replicas=6, step=2, max_unavailable=2))
    assert [breach.seen for breach in found] == ["0 of at least 1 pods serve in a without old-0, old-3"]
    assert promises(found) == [Promise.ZONES]


def test_a_floor_in_percent_is_of_what_the_zone_had_and_rounds_up() -> None:
    retired = sample(6, OLD[1:], ending=["old-0"], draining=["old-0"])
    strict = Contract(replicas=6, max_unavailable=1, min_healthy="51%")
    assert promises(breaches([START, retired], strict)) == [Promise.ZONES]
    assert breaches([START, retired], Contract(replicas=6, max_unavailable=1, min_healthy="50%")) == []


def test_two_new_pods_that_have_not_served_are_more_than_a_step_of_one() -> None:
    two = sample(1, OLD, starting=["new-0", "new-1"])
    assert promises(breaches([START, two, sample(1.1, OLD, starting=["new-0", "new-1"])], CONTRACT)) == [
        Promise.ONE_STEP
    ]
    assert breaches([START, two], Contract(replicas=6, step=2)) == []


def test_a_new_pod_in_the_place_of_one_that_passed_and_was_lost_is_no_new_step() -> None:
    lost = sample(6, OLD, starting=["new-3", "new-1"])
    assert breaches([START, SURGED, PASSED, lost], CONTRACT) == []


def test_retiring_a_pod_while_the_target_of_an_earlier_one_drains_breaks_drain() -> None:
    second = sample(10, [*OLD[2:], "new-0", "new-1"], ending=["old-0", "old-1"], draining=["old-0", "old-1"])
    between = sample(8, [*OLD[1:], "new-0", "new-1"], ending=["old-0"], draining=["old-0"])
    found = breaches([START, SURGED, PASSED, RETIRED, between, second], CONTRACT)
    assert promises(found) == [Promise.DRAIN]
    assert found[0].seen == "old-1 retired while 10.old.0:8080 of old-0 is draining"


def test_pods_of_one_step_may_go_one_after_another() -> None:
    both = sample(0.5, [*OLD, "new-0", "new-1"])
    first = sample(6, [*OLD[1:], "new-0", "new-1"], ending=["old-0"], draining=["old-0"])
    second = sample(6.1, [*OLD[2:], "new-0", "new-1"], ending=["old-0", "old-1"], draining=["old-0", "old-1"])
    assert breaches([START, both, first, second], Contract(replicas=6, step=2)) == []
    assert promises(breaches([START, both, first, second], Contract(replicas=6, step=1)))[-1:] == [
        Promise.DRAIN
    ]


def test_an_address_that_a_live_pod_has_by_now_is_no_draining_target() -> None:
    heir = SeenPod("new-9", "new", "a", "10.old.0", (8080,), ready=True)
    later = sample(30, [*OLD[2:], "new-0", "new-1"], ending=["old-1"], draining=["old-1"])
    address = Target("10.old.0", 8080, HEALTHY)
    inherited = Sample(30, "new", (*later.pods, heir), {"arn": (*(later.targets["arn"] or ()), address)})
    between = sample(25, [*OLD[1:], "new-0", "new-1"])
    wide = Contract(replicas=6, step=2)
    assert breaches([START, SURGED, PASSED, RETIRED, between, inherited], wide) == []


def test_retiring_anything_after_long_silence_of_elbv2_breaks_hold() -> None:
    silence = [sample(5 + second, [*OLD, "new-0"], blind=True) for second in range(1, 20)]
    retired = sample(25, [*OLD[1:], "new-0"], ending=["old-0"], blind=True)
    found = breaches([START, SURGED, PASSED, *silence, retired], CONTRACT)
    assert [breach.seen for breach in found] == ["old-0 retired after 20.0s without an answer"]
    assert breaches([START, SURGED, PASSED, *silence[:5], retired], Contract(6, stale_after=30)) == []


def test_the_end_of_an_excused_pod_is_not_the_rollouts_doing() -> None:
    killed = sample(1, OLD[1:])
    assert promises(breaches([START, killed], CONTRACT)) == [Promise.CAPACITY]
    assert breaches([START, killed], Contract(replicas=6, excused=frozenset({"old-0"}))) == []


def test_a_pod_that_stops_serving_by_itself_breaks_nothing() -> None:
    assert breaches([START, sample(1, OLD[1:], starting=["old-0"])], CONTRACT) == []


def test_a_native_rolling_update_breaks_capacity_zones_and_drain() -> None:
    """25 %/25 % of six: two surge, one unavailable, and each next pod goes when a new one is Ready."""
    samples = [START]
    for gone in range(1, 7):
        new = [f"new-{number}" for number in range(min(6, gone + 2))]
        taken = OLD[:gone]
        samples.append(sample(gone * 3, OLD[gone:], starting=new, ending=taken, draining=taken))
    broken = set(promises(breaches(samples, CONTRACT)))
    assert broken >= {Promise.CAPACITY, Promise.ZONES, Promise.DRAIN}


def test_what_lasts_is_said_once() -> None:
    two = [sample(1 + tenth / 10, OLD, starting=["new-0", "new-1"]) for tenth in range(30)]
    assert promises(breaches([START, *two], CONTRACT)) == [Promise.ONE_STEP]


def test_samples_that_begin_blind_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="begin with one in which all target groups answered"):
        breaches([sample(0, OLD, blind=True)], CONTRACT)


def test_a_pod_serves_only_if_it_is_healthy_in_every_group() -> None:
    healthy = (Target("10.old.0", 8080, HEALTHY),)
    other_port = (Target("10.old.0", 9090, HEALTHY),)
    assert list(Sample(0, "old", (pod("old-0"),), {"web": healthy, "secure": healthy}).serving) == ["old-0"]
    assert not Sample(0, "old", (pod("old-0"),), {"web": healthy, "secure": other_port}).serving
    assert not Sample(0, "old", (pod("old-0", ready=False),), {"web": healthy}).serving
    assert not Sample(0, "old", (pod("old-0", terminating=True),), {"web": healthy}).serving


def test_figures_count_the_time_in_which_a_zone_served_nobody() -> None:
    empty = sample(2, ["old-1", "old-2", "old-4", "old-5"])
    summed = figures([START, empty, sample(3.5, OLD[1:]), sample(4, OLD)])
    assert (summed.lowest_serving, summed.empty_zone_seconds, summed.seconds) == (4, 1.5, 4)


def test_a_rollout_has_settled_when_nothing_old_is_left_in_either_api() -> None:
    new = [f"new-{number}" for number in range(6)]
    assert sample(0, new).settled(6)
    assert not sample(0, new, draining=["old-0"]).settled(6)
    assert not sample(0, new, ending=["old-0"]).settled(6)
    assert not sample(0, new[1:], starting=["new-0"]).settled(6)
    assert not sample(0, OLD).settled(6)
