"""How long to wait after a failure, so that neither we nor many like us hammer what is broken."""

from __future__ import annotations

import random


class Backoff:
    """Doubling delays with jitter, from ``first`` to at most ``most`` seconds."""

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._failures = 0

    def failed(self, *, at_least: float = 0.0) -> float:
        """Note a failure and say how many seconds to wait: between half of the delay and all of it.

        ``at_least`` is what the server asked for (``Retry-After``); jitter comes on top of it.
        """
        delay = min(self._most, self._first * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return at_least + delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret

    def succeeded(self) -> None:
        """Start over with the first delay."""
        self._failures = 0
