"""A write that the API server refuses: told at once, tried again later, and never taken for done."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus

from kubernetes.aio.client.exceptions import ApiException

from saferollout.api.reasons import Reason
from saferollout.decide.decision import Decision, Move
from saferollout.decide.phases import decide
from saferollout.observe.backoff import Backoff
from saferollout.refusals import Refusals
from unit.decide.given import at_rest, releasable

MESSAGE = 'deployments.apps "web" is forbidden'


def refusals(delay: float = 60.0) -> Refusals:
    return Refusals(Backoff(first=delay, most=delay))


def refusal(status: HTTPStatus = HTTPStatus.FORBIDDEN) -> ApiException:
    error = ApiException(status=status.value, reason=status.phrase)
    error.body = json.dumps({"message": MESSAGE})
    return error


def release() -> Decision:
    decision = decide(releasable())
    assert decision.change is not None
    assert decision.change.move is Move.RELEASE
    return decision


def test_what_was_refused_is_the_reason_and_recorded_once() -> None:
    met, seen = refusals(), releasable()
    told = met.take(refusal(), release(), seen)
    assert (told.reason, told.memory.reason) == (Reason.API_REFUSED, Reason.API_REFUSED)
    assert told.message == f"the API server refused: 403 {MESSAGE}"
    assert [(each.reason, each.warning) for each in told.notes] == [("ApiRefused", True)]
    assert met.take(refusal(), release(), seen).notes == ()


def test_an_answer_without_a_message_is_told_by_its_reason() -> None:
    error = ApiException(status=403, reason="Forbidden")
    assert refusals().take(error, release(), releasable()).message == "the API server refused: 403 Forbidden"


def test_a_release_that_was_refused_has_not_begun() -> None:
    for status in (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT):
        told = refusals().take(refusal(status), release(), releasable())
        assert told.memory.step_started_at is None
        assert [each.pod for each in told.memory.retiring] == ["v1-1"]
        assert told.memory.draining == ()


def test_a_release_at_which_the_server_broke_may_have_begun() -> None:
    told = refusals().take(refusal(HTTPStatus.INTERNAL_SERVER_ERROR), release(), releasable())
    assert told.memory.step_started_at == releasable().now


def test_what_was_done_before_the_refusal_stays_remembered() -> None:
    left = replace(release(), change=None)
    assert (
        refusals().take(refusal(), left, releasable()).memory.step_started_at == left.memory.step_started_at
    )


def test_the_same_is_not_tried_again_at_once_and_the_reason_keeps_its_since() -> None:
    met, seen = refusals(), releasable()
    told = met.take(refusal(), release(), seen)
    later = replace(seen, now=seen.now + 5, memory=told.memory)
    decision = met.instead_of(decide(later), later)
    assert (decision.change, decision.reason) == (None, Reason.API_REFUSED)
    assert (decision.memory, decision.message) == (told.memory, told.message)
    assert decision.look_again is not None
    assert 20 < decision.look_again <= 60


def test_the_same_is_tried_again_after_a_while_and_told_as_refused_until_it_is_done() -> None:
    met, seen = refusals(delay=0.0), releasable()
    met.take(refusal(), release(), seen)
    decision = met.instead_of(release(), seen)
    assert decision == release()
    assert met.told_of(decision, seen).reason is Reason.API_REFUSED
    assert met.told_of(decision, seen).memory.step_started_at == seen.now


def test_something_else_is_done_at_once_and_the_refusal_forgotten() -> None:
    met, seen = refusals(), releasable()
    met.take(refusal(), release(), seen)
    other = decide(at_rest())
    assert met.instead_of(other, seen) is other
    assert met.instead_of(release(), seen) == release()


def test_a_conflict_is_no_refusal() -> None:
    met, seen = refusals(), releasable()
    assert met.take(refusal(HTTPStatus.CONFLICT), release(), seen).reason is Reason.RELEASING
    assert met.instead_of(release(), seen) == release()


def test_a_refused_status_holds_nothing_back() -> None:
    met, seen = refusals(), at_rest()
    met.take(refusal(), decide(seen), seen)
    assert met.instead_of(decide(seen), seen) == decide(seen)
