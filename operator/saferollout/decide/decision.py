"""What a decision consists of. Acting it out is somebody else's business."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from saferollout.api.names import GUARDED
from saferollout.api.reasons import Reason
from saferollout.decide.ledger import Ledger, Settings
from saferollout.decide.memory import Memory, Takeover
from saferollout.decide.observation import Asked, Guard


class Move(StrEnum):
    """The six things that are ever done to a Deployment."""

    ADOPT = "Adopt"
    PAUSE = "Pause"
    RELEASE = "Release"
    PUT_BACK = "PutBack"
    FINISH = "Finish"
    GIVE_BACK = "GiveBack"


@dataclass(frozen=True, slots=True)
class Change:
    """One patch of the Deployment: the settings it is to have, and ledger and label to go with them.

    ``template_of`` names the ReplicaSet whose template it is to have, ``None`` to leave that alone.
    """

    move: Move
    settings: Settings
    ledger: Ledger | None
    template_of: str | None = None
    label: str | None = GUARDED


@dataclass(frozen=True, slots=True)
class CostWrite:
    """A deletion cost to write on a pod, with what it had before; ``None`` removes the annotation."""

    pod: str
    cost: str | None
    before: str | None


@dataclass(frozen=True, slots=True)
class Fence:
    """The ``minReadySeconds`` to write on a ReplicaSet that nobody else will write any more.

    Copies of the ledger and of the guard's annotation are taken off it in the same write: a Deployment's
    annotations are copied to its newest ReplicaSet and stay there (docs/findings.md, 13).
    """

    replica_set: str
    min_ready_seconds: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A closed gate: its reason, the sentence for the user, and when it is worth looking again (seconds).

    ``None`` leaves the time of the next look to the poll interval.
    """

    reason: Reason
    message: str
    look_again: float | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """An Event to be recorded. ``warning`` makes it one of type Warning."""

    reason: str
    message: str
    warning: bool = False


class Outcome(StrEnum):
    """How a rollout ended."""

    COMPLETED = "Completed"
    ROLLED_BACK = "RolledBack"


@dataclass(frozen=True, slots=True)
class Finished:
    """A rollout that has ended, for the history. Times are seconds since the epoch."""

    revision: str
    started_at: float
    finished_at: float
    steps: int
    outcome: Outcome = Outcome.COMPLETED


@dataclass(frozen=True, slots=True)
class ZoneCount:
    """One zone in numbers of pods."""

    name: str
    serving: int
    updated: int
    floor: int


@dataclass(frozen=True, slots=True)
class GroupCount:
    """One target group in numbers of targets."""

    name: str
    arn: str
    source: str
    target_type: str
    healthy: int
    initial: int
    unhealthy: int
    draining: int


@dataclass(frozen=True, slots=True)
class Picture:
    """The rollout in numbers, as the status shows it.

    ``foreign_costs`` are the names of pods that have a deletion cost of somebody else's, ``takeovers`` the
    fields of the Deployment that somebody else writes too. ``rolling_back``: the rollout leads back from a
    revision that has failed.
    """

    desired: int = 0
    updated: int = 0
    serving: int = 0
    step: int = 0
    steps: int = 0
    zones: tuple[ZoneCount, ...] = ()
    groups: tuple[GroupCount, ...] = ()
    foreign_costs: tuple[str, ...] = ()
    rolling_back: bool = False
    takeovers: tuple[Takeover, ...] = ()
    guard: Guard = field(default_factory=Guard)


@dataclass(frozen=True, slots=True)
class Decision:
    """The next move and how things stand.

    ``memory`` is written before ``change`` is made. ``look_again`` (seconds) is when to decide anew though
    nothing has changed: ``None`` after the poll interval, ``inf`` never. ``gone`` says that nothing of the
    operator is left on the Deployment, so that a SafeRollout that is being deleted may go.
    ``unchosen`` counts pods that went in the place of chosen ones. ``answered`` is what somebody had asked
    for, and need not ask for any more.
    """

    reason: Reason
    message: str
    memory: Memory
    picture: Picture
    change: Change | None = None
    costs: tuple[CostWrite, ...] = ()
    fences: tuple[Fence, ...] = ()
    notes: tuple[Note, ...] = ()
    finished: Finished | None = None
    look_again: float | None = None
    gone: bool = False
    unchosen: int = 0
    answered: Asked | None = None

    @property
    def move(self) -> Move | None:
        """What is done to the Deployment, ``None`` if nothing is."""
        return None if self.change is None else self.change.move
