"""CloudWatch alarms: which of those that the user names fire, and of which nobody knows.

An answer counts for as long as one about target health does. One that says ALARM and is too old is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator

from saferollout.decide.answers import AlarmState, AlarmValue
from saferollout.decide.observation import Observation
from saferollout.decide.policy import WatchedAlarm
from saferollout.decide.rollout import Rollout
from saferollout.decide.wording import shortened


def awaited(seen: Observation) -> bool:
    """Whether the alarms are to be asked for: the user names some, and a rollout is on its way or ending.

    It takes what the cluster shows of the Deployment and its ReplicaSets, and what the status remembers.
    """
    if not seen.policy.alarms or seen.deployment is None or seen.deleting:
        return False
    return seen.memory.started_at is not None or Rollout(seen, seen.deployment).in_progress


def firing(seen: Observation) -> str | None:
    """Return which alarms fire and why, ``None`` if none is known to."""
    told = [_sentence(watched, state) for watched, state in _firing(seen)]
    return shortened(told) if told else None


def blame_the_rollout(seen: Observation) -> bool:
    """Whether one of those that fire has begun to since the rollout did.

    What fired before is no failure of a revision that may be there to end it.
    """
    began = seen.memory.started_at or seen.now
    return any(state.since is not None and began < state.since for _, state in _firing(seen))


def unknown(seen: Observation) -> str | None:
    """Return of which alarms the state is not known and why, ``None`` if it is of all."""
    told = [
        _why_unknown(watched, state, seen)
        for watched, state in _states(seen)
        if state is None or not _counts(state, seen)
    ]
    return shortened(told) if told else None


def _states(seen: Observation) -> Iterator[tuple[WatchedAlarm, AlarmState | None]]:
    found = {each.name: each for each in seen.alarms}
    return ((watched, found.get(watched.name)) for watched in seen.policy.alarms)


def _firing(seen: Observation) -> Iterator[tuple[WatchedAlarm, AlarmState]]:
    for watched, state in _states(seen):
        if state is not None and _counts(state, seen) and _fires(watched, state):
            yield watched, state


def _counts(state: AlarmState, seen: Observation) -> bool:
    return state.value is not None and seen.now - state.asked_at <= seen.tuning.stale_after


def _fires(watched: WatchedAlarm, state: AlarmState) -> bool:
    if state.value is AlarmValue.INSUFFICIENT_DATA:
        return watched.counts_without_data
    return state.value is AlarmValue.ALARM


def _sentence(watched: WatchedAlarm, state: AlarmState) -> str:
    counts = ", which counts as ALARM" if state.value is AlarmValue.INSUFFICIENT_DATA else ""
    why = f": {state.reason}" if state.reason else ""
    return f"alarm {watched.name} is in {state.value}{counts}{why}"


def _why_unknown(watched: WatchedAlarm, state: AlarmState | None, seen: Observation) -> str:
    if state is None:
        return f"alarm {watched.name} has not been asked for yet"
    if state.value is None:
        return state.problem or f"alarm {watched.name} has not been told yet"
    why = f": {state.problem}" if state.problem else ""
    return f"the last answer about alarm {watched.name} is older than {seen.tuning.stale_after:g}s{why}"
