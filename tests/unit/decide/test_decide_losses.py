"""What is lost in mid-rollout: counted once, told to whom, and waited for like what is retired."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide import ledger
from saferollout.decide.decision import Decision
from saferollout.decide.ledger import Ledger
from saferollout.decide.memory import Because, Chosen, Draining, Exposure, Lost
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from saferollout.decide.workload import Disruption, Pod
from unit.decide.given import NOW, PORT, acted, at_rest, edited, group, pod, releasable, rolling, rollout_of

EVICTED = Disruption.EVICTION


def going(name: str, by: Disruption = EVICTED, *, since: float = NOW, **other: Any) -> Pod:
    """A pod in zone b that somebody takes."""
    return pod(name, "b", terminating=True, disruption=by, disrupted_at=since, **other)


def with_pods(seen: Observation, *more: Pod) -> Observation:
    """The same with pods on their way out, whose targets drain."""
    states = {each.name: "draining" for each in more}
    everything = (*seen.pods, *more)
    return replace(seen, pods=everything, target_groups=(group(everything, states),))


def told(decision: Decision) -> list[str]:
    return [note.message for note in decision.notes if note.reason == "PodsLost"]


def test_given_pods_that_are_evicted_in_mid_rollout_then_it_tells_which_and_who_took_them() -> None:
    decision = decide(with_pods(releasable(), going("v1-8"), going("v2-9", Disruption.TAINT)))
    (message,) = told(decision)
    assert message == (
        "2 pods are lost: v1-8 in b (EvictionByEvictionAPI), v2-9 in b (DeletionByTaintManager); nothing is"
        " retired until their targets have drained"
    )
    assert decision.memory.lost == (
        Lost(Disruption.TAINT, 1, ("v2-9",)),
        Lost(Disruption.EVICTION, 1, ("v1-8",)),
    )


def test_given_a_target_of_a_lost_pod_that_drains_when_every_gate_is_open_otherwise_then_it_waits() -> None:
    seen = releasable()
    assert decide(seen).reason is Reason.RELEASING
    decision = decide(with_pods(seen, going("v1-8")))
    assert decision.reason is Reason.WAITING_FOR_DRAIN
    assert "ip-v1-8:8080" in decision.message


def test_given_a_lost_pod_whose_target_has_drained_when_it_never_goes_then_nobody_waits_for_it() -> None:
    seen = with_pods(releasable(), going("v1-8", Disruption.TAINT))
    drained = replace(seen, target_groups=(group(seen.pods, {"v1-8": "absent"}),))
    assert decide(drained).reason is Reason.RELEASING


def test_given_a_lost_pod_that_is_on_record_then_it_is_neither_counted_nor_told_again() -> None:
    seen = with_pods(rolling(), going("v1-8"))
    once = decide(seen)
    twice = decide(acted(seen, once))
    assert (len(told(once)), told(twice)) == (1, [])
    assert twice.memory.lost == once.memory.lost


def test_given_a_lost_pod_that_is_gone_then_its_name_is_forgotten_and_the_count_is_kept() -> None:
    lost = (Lost(EVICTED, 3, ("v1-8",)),)
    seen = rolling()
    decision = decide(replace(seen, memory=replace(seen.memory, lost=lost)))
    assert decision.memory.lost == (Lost(EVICTED, 3),)


def test_given_a_pod_that_was_gone_before_anybody_looked_then_it_is_told_all_the_same() -> None:
    vanished = going("v1-8", Disruption.NODE_GONE)
    decision = decide(replace(rolling(), vanished=(vanished,)))
    assert len(told(decision)) == 1
    assert decision.memory.lost == (Lost(Disruption.NODE_GONE, 1, ("v1-8",)),)


def test_given_a_retired_pod_that_is_evicted_on_its_way_out_then_it_is_not_lost() -> None:
    retired = Draining("arn-web", "ip-v1-8", PORT, "v1-8", "b", NOW - 5)
    seen = with_pods(rolling(), going("v1-8"))
    seen = replace(seen, memory=replace(seen.memory, draining=(retired,)))
    assert told(decide(seen)) == []


def test_given_a_pod_that_was_taken_before_the_rollout_began_then_it_is_not_of_this_rollout() -> None:
    seen = with_pods(rolling(), going("v1-8", since=NOW - 500))
    assert told(decide(seen)) == []


def test_given_a_pod_that_its_kubelet_evicted_then_it_is_lost_and_its_draining_target_waited_for() -> None:
    failed = going("v1-8", Disruption.KUBELET)
    failed = replace(failed, terminating=False, phase="Failed", ready_since=None)
    decision = decide(with_pods(releasable(), failed))
    assert decision.memory.lost == (Lost(Disruption.KUBELET, 1, ("v1-8",)),)
    assert decision.reason is Reason.WAITING_FOR_DRAIN


def test_given_lost_pods_when_the_rollout_ends_then_its_end_says_how_many_and_the_next_begins_at_none() -> (
    None
):
    lost = (Lost(Disruption.TAINT, 1), Lost(EVICTED, 2))
    seen = at_rest()
    seen = replace(seen, memory=replace(seen.memory, started_at=NOW - 60, lost=lost))
    ended = decide(seen)
    (end,) = (note.message for note in ended.notes if note.reason == "RolloutCompleted")
    assert end.endswith("; pods lost meanwhile: 1 (DeletionByTaintManager), 2 (EvictionByEvictionAPI)")
    assert ended.memory.lost == lost
    following = replace(rolling(), memory=ended.memory)
    assert decide(following).memory.lost == ()


def test_given_a_lost_pod_that_ended_before_its_target_then_nobody_is_advised_to_raise_pre_stop() -> None:
    entry = Draining("arn-web", "ip-v1-8", PORT, "v1-8", "b", NOW - 50, ended_at=NOW - 40)
    seen = rolling()
    memory = replace(seen.memory, draining=(entry,), lost=(Lost(EVICTED, 1, ("v1-8",)),))
    assert decide(replace(seen, memory=memory)).memory.exposure == Exposure()
    unlost = replace(memory, lost=())
    assert decide(replace(seen, memory=unlost)).memory.exposure.seconds == 40


@pytest.mark.parametrize(("since", "unchosen"), [(-1.0, 0), (-30.0, 1)])
def test_given_a_chosen_pod_that_is_spared_when_another_was_evicted_at_the_release_then_nobody_chose_wrong(
    since: float, unchosen: int
) -> None:
    seen = rolling(3, new=2)
    made = replace(rollout_of(seen).ledger or Ledger(), released_at=NOW)
    seen = edited(seen, ledger=ledger.write(made))
    chosen = (Chosen("v1-1", "a", Because.MOST_TO_SPARE),)
    memory = replace(seen.memory, retiring=chosen, planned_at=NOW - 5, step_started_at=NOW)
    seen = replace(with_pods(seen, going("v1-3", since=NOW + since)), memory=memory)
    assert decide(seen).unchosen == unchosen
