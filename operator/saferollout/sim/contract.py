"""The safety contract, judged from outside: which of its promises S1 to S5 a rollout has broken.

Whoever disturbs a rollout on purpose names the pods that end by that in ``Contract.excused``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from saferollout.api.quantities import rounded_up
from saferollout.sim.samples import Sample, SeenPod

ONE_RELEASE = 1.0
"""Seconds within which pods of one step may go one after another, and a pod is too new to be judged."""


class Promise(StrEnum):
    """The promises of the contract that an observer can judge."""

    CAPACITY = "S1 capacity"
    ZONES = "S2 zones"
    ONE_STEP = "S3 one step"
    DRAIN = "S4 drain"
    HOLD = "S5 hold"


@dataclass(frozen=True, slots=True)
class Contract:
    """What a rollout is held to.

    ``step`` and ``max_unavailable`` are pods. ``stale_after`` is for how many seconds an answer of ELBv2 may
    be acted on. ``excused`` are the names of pods whose end is not the rollout's doing.
    """

    replicas: int
    step: int = 1
    max_unavailable: int = 0
    min_healthy: int | str = 1
    stale_after: float = 15.0
    excused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken promise: when (seconds since the epoch), and a sentence on what was seen."""

    promise: Promise
    at: float
    seen: str


@dataclass(slots=True)
class Story:
    """What has been seen up to ``now``: the present sample, the one ``before``, and what led there.

    ``retired`` are the pods that the latest moment took; ``earlier`` the old ones of releases before theirs.
    ``passed`` are those that have served at some time, with their revision. ``appeared`` is when each pod
    was first seen, ``answered_at`` when all target groups last answered.
    """

    before: Sample
    now: Sample
    required: int
    floors: Mapping[str, int]
    retired: tuple[SeenPod, ...] = ()
    earlier: list[SeenPod] = field(default_factory=list)
    passed: dict[str, str] = field(default_factory=dict)
    appeared: dict[str, float] = field(default_factory=dict)
    answered_at: float = 0.0
    _release: list[SeenPod] = field(default_factory=list, init=False)
    _released_at: float = field(default=0.0, init=False)

    @property
    def old_retired(self) -> list[SeenPod]:
        """Those of the retired pods that are not of the revision the Deployment leads to."""
        return [pod for pod in self.retired if pod.revision != self.now.target]

    @property
    def served_and_retired(self) -> list[SeenPod]:
        """Those of the retired pods that served a moment ago, when it can be said who serves now."""
        if self.before.blind or self.now.blind:
            return []
        return [pod for pod in self.retired if pod.name in self.before.serving]

    def go_on(self, following: Sample, contract: Contract) -> None:
        """Take in the next sample."""
        self.before, self.now = self.now, following
        self.retired = tuple(
            pod
            for name, pod in self.before.live.items()
            if name not in following.live and name not in contract.excused
        )
        self._keep_releases(contract)
        self._remember()

    def _remember(self) -> None:
        for name in self.now.live:
            self.appeared.setdefault(name, self.now.at)
        if not self.now.blind:
            self.passed |= _revisions(self.now)
            self.answered_at = self.now.at

    def _keep_releases(self, contract: Contract) -> None:
        """Tell the pods of one step, which go together, from those of the steps before."""
        for pod in self.old_retired:
            together = self.now.at - self._released_at <= ONE_RELEASE
            if not together or len(self._release) >= contract.step:
                self.earlier += self._release
                self._release, self._released_at = [], self.now.at
            self._release.append(pod)


def breaches(samples: Sequence[Sample], contract: Contract) -> list[Breach]:
    """Return what a rollout has broken, in order of time.

    The samples begin before the rollout does: floors and capacity are measured by what served then.

    Raises:
        ValueError: The first sample is blind, or there is none.
    """
    if not samples or samples[0].blind:
        raise ValueError("the samples have to begin with one in which all target groups answered")
    story = _beginning(samples[0], contract)
    found: list[Breach] = []
    for _, following in pairwise(samples):
        story.go_on(following, contract)
        found += (breach for rule in RULES for breach in rule(story, contract))
    return _without_repetitions(found)


def _beginning(first: Sample, contract: Contract) -> Story:
    had = first.serving_by_zone
    return Story(
        before=first,
        now=first,
        required=min(contract.replicas, len(first.serving)) - contract.max_unavailable,
        floors={zone: min(rounded_up(contract.min_healthy, count), count) for zone, count in had.items()},
        passed=_revisions(first),
        appeared=dict.fromkeys(first.live, first.at - ONE_RELEASE),
        answered_at=first.at,
    )


def _revisions(sample: Sample) -> dict[str, str]:
    return {name: pod.revision for name, pod in sample.serving.items()}


def _without_repetitions(found: list[Breach]) -> list[Breach]:
    """Leave out what has just been said: a state that lasts is one breach, not ten a second."""
    latest: dict[tuple[Promise, str], float] = {}
    kept = []
    for breach in found:
        key = (breach.promise, breach.seen)
        if key not in latest or breach.at - latest[key] > ONE_RELEASE:
            kept.append(breach)
        latest[key] = breach.at
    return kept


def _capacity(story: Story, _: Contract) -> Iterator[Breach]:
    """S1: no retirement of a serving pod leaves fewer than required."""
    left = len(story.now.serving)
    if story.served_and_retired and left < story.required:
        yield Breach(
            Promise.CAPACITY,
            story.now.at,
            f"{left} of at least {story.required} pods serve without {_names(story.served_and_retired)}",
        )


def _zones(story: Story, _: Contract) -> Iterator[Breach]:
    """S2: no retirement of a serving pod leaves its zone below its floor."""
    for zone in sorted({pod.zone for pod in story.served_and_retired if pod.zone is not None}):
        left, floor = story.now.serving_by_zone[zone], story.floors.get(zone, 0)
        if left < floor:
            gone = [pod for pod in story.served_and_retired if pod.zone == zone]
            seen = f"{left} of at least {floor} pods serve in {zone} without {_names(gone)}"
            yield Breach(Promise.ZONES, story.now.at, seen)


def _one_step(story: Story, contract: Contract) -> Iterator[Breach]:
    """S3: never more new pods than have ever served, and a step. What replaces a lost pod is no new step."""
    if story.now.blind:
        return
    new = [pod for pod in story.now.live.values() if pod.revision == story.now.target]
    beyond = len(new) - sum(revision == story.now.target for revision in story.passed.values())
    if beyond > contract.step:
        seen = f"{beyond} new pods have not served yet, where a step is {contract.step}"
        yield Breach(Promise.ONE_STEP, story.now.at, seen)


def _drain(story: Story, _: Contract) -> Iterator[Breach]:
    """S4: no old pod is retired while a target of an earlier retired one has not finished draining."""
    if not story.old_retired:
        return
    reused = {pod.address for pod in story.now.live.values()}
    for pod in story.earlier:
        left = story.now.targets_of(pod)
        if left and pod.address not in reused:
            target = left[0]
            yield Breach(
                Promise.DRAIN,
                story.now.at,
                f"{_names(story.old_retired)} retired while {target.id}:{target.port} of {pod.name}"
                f" is {target.state}",
            )


def _hold(story: Story, contract: Contract) -> Iterator[Breach]:
    """S5: no old pod is retired while a new one does not serve, or while ELBv2 does not say so."""
    if not story.old_retired:
        return
    now = story.now
    if now.at - story.answered_at > contract.stale_after:
        silent = now.at - story.answered_at
        yield Breach(
            Promise.HOLD, now.at, f"{_names(story.old_retired)} retired after {silent:.1f}s without an answer"
        )
    if story.before.blind or now.blind:
        return
    waiting = [
        pod
        for name, pod in now.live.items()
        if pod.revision == now.target
        and name not in story.before.serving
        and name not in now.serving
        and now.at - story.appeared[name] >= ONE_RELEASE
        # In place a new pod may have to wait for the room that an old one leaves.
        and not (contract.max_unavailable and pod.zone is None)
    ]
    if waiting:
        yield Breach(
            Promise.HOLD, now.at, f"{_names(story.old_retired)} retired while {_names(waiting)} did not serve"
        )


Rule = Callable[[Story, Contract], Iterator[Breach]]

RULES: tuple[Rule, ...] = (_capacity, _zones, _one_step, _drain, _hold)


def _names(pods: Sequence[SeenPod]) -> str:
    return ", ".join(pod.name for pod in pods)
