"""What the operator has changed on a Deployment, and what the user had there: one annotation.

A field is in the ledger exactly while its value is the operator's. What the user had is kept beside it,
so that giving it back needs no memory but the Deployment itself. Others may take the annotation away, or
put an old one in its place (docs/findings.md, 14): that is seen by a copy in the status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, get_type_hints

from saferollout.decide.workload import Deployment, Strategy


@dataclass(frozen=True, slots=True)
class Settings:
    """The fields of a Deployment that a rollout needs to change, with their values."""

    paused: bool
    strategy: Strategy
    min_ready_seconds: int
    progress_deadline_seconds: int | None


_MOST = 4096
"""Characters of a ledger: four times what the operator writes. A copy of it is in the status."""

SETTINGS = tuple(each.name for each in fields(Settings))


@dataclass(frozen=True, slots=True)
class Release:
    """One release, written in the same patch that makes it, so that its end can be recognised by anybody.

    ``target`` is the digest of the template it moves to and ``replicas`` the size it was made for; ``new``
    and ``old`` are the sizes of the target ReplicaSet and of all others together (pods) when it has happened.
    """

    target: str
    replicas: int
    new: int
    old: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """``users``: the values to give back. ``ours``: the operator's, by the same names.

    ``at`` is when it was decided on (seconds since the epoch), ``of`` the UID of the Deployment.
    ``released_at`` is when the last release was that has been made, ``release`` or one before it.
    """

    users: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, Any] = field(default_factory=dict)
    release: Release | None = None
    at: float = field(default=0.0, compare=False)
    of: str = field(default="", compare=False)
    released_at: float = field(default=0.0, compare=False)


def live_settings(deployment: Deployment) -> Settings:
    """Return the settings as they are on the Deployment now, whoever they are from."""
    return Settings(**{name: getattr(deployment, name) for name in SETTINGS})


def in_force(deployment: Deployment, copy: str | None) -> Ledger | None:
    """Return what the operator has changed, by the annotation and by the ``copy`` of it in the status.

    The later of the two knows what the user has. Which of them has come to pass is not known to an operator
    that died between two writes: a value is the operator's if it is so by either. A release is only ever on
    record in the annotation: the copy is written before it is made.
    """
    noted, kept = (_of(deployment, read(text)) for text in (deployment.ledger, copy))
    if noted is None or kept is None:
        return noted or (replace(kept, release=None, released_at=0.0) if kept else None)
    earlier, later = sorted((noted, kept), key=lambda each: each.at)
    live = live_settings(deployment)
    left = [
        name
        for name, value in earlier.ours.items()
        if getattr(live, name) == value and name in earlier.users and later.ours.get(name) != value
    ]
    return Ledger(
        users={**{name: earlier.users[name] for name in left}, **later.users},
        ours={**later.ours, **{name: earlier.ours[name] for name in left}},
        release=noted.release,
        at=later.at,
        of=later.of,
        released_at=noted.released_at,
    )


def _of(deployment: Deployment, ledger: Ledger | None) -> Ledger | None:
    return ledger if ledger is not None and ledger.of in {"", deployment.uid} else None


def users_settings(deployment: Deployment, ledger: Ledger | None) -> Settings:
    """Return the settings the user wants: those on record, unless somebody has written the field since.

    A pause of the guard's is nobody's wish: it pauses only what was not paused.
    """
    live = live_settings(deployment)
    on_record = ledger or Ledger()
    given = {
        name: on_record.users[name]
        for name in SETTINGS
        if name in on_record.users and getattr(live, name) == on_record.ours.get(name)
    }
    if deployment.held_by_guard:
        given.setdefault("paused", False)
    return Settings(**{name: given.get(name, getattr(live, name)) for name in SETTINGS})


def keep(users: Settings, ours: Settings, release: Release | None = None) -> Ledger | None:
    """Return the ledger for putting ``ours`` in place of ``users``; ``None`` if there is nothing to keep."""
    changed = [name for name in SETTINGS if getattr(users, name) != getattr(ours, name)]
    if not changed and release is None:
        return None
    return Ledger(
        users={name: getattr(users, name) for name in changed},
        ours={name: getattr(ours, name) for name in changed},
        release=release,
    )


def write(ledger: Ledger) -> str:
    """Return the annotation's text."""
    content = {name: value for name, value in asdict(ledger).items() if value}
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=256)  # every look at a Deployment reads it, and it seldom changes
def read(text: str | None) -> Ledger | None:
    """Return the ledger in the annotation's text; a text that is none counts as absent."""
    if text is None or len(text) > _MOST:
        return None
    try:
        content = json.loads(text)
        release = content.get("release")
        return Ledger(
            users=_settings(content.get("users", {})),
            ours=_settings(content.get("ours", {})),
            release=Release(**_typed(Release, release)) if release else None,
            at=float(content.get("at", 0.0)),
            of=str(content.get("of", "")),
            released_at=float(content.get("released_at", 0.0)),
        )
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError):
        return None


_TYPES: Mapping[type, Mapping[str, Any]] = {
    kind: get_type_hints(kind) for kind in (Settings, Strategy, Release)
}


def _settings(content: Mapping[str, Any]) -> Mapping[str, Any]:
    known = {name: content[name] for name in SETTINGS if name in content}
    if "strategy" in known:
        known["strategy"] = Strategy(**_typed(Strategy, known["strategy"]))
    return _typed(Settings, known)


def _typed(kind: type, content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the content if every value is what that field of ``kind`` takes: anybody may edit an annotation.

    Raises:
        KeyError: There is no such field.
        TypeError: A value is of another type.
    """
    for name, value in content.items():
        if not isinstance(value, _TYPES[kind][name]):
            raise TypeError(f"{name} cannot be {value!r}")
    return content
