"""What is asked for when a Deployment is given back, and for how long."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from saferollout.decide.phases import decide
from saferollout.decide.policy import Policy
from saferollout.ending import subject_of
from saferollout.leaving import LONG_PATIENCE, PATIENCE, Turn
from saferollout.observe.listwatch import Refused
from saferollout.observe.looking import selector
from saferollout.observe.saferollouts import SafeRollout
from unit.decide.given import at_rest


def deleted(**spec: Any) -> SafeRollout:
    usual = {"deploymentRef": {"name": "web"}, "targetGroups": []}
    return SafeRollout(
        "shop",
        "checkout",
        "uid",
        1,
        1,
        0.0,
        deleting=True,
        held=True,
        deployment="web",
        asked=None,
        spec=usual | spec,
        status={},
    )


def test_a_pause_is_kept_if_the_spec_asks_for_it() -> None:
    assert subject_of(deleted(onDelete="KeepPaused")).policy.keep_paused
    assert not subject_of(deleted()).policy.keep_paused


def test_a_spec_that_cannot_be_followed_resumes() -> None:
    subject = subject_of(deleted(onDelete="KeepPaused", step={"maxSurge": "many"}))
    assert (subject.deployment, subject.policy) == ("web", Policy())


@pytest.mark.parametrize(
    "code", [HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_REQUEST]
)
def test_what_is_refused_for_good_is_not_worth_long_patience(code: HTTPStatus) -> None:
    for error in (ApiException(status=code.value), Refused(code.value, "no")):
        assert Turn(decide(at_rest()), (error,)).patience == PATIENCE


@pytest.mark.parametrize(
    "code", [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNAUTHORIZED]
)
def test_what_may_pass_is_waited_for_longer(code: HTTPStatus) -> None:
    for error in (ApiException(status=code.value), Refused(code.value, "no"), OSError()):
        assert Turn(decide(at_rest()), (error,)).patience == LONG_PATIENCE


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"matchLabels": {"app": "web", "tier": "front"}}, "app=web,tier=front"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, "app in (a,b)"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, "app notin (a)"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "app"),
        (
            {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "DoesNotExist"}]},
            "a=b,!c",
        ),
    ],
)
def test_a_selector_is_said_as_a_query_has_it(raw: dict[str, Any], said: str) -> None:
    assert selector(raw) == said
