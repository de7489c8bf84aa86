"""What people ask for by annotation, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saferollout.api.reasons import Reason
from saferollout.decide import gates
from saferollout.decide.actions import SKIPPABLE
from saferollout.decide.decision import Decision, Move
from saferollout.decide.memory import Takeover
from saferollout.decide.observation import Asked, Observation
from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from unit.decide.given import (
    FAILURE,
    acted,
    at_rest,
    draining,
    edited,
    failed,
    releasable,
    rolling,
    step_of,
    with_pod,
    with_states,
)


def asked(seen: Observation, action: str) -> Decision:
    """What is decided when kubectl annotate has written the action."""
    return decide(replace(seen, asked=Asked(action, "kubectl-annotate")))


def told(decision: Decision) -> list[str]:
    return [f"{note.reason}: {note.message}" for note in decision.notes]


def waiting_for(seen: Observation) -> Observation:
    """The same once the status has told what is waited for."""
    return acted(seen, decide(seen))


def test_an_action_is_answered_once_it_is_told() -> None:
    decision = asked(at_rest(), "abort")
    assert decision.answered == Asked("abort", "kubectl-annotate")
    assert decide(at_rest()).answered is None


def test_an_action_that_is_none_is_refused_with_those_there_are() -> None:
    decision = asked(rolling(), "aprove")
    assert decision.answered is not None
    assert told(decision)[0] == (
        "ActionRefused: kubectl-annotate asked for 'aprove': write approve, retry, abort, skip-gate"
    )


# --- approve

AT_ONE = Policy(approvals=(1,))


def test_at_a_point_of_approval_the_rollout_waits_and_says_how_to_approve() -> None:
    decision = decide(releasable(policy=AT_ONE))
    assert (decision.reason, decision.change) == (Reason.WAITING_FOR_APPROVAL, None)
    assert "1 of 3 pods are new" in decision.message
    assert "kubectl annotate saferollout web saferollout.dev/action=approve" in decision.message


def test_once_approved_it_goes_on() -> None:
    decision = asked(releasable(policy=AT_ONE), "approve")
    assert decision.change is not None
    assert decision.change.move is Move.RELEASE
    assert told(decision)[0] == (
        "RolloutApproved: kubectl-annotate approved of going on from 1 of 3 new pods"
    )
    assert decision.memory.approved == ("1",)


def test_every_point_is_approved_for_itself() -> None:
    seen = releasable(4, new=2, policy=Policy(approvals=(1, "50%")))
    seen = replace(seen, memory=replace(seen.memory, approved=("1",)))
    assert decide(seen).reason is Reason.WAITING_FOR_APPROVAL


def test_a_point_that_is_taken_out_of_the_spec_leaves_its_approval_to_no_other() -> None:
    seen = releasable(4, new=2, policy=Policy(approvals=("50%",)))
    seen = replace(seen, memory=replace(seen.memory, approved=("1",)))
    assert decide(seen).reason is Reason.WAITING_FOR_APPROVAL


@pytest.mark.parametrize(
    ("replicas", "new", "point"),
    [(0, 0, "50%"), (2, 3, 3)],
    ids=["of no pods", "beyond all that there are to be"],
)
def test_a_point_that_is_no_number_of_the_deployments_pods_is_none(
    replicas: int, new: int, point: int | str
) -> None:
    policy = Policy(approvals=(point,))
    assert gates.approved(step_of(edited(rolling(3, new=new, policy=policy), replicas=replicas))) is None


def test_two_points_that_are_reached_at_once_are_approved_at_once() -> None:
    decision = asked(releasable(4, policy=Policy(approvals=(1, "25%"))), "approve")
    assert decision.memory.approved == ("1", "25%")
    assert decision.move is Move.RELEASE


def test_no_step_goes_past_a_point_of_approval() -> None:
    seen = releasable(8, new=2, old=8, policy=Policy(max_surge=4, approvals=(2, 3)))
    seen = replace(seen, memory=replace(seen.memory, approved=("2",)))
    decision = decide(seen)
    assert decision.change is not None
    assert decision.change.ledger is not None
    assert decision.change.ledger.release is not None
    assert decision.change.ledger.release.new == 3


def test_another_template_has_to_be_approved_anew() -> None:
    seen = releasable(policy=AT_ONE)
    seen = replace(seen, memory=replace(seen.memory, approved=("1",), target="v3"))
    assert decide(seen).reason is Reason.WAITING_FOR_APPROVAL


def test_what_waits_for_no_approval_cannot_be_approved() -> None:
    decision = asked(rolling(), "approve")
    assert told(decision)[0].startswith("ActionRefused")
    assert decision.memory.approved == ()


# --- abort and retry


def test_a_rollout_that_is_aborted_rolls_back_whatever_is_to_become_of_failures() -> None:
    seen = rolling(3, new=2)
    seen = waiting_for(seen)
    decision = asked(seen, "abort")
    assert decision.change is not None
    assert decision.change.move is Move.PUT_BACK
    assert decision.memory.failed is not None
    assert decision.memory.failed.cause == "aborted by kubectl-annotate"
    assert told(decision)[0] == "RolloutAborted: kubectl-annotate aborted the rollout of revision v2"


@pytest.mark.parametrize("seen", [at_rest(), replace(at_rest(), memory=replace(at_rest().memory))])
def test_at_rest_there_is_nothing_to_abort(seen: Observation) -> None:
    assert told(asked(seen, "abort"))[0].startswith("ActionRefused")


def test_a_retry_lets_a_failed_revision_be_rolled_out_again() -> None:
    seen = failed()
    seen = replace(seen, memory=replace(seen.memory, failed=replace(FAILURE, rolled_back=True)))
    assert decide(seen).reason is Reason.REVISION_FAILED
    decision = asked(seen, "retry")
    assert decision.reason is Reason.WAITING_FOR_HEALTH
    assert decision.memory.failed is None
    assert told(decision)[0] == (
        "RolloutRetried: kubectl-annotate asked for a retry: revision v2 may be rolled out, the new pods have"
        " their time again"
    )


def test_a_retry_writes_fields_again_that_were_left_to_others() -> None:
    seen = at_rest()
    taken = Takeover("strategy", "argocd-controller", 3, seen.now - 60, seen.now - 30)
    decision = asked(replace(seen, memory=replace(seen.memory, takeovers=(taken,))), "retry")
    assert decision.memory.takeovers == ()
    assert told(decision)[0] == (
        "RolloutRetried: kubectl-annotate asked for a retry: fields that others write are written again"
    )


def test_a_retry_gives_new_pods_their_time_again() -> None:
    seen = waiting_for(failed())
    assert seen.memory.reason is Reason.HEALTH_TIMEOUT
    decision = asked(seen, "retry")
    assert decision.reason is Reason.WAITING_FOR_HEALTH
    assert decide(acted(seen, decision)).reason is Reason.WAITING_FOR_HEALTH


def test_where_nothing_has_failed_there_is_nothing_to_retry() -> None:
    assert told(asked(releasable(), "retry"))[0].startswith("ActionRefused")


# --- skip-gate


def test_a_gate_that_is_skipped_is_open_for_the_next_release() -> None:
    seen = waiting_for(draining(releasable()))
    assert seen.memory.reason is Reason.WAITING_FOR_DRAIN
    decision = asked(seen, "skip-gate")
    assert decision.change is not None
    assert decision.change.move is Move.RELEASE
    assert told(decision)[0] == (
        "GateSkipped: kubectl-annotate had the gate WaitingForDrain skipped for the next release"
    )


def test_after_the_release_the_gate_is_closed_again() -> None:
    seen = replace(draining(rolling()), now=0.0)
    seen = draining(rolling())
    used = replace(
        seen.memory,
        skipped=(Reason.WAITING_FOR_DRAIN,),
        skipped_at=seen.now - 20,
        step_started_at=seen.now - 10,
    )
    decision = decide(replace(seen, memory=used))
    assert decision.reason is Reason.WAITING_FOR_DRAIN
    assert decision.memory.skipped == ()


def test_a_time_out_is_skipped_as_the_gate_that_it_is_of() -> None:
    seen = waiting_for(failed())
    decision = asked(seen, "skip-gate")
    assert Reason.WAITING_FOR_HEALTH in decision.memory.skipped


def test_health_cannot_be_skipped_for_pods_that_kubernetes_itself_waits_for() -> None:
    seen = waiting_for(with_pod(rolling(), "v2-1", ready_since=None))
    decision = asked(seen, "skip-gate")
    assert decision.memory.skipped == ()
    assert "Kubernetes retires no pod for new ones that are not Ready: v2-1" in told(decision)[0]


@pytest.mark.parametrize(
    "reason", sorted(set(Reason) - SKIPPABLE - {Reason.HEALTH_TIMEOUT, Reason.DRAIN_TIMEOUT})
)
def test_what_a_release_consists_of_cannot_be_skipped(reason: Reason) -> None:
    seen = releasable()
    decision = asked(replace(seen, memory=replace(seen.memory, reason=reason)), "skip-gate")
    assert told(decision)[0].startswith("ActionRefused")
    assert decision.memory.skipped == ()


# --- bake


def baking(**memory: Any) -> Observation:
    seen = releasable(policy=Policy(bake=60.0))
    return replace(seen, memory=replace(seen.memory, **memory))


def test_a_complete_step_bakes_from_when_it_was_seen_to_be_complete() -> None:
    seen = releasable(policy=Policy(bake=60.0))
    decision = decide(replace(seen, memory=replace(seen.memory, baking_since=None)))
    assert decision.reason is Reason.BAKING
    assert decision.memory.baking_since == seen.now
    assert decision.look_again == 60.0


def test_a_step_that_has_baked_is_followed_by_the_next_which_bakes_anew() -> None:
    seen = baking()
    decision = decide(replace(seen, memory=replace(seen.memory, baking_since=seen.now - 60)))
    assert decision.change is not None
    assert decision.memory.baking_since is None


def test_a_pod_that_does_not_serve_is_a_break_in_the_baking() -> None:
    seen = with_states(baking(), v2_1="unhealthy")
    seen = replace(seen, memory=replace(seen.memory, baking_since=seen.now - 59))
    assert decide(seen).memory.baking_since is None


def test_an_answer_that_is_missing_is_no_break_in_the_baking_but_nothing_goes_on() -> None:
    seen = baking()
    since = seen.now - 59
    stale = replace(seen.target_groups[0], asked_at=seen.now - 60)
    decision = decide(replace(seen, memory=replace(seen.memory, baking_since=since), target_groups=(stale,)))
    assert (decision.reason, decision.change) == (Reason.TARGET_HEALTH_STALE, None)
    assert decision.memory.baking_since == since
