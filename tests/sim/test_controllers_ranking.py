"""Which pods of a ReplicaSet go first, rule by rule."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from saferollout.sim.controllers.ranking import DELETION_COST, first_to_go
from saferollout.sim.store import Object
from saferollout.sim.timestamps import timestamp

NOW = 1_700_000_000.0


@dataclass(frozen=True)
class Candidate:
    """A pod, ready for 100 s on a node of its own unless it says otherwise. Ages are seconds."""

    uid: str = "m"
    node: str = "here"
    phase: str = "Running"
    ready_for: float | None = 100.0
    cost: str | None = None
    restarts: int = 0
    age: float = 200.0
    deleting: bool = False

    def pod(self) -> Object:
        ready = {
            "type": "Ready",
            "status": "True",
            "lastTransitionTime": timestamp(NOW - (self.ready_for or 0)),
        }
        return {
            "metadata": {
                "uid": self.uid,
                "creationTimestamp": timestamp(NOW - self.age),
                "annotations": {} if self.cost is None else {DELETION_COST: self.cost},
                **({"deletionTimestamp": timestamp(NOW)} if self.deleting else {}),
            },
            "spec": {"nodeName": self.node} if self.node else {},
            "status": {
                "phase": self.phase,
                "conditions": [] if self.ready_for is None else [ready],
                "containerStatuses": [{"restartCount": self.restarts}],
            },
        }


ORDINARY = Candidate(uid="b", node="there")


@pytest.mark.parametrize(
    "sooner",
    [
        pytest.param(
            Candidate(uid="c", node="", phase="Pending", cost="100"), id="unscheduled before scheduled"
        ),
        pytest.param(Candidate(uid="c", phase="Pending", cost="100"), id="pending before running"),
        pytest.param(Candidate(uid="c", phase="Unknown", cost="100"), id="unknown before running"),
        pytest.param(
            Candidate(uid="c", ready_for=None, cost="100"), id="unready before ready, whatever the cost"
        ),
        pytest.param(Candidate(uid="c", cost="-1", ready_for=10_000), id="cheap before older"),
        pytest.param(Candidate(uid="c", ready_for=20), id="more recently ready"),
        pytest.param(Candidate(uid="c", restarts=1), id="more restarts"),
        pytest.param(Candidate(uid="c", age=101), id="newer by a power of two"),
        pytest.param(Candidate(uid="a", ready_for=99), id="about as long ready: smaller uid"),
        pytest.param(Candidate(uid="a", ready_for=101), id="about as long ready though longer: smaller uid"),
    ],
)
def test_goes_before_an_ordinary_pod(sooner: Candidate) -> None:
    pods = [ORDINARY.pod(), sooner.pod()]
    assert [each["metadata"]["uid"] for each in first_to_go(pods, pods, NOW)] == [sooner.uid, ORDINARY.uid]


def test_a_cost_that_is_no_number_counts_as_none() -> None:
    pods = [Candidate(uid="a", cost="1").pod(), Candidate(uid="b", cost="cheap").pod()]
    assert first_to_go(pods, pods, NOW)[0]["metadata"]["uid"] == "b"


def test_of_equal_pods_those_crowded_with_others_of_the_deployment_go_first() -> None:
    alone, crowded = Candidate(uid="a", node="here").pod(), Candidate(uid="b", node="there").pod()
    neighbour = Candidate(uid="c", node="there").pod()
    assert first_to_go([alone, crowded], [alone, crowded, neighbour], NOW)[0] is crowded


def test_a_neighbour_on_its_way_out_is_no_crowd() -> None:
    young, crowded = (
        Candidate(uid="a", node="here", ready_for=20).pod(),
        Candidate(uid="b", node="there").pod(),
    )
    neighbour = Candidate(uid="c", node="there", deleting=True).pod()
    assert first_to_go([young, crowded], [young, crowded, neighbour], NOW)[0] is young
