"""The six moves, each as the settings the Deployment is to have afterwards."""

from __future__ import annotations

from dataclasses import replace

from saferollout.api.names import GUARDED
from saferollout.decide import fences, takeovers
from saferollout.decide.decision import Change, Move
from saferollout.decide.ledger import Ledger, Release, Settings, keep, live_settings
from saferollout.decide.rollout import Rollout
from saferollout.decide.workload import ReplicaSet, Strategy


def rest(rollout: Rollout, move: Move) -> Change:
    """Everything as the user has it, but for a strategy that gives nothing up before something new is there.

    Until the operator sees a new template, the Deployment can then only add the pods of the first step; a
    single one, which may wait for a node, where steps are made in place. Under a guard it can do nothing, and
    the strategy is the user's as well.
    """
    if rollout.observation.guard.in_force or "strategy" in takeovers.lasting(rollout):
        return _change(move, rollout, rollout.users)
    as_written = not rollout.in_place and rollout.first_step == rollout.step_size
    strategy = _strategy(rollout.observation.policy.max_surge if as_written else rollout.first_step)
    return _change(move, rollout, replace(rollout.users, strategy=strategy))


def pause(rollout: Rollout) -> Change:
    """Hold the Deployment at the sizes it has.

    ``maxSurge`` is set so that they are what a paused Deployment keeps (kubernetes ``scale``). A wall is put
    up as well: with the target complete the pause protects no old pod (kubernetes ``IsSaturated``), and it is
    complete as soon as somebody scales down to it; and behind the wall it does no harm to be un-paused.
    """
    if rollout.in_place:
        settings = _fenced(rollout, fences.WALL, _strategy(rollout.surplus, 0 if rollout.surplus else 1))
        return _change(Move.PAUSE, rollout, replace(settings, paused=True))
    excess = rollout.surplus or rollout.first_step
    fence = fences.WALL if takeovers.wall_is_kept(rollout) else None
    paused = rollout.deployment.paused or not takeovers.pause_is_left(rollout)
    settings = replace(_fenced(rollout, fence, _strategy(excess)), paused=paused)
    return _change(Move.PAUSE, rollout, settings)


def release(rollout: Rollout) -> Change:
    """Let one step happen: the surplus of old pods goes, and the next batch of new ones comes.

    The fence in the same patch keeps the pods of the next batch from counting before it expires, so that one
    step cannot become two. The last release takes down the wall and stays paused: the Deployment controller
    then retires what is left; but not if somebody has scaled below the new pods there are (kubernetes
    ``IsSaturated``), then it is un-paused. In place, a step's worth of old pods goes before new ones come.
    """
    record = _record(rollout, rollout.new + rollout.coming, rollout.old - rollout.going)
    fence = fences.behind(rollout.placed_pods, rollout.observation.now)
    if rollout.in_place:
        settings = replace(_fenced(rollout, fence, _strategy(0, rollout.step_size)), paused=False)
        return _change(Move.RELEASE, rollout, settings, record)
    if rollout.last_batch:
        settings = replace(
            live_settings(rollout.deployment),
            min_ready_seconds=rollout.users.min_ready_seconds,
            progress_deadline_seconds=rollout.users.progress_deadline_seconds,
        )
        replicas = rollout.deployment.replicas
        if rollout.new > replicas:
            settings = replace(settings, paused=False, strategy=_strategy(1))
        return _change(Move.RELEASE, rollout, settings, _record(rollout, min(rollout.new, replicas), 0))
    settings = replace(_fenced(rollout, fence, _strategy(max(1, rollout.coming))), paused=False)
    return _change(Move.RELEASE, rollout, settings, record)


def put_back(rollout: Rollout, before: ReplicaSet) -> Change:
    """Put the template of ``before`` back, and hold the Deployment at the sizes it has."""
    found = replace(rollout.deployment, template=before.template, labels=before.labels, leave=before.leave)
    held = pause(Rollout(rollout.observation, found))
    return replace(held, move=Move.PUT_BACK, template_of=before.name)


def give_back(rollout: Rollout) -> Change | None:
    """Everything as the user has it, and no trace; ``None`` if it is so already.

    In mid-rollout the pause may be left, if that is asked for: as a value of the user's. What the operator
    has never had in hand is not paused on leaving.
    """
    found = rollout.deployment
    keeps_paused = rollout.adopted and rollout.in_progress and rollout.observation.policy.keep_paused
    users = replace(rollout.users, paused=True) if keeps_paused else rollout.users
    ours = found.ledger is not None or found.label == GUARDED or found.held_by_guard
    if not ours and users == live_settings(found):
        return None
    label = None if found.label == GUARDED else found.label
    return Change(Move.GIVE_BACK, users, None, label=label)


def differs(change: Change, rollout: Rollout) -> bool:
    """Whether the Deployment is not yet as ``change`` wants it."""
    found = rollout.deployment
    return (
        found.held_by_guard
        or change.label != found.label
        or change.settings != live_settings(found)
        or change.ledger != rollout.ledger
    )


def _change(move: Move, rollout: Rollout, settings: Settings, release: Release | None = None) -> Change:
    """Return the change, with the label as somebody else has written it if somebody has."""
    label = GUARDED if rollout.deployment.label is None else rollout.deployment.label
    ledger = keep(rollout.users, settings, release)
    if ledger is not None:
        now = rollout.observation.now
        released_at = (rollout.ledger or Ledger()).released_at if release is None else now
        ledger = replace(ledger, at=now, of=rollout.deployment.uid, released_at=released_at)
    return Change(move, settings, ledger, label=label)


def _fenced(rollout: Rollout, fence: int | None, strategy: Strategy) -> Settings:
    seconds = rollout.users.min_ready_seconds if fence is None else fence
    return Settings(
        paused=rollout.users.paused,
        strategy=strategy,
        min_ready_seconds=seconds,
        progress_deadline_seconds=fences.deadline(rollout.users, seconds),
    )


def _strategy(max_surge: int | str, max_unavailable: int = 0) -> Strategy:
    return Strategy("RollingUpdate", max_surge, max_unavailable)


def _record(rollout: Rollout, new: int, old: int) -> Release:
    return Release(rollout.deployment.template, rollout.deployment.replicas, new, old)
