"""Clients that send a steady load through a load balancer and keep count of what fails."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from pydantic import Field

from saferollout.sim.elbv2.config import Config
from saferollout.sim.elbv2.load_balancer import LoadBalancer, Outcome
from saferollout.sim.timeline import Timeline

_BEAT = 0.05
"""Seconds between two bursts: fine enough to see a gap, coarse enough to cost nothing."""


class TrafficConfig(Config):
    """A load on one target group.

    ``rate``: requests a second of the simulation's own time. ``clients``: how many clients share it, each
    with a DNS cache of its own. ``dns_ttl_seconds``: how long such a cache lasts, shortened by speed.
    """

    target_group: str
    rate: float = Field(default=50.0, gt=0)
    clients: int = Field(default=10, ge=1)
    dns_ttl_seconds: float = Field(default=60.0, ge=0)
    seed: int = 0


class Tally:
    """Outcomes of requests by the second in which they were sent."""

    def __init__(self) -> None:
        self._seconds: dict[int, Counter[Outcome]] = {}

    def add(self, at: float, outcome: Outcome) -> None:
        """Count one request sent at ``at``, in seconds since the epoch."""
        second = int(at)
        if (counts := self._seconds.get(second)) is None:
            counts = self._seconds[second] = Counter()
        counts[outcome] += 1

    def counts(self, since: float = -math.inf, until: float = math.inf) -> Counter[Outcome]:
        """Count the requests sent in whole seconds from ``since`` to before ``until``."""
        total: Counter[Outcome] = Counter()
        for second, counts in self._seconds.items():
            if since <= second < until:
                total += counts
        return total

    def failing_seconds(self, since: float = -math.inf, until: float = math.inf) -> list[int]:
        """The seconds in which a request failed."""
        return [
            second
            for second, counts in self._seconds.items()
            if since <= second < until and counts.keys() - {Outcome.OK}
        ]

    def summary(self, since: float = -math.inf, until: float = math.inf) -> dict[str, Any]:
        """Sum up: ``total`` and ``failed`` requests, ``outcomes`` by name, and ``failingSeconds``."""
        counts = self.counts(since, until)
        total = counts.total()
        return {
            "total": total,
            "failed": total - counts[Outcome.OK],
            "outcomes": {str(outcome): counts[outcome] for outcome in Outcome},
            "failingSeconds": len(self.failing_seconds(since, until)),
        }


class Resolver:
    """A client's view of DNS: an answer is used until it is ``ttl`` seconds old, whatever changes."""

    def __init__(self, load_balancer: LoadBalancer, ttl: float, expires: float) -> None:
        self._load_balancer = load_balancer
        self._ttl = ttl
        self._expires = expires
        self._addresses = load_balancer.resolve()

    def addresses(self, now: float) -> Sequence[str]:
        """The addresses this client believes in."""
        if now >= self._expires:
            self._addresses = self._load_balancer.resolve()
            self._expires = now + self._ttl
        return self._addresses


class Traffic:
    """A steady load on one load balancer, from now on. What it draws follows from the seed."""

    def __init__(self, timeline: Timeline, load_balancer: LoadBalancer, config: TrafficConfig) -> None:
        self.tally = Tally()
        self.config = config
        self._timeline = timeline
        self._load_balancer = load_balancer
        self._chance = Random(config.seed)  # noqa: S311 - a load that can be repeated, not a secret
        self._start = timeline.now
        self._beats = 0
        self._sent = 0
        ttl = config.dns_ttl_seconds / timeline.speed
        self._resolvers = [
            Resolver(load_balancer, ttl, timeline.now + ttl * number / config.clients)
            for number in range(config.clients)
        ]
        self._wait()

    def _send(self) -> None:
        now, chance = self._timeline.now, self._chance
        due = int(self._beats * _BEAT * self.config.rate * self._timeline.speed)
        for _ in range(due - self._sent):
            address = chance.choice(chance.choice(self._resolvers).addresses(now))
            self.tally.add(now, self._load_balancer.request(address, chance))
        self._sent = due
        self._wait()

    def _wait(self) -> None:
        self._beats += 1
        self._timeline.at(self._start + self._beats * _BEAT, self._send)
