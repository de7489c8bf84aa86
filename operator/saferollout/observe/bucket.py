"""Fewer calls than AWS allows: the account's limit is shared with everything else that runs in it."""

from __future__ import annotations

import time

SECONDS_SAVED = 4.0
"""How many seconds' worth of calls may be made at once after a pause: what AWS's own buckets hold."""


class TokenBucket:
    """Lets ``rate`` calls a second through in the long run. Whoever comes first goes first.

    AWS throttles the describe calls of ELBv2 at about 10 a second with a burst of 40, for each account and
    Region (aws-load-balancer-controller issue 3167).
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._tokens = self._most = rate * SECONDS_SAVED
        self._counted_at = time.monotonic()

    def take(self, calls: int) -> float:
        """Take so many calls, and return the seconds after which they may be made."""
        now = time.monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        self._tokens -= calls
        return max(0.0, -self._tokens / self._rate)
