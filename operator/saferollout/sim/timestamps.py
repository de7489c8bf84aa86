"""Times as Kubernetes writes them: RFC 3339, UTC, whole seconds (``metav1.Time``)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def _written(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp(seconds: float) -> str:
    """Write seconds since the epoch; the fraction is cut off, as the real server does."""
    return _written(int(seconds))


def seconds(written: str) -> float:
    """Read what `timestamp` (or a client, with a fraction or an offset) wrote, as seconds since the epoch.

    Raises:
        ValueError: It is no RFC 3339 time.
    """
    return datetime.fromisoformat(written).timestamp()
