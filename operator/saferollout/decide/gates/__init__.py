"""The gates between two releases. Each one passes (``None``) or says what it waits for.

They are asked in the order of ``GATES``; the first closed one names the wait. Unknown is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from saferollout.decide.decision import Wait
from saferollout.decide.gates.answers import alarms_quiet, not_shifted, targets_known, unanswered
from saferollout.decide.gates.new_pods import aged, healthy, settled, stable
from saferollout.decide.gates.old_pods import capacity_kept, drained, order_settled
from saferollout.decide.gates.pace import approvals_due, approved, baked
from saferollout.decide.gates.step import Step
from saferollout.decide.gates.zones import floors_broken, zone_baked, zones_kept, zones_known

__all__ = [
    "GATES",
    "Gate",
    "Step",
    "aged",
    "alarms_quiet",
    "approvals_due",
    "approved",
    "baked",
    "capacity_kept",
    "drained",
    "first_closed",
    "floors_broken",
    "healthy",
    "not_shifted",
    "order_settled",
    "settled",
    "stable",
    "targets_known",
    "unanswered",
    "zone_baked",
    "zones_kept",
    "zones_known",
]

Gate = Callable[[Step], Wait | None]

GATES: tuple[Gate, ...] = (
    targets_known,
    not_shifted,
    alarms_quiet,
    settled,
    healthy,
    stable,
    drained,
    zones_known,
    capacity_kept,
    aged,
    order_settled,
    baked,
    zone_baked,
    approved,
    zones_kept,
)


def first_closed(step: Step, gates: Iterable[Gate] = GATES) -> Wait | None:
    """Return the wait of the first closed gate that nobody has had skipped, ``None`` if all are open."""
    skipped = step.rollout.observation.memory.skipped
    waits = (wait for gate in gates if (wait := gate(step)) is not None)
    return next((wait for wait in waits if wait.reason not in skipped), None)
