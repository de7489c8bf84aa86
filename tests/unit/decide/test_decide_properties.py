"""What holds for every snapshot whatsoever, looked for in thousands of generated ones."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from saferollout.api.quantities import rounded_up
from saferollout.api.reasons import EXPLANATIONS, Reason
from saferollout.api.recall import memory_of, read_status
from saferollout.api.report import report, to_json
from saferollout.api.status import Status
from saferollout.decide.decision import Decision, Move
from saferollout.decide.observation import Observation
from saferollout.decide.phases import decide
from unit.decide.clusters import anything, rollouts
from unit.decide.given import acted, rollout_of
from unit.decide.oracle import breaches_of_release, live, new_pods

EXAMPLES = int(os.environ.get("SAFEROLLOUT_CLUSTERS", "5000"))
"""How many clusters are looked at: a third of them anything, two thirds rollouts."""

UNTIL_SOMEBODY_ACTS = {Reason.COMPLETE, Reason.DEPLOYMENT_PAUSED}
"""Reasons for which only a change of what the operator watches is worth another look."""

MOST = 2**31 - 1

Promise = Callable[[Observation, Decision], None]


def it_says_why(seen: Observation, decision: Decision) -> None:
    assert decision == decide(replace(seen))
    assert decision.reason in EXPLANATIONS
    assert decision.message
    assert decision.memory.reason is decision.reason
    assert decision.memory.waiting_since is not None


def who_has_nothing_to_do_is_done_or_looks_again(seen: Observation, decision: Decision) -> None:
    if decision.change or decision.costs or decision.fences or decision.gone:
        return
    assert decision.reason is not Reason.PAUSING
    stuck = decision.look_again == math.inf
    assert not stuck or decision.reason in UNTIL_SOMEBODY_ACTS or seen.deployment is None
    if decision.reason is Reason.COMPLETE and stuck:
        assert decision.picture.serving >= decision.picture.desired


def a_release_is_clean_in_the_eyes_of_the_oracle(seen: Observation, decision: Decision) -> None:
    if is_release(decision):
        floors = rollout_of(replace(seen, memory=decision.memory)).floors
        assert list(breaches_of_release(seen, [each.pod for each in decision.memory.retiring], floors)) == []


def a_release_is_one_step_and_fenced_in(seen: Observation, decision: Decision) -> None:
    if decision.change is None or not is_release(decision) or seen.deployment is None:
        return
    asked, rollout = decision.change.settings, rollout_of(seen)
    if asked.paused:
        assert rollout.new >= seen.deployment.replicas
        assert asked.min_ready_seconds == rollout.users.min_ready_seconds
        return
    surge = asked.strategy.max_surge
    assert isinstance(surge, int)
    assert surge <= max(1, rounded_up(seen.policy.max_surge, seen.deployment.replicas))
    assert asked.min_ready_seconds >= max(seen.tuning.least_fence, rollout.users.min_ready_seconds)
    ages = [seen.now - (pod.ready_since or seen.now) for pod in new_pods(seen)]
    assert all(age >= asked.min_ready_seconds + 1 for age in ages)


def every_change_can_be_written(seen: Observation, decision: Decision) -> None:
    if decision.change is None:
        return
    wanted, users = decision.change.settings, rollout_of(seen).users
    assert 0 <= wanted.min_ready_seconds <= MOST
    users_can_be_written = (users.progress_deadline_seconds or MOST) > users.min_ready_seconds
    if wanted.progress_deadline_seconds is not None and users_can_be_written:
        assert wanted.min_ready_seconds < wanted.progress_deadline_seconds <= MOST


def the_user_loses_nothing(seen: Observation, decision: Decision) -> None:
    if decision.change is None:
        return
    users, after = rollout_of(seen).users, rollout_of(acted(seen, decision))
    assert after.users == users
    if decision.change.move is Move.GIVE_BACK:
        assert after.ledger is None
        assert decision.change.settings == users
    else:
        assert decision.change.settings.strategy.max_unavailable == 0


def costs_are_written_where_they_change_something(seen: Observation, decision: Decision) -> None:
    pods = {pod.name: pod for pod in live(seen)}
    assert len({write.pod for write in decision.costs}) == len(decision.costs)
    for write in decision.costs:
        pod = pods[write.pod]
        assert (write.cost, write.before) != (pod.deletion_cost, pod.cost_before)
        had = (pod.deletion_cost or "") if pod.cost_before is None else pod.cost_before
        assert write.before == had or (write.before, write.cost) == (None, had or None)


def a_status_is_read_back_as_it_was_written(seen: Observation, decision: Decision) -> None:
    status = report(decision, previous=Status(), problems=seen.problems, generation=3, now=seen.now)
    read = memory_of(read_status(json.loads(json.dumps(to_json(status)))))
    # To have had no zone is the same as not to know.
    assert read == replace(decision.memory, had=decision.memory.had or None)


PROMISES: tuple[Promise, ...] = (
    it_says_why,
    who_has_nothing_to_do_is_done_or_looks_again,
    a_release_is_clean_in_the_eyes_of_the_oracle,
    a_release_is_one_step_and_fenced_in,
    every_change_can_be_written,
    the_user_loses_nothing,
    costs_are_written_where_they_change_something,
    a_status_is_read_back_as_it_was_written,
)


def is_release(decision: Decision) -> bool:
    return decision.move is Move.RELEASE


def reached_while_promises_hold(clusters: SearchStrategy[Observation], examples: int) -> Counter[str]:
    """Hold every promise against every cluster; return how often each reason and move was decided."""
    reached: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(seen=clusters)
    def look(seen: Observation) -> None:
        decision = decide(seen)
        reached.update(filter(None, [decision.reason, decision.move]))
        for promise in PROMISES:
            promise(seen, decision)

    look()
    return reached


def test_every_promise_holds_for_anything_that_could_be_observed() -> None:
    reached = reached_while_promises_hold(anything(), EXAMPLES // 3)
    assert {move for move in Move if not reached[move]} <= {Move.RELEASE, Move.PUT_BACK}


def test_every_promise_holds_for_rollouts_in_which_something_is_wrong() -> None:
    reached = reached_while_promises_hold(rollouts(), EXAMPLES * 2 // 3)
    assert reached[Move.RELEASE] > EXAMPLES / 20
    gates = {Reason.WAITING_FOR_HEALTH, Reason.WAITING_FOR_PODS, Reason.ZONE_FLOOR, Reason.ZONE_UNKNOWN}
    others = {Reason.WAITING_FOR_DRAIN, Reason.WAITING_FOR_READY_AGE, Reason.SETTLING}
    assert {reason for reason in gates | others if not reached[reason]} == set()
