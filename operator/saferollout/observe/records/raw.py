"""What the parsers of all kinds read alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from sys import intern
from typing import Any

from saferollout.decide.workload import Labels

Raw = Mapping[str, Any]
"""One object as the API server wrote it."""


def controller_of(meta: Raw, kind: str) -> str | None:
    """Return the UID of the apps/v1 object of that kind that controls this one, ``None`` if there is none."""
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller") and owner["kind"] == kind and owner["apiVersion"] == "apps/v1":
            return intern(owner["uid"])
    return None


def labels_of(raw: Mapping[str, str] | None) -> Labels:
    """Return labels, or a selector by them; where there are none, none."""
    return frozenset((intern(name), intern(value)) for name, value in (raw or {}).items())


def annotations_of(meta: Raw) -> Mapping[str, str]:
    """Return the annotations of ``metadata``."""
    return meta.get("annotations") or {}


def sentence(condition: Raw) -> str:
    """Return a condition's reason and message."""
    return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))


def shared(text: str | None) -> str | None:
    """Return the one copy of a text that many objects have."""
    return None if text is None else intern(text)


def epoch(timestamp: str) -> float:
    """Return a time of the API (RFC 3339) as seconds since the epoch."""
    return datetime.fromisoformat(timestamp).timestamp()
