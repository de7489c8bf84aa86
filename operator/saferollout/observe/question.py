"""One question to AWS that many put: asked once for all who wait, not too often, and never for too long."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from botocore.config import Config

from saferollout.decide.observation import Problem
from saferollout.observe.aws_errors import Service, silence, waiting_in_line
from saferollout.observe.backoff import Backoff
from saferollout.observe.bucket import TokenBucket


def config_for(threads: int) -> Config:
    """Return how a boto3 client asks, for so many threads: silence is noticed, and so is throttling."""
    return Config(
        connect_timeout=5,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 2},  # throttling is to be seen, not sat out
        max_pool_connections=threads,
        user_agent_extra="saferollout",
    )


@dataclass
class Unanswered(Exception):  # noqa: N818 - reads as what became of the question
    """A question got no usable answer, and why."""

    problem: Problem


class Answer(Protocol):
    """What is known. ``asked_at`` is when the question behind it was sent (epoch seconds), 0 before."""

    @property
    def asked_at(self) -> float:
        """When it was sent."""


A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class Way:
    """How questions to a service travel: in these threads, at the bucket's rate.

    Nobody waits for an answer longer than ``patience`` seconds after the question was sent, and for the first
    one not longer than ``first_patience``.
    """

    service: Service
    threads: Executor
    bucket: TokenBucket
    patience: float
    first_patience: float


class Question(ABC, Generic[A]):
    """A question with its latest answer. Nothing that goes wrong is raised: it is part of the answer."""

    def __init__(self, answer: A, way: Way) -> None:
        self.answer = answer
        self._way = way
        self._retry_at = 0.0
        self._backoff = Backoff(first=1.0, most=30.0)
        self._flight: asyncio.Task[None] | None = None
        self._took_off_at = 0.0
        self._queues = False

    @abstractmethod
    def calls(self) -> int:
        """Return how many calls it takes to answer it."""

    @abstractmethod
    def look(self) -> A:
        """Make the calls and return the answer; runs in a thread.

        Raises:
            Unanswered: No answer, or none that can be used.
        """

    @abstractmethod
    def spoilt(self, problem: Problem) -> A:
        """Return the latest answer with what has gone wrong since."""

    async def ask(self, not_before: float) -> A:
        """Return the answer, asked for anew if the question behind it was sent before ``not_before``.

        Whoever waits does not look after the Deployment. So when patience ends the call goes on, and who
        asks next may find it answered.
        """
        while self.answer.asked_at < not_before and time.time() >= self._retry_at:
            if self._flight is None or self._flight.done():
                self._flight = asyncio.create_task(self._refresh())
                self._took_off_at = time.monotonic()
            patience = self._way.patience if self.answer.asked_at else self._way.first_patience
            left = self._took_off_at + patience - time.monotonic()
            await asyncio.wait([self._flight], timeout=max(0.0, left))
            if not self._flight.done():
                service = self._way.service
                return self.spoilt(waiting_in_line(service) if self._queues else silence(service))
        return self.answer

    async def _refresh(self) -> None:
        loop = asyncio.get_running_loop()
        self._queues = True
        await asyncio.sleep(self._way.bucket.take(self.calls()))
        self._queues = False
        try:
            self.answer = await loop.run_in_executor(self._way.threads, self.look)
        except Unanswered as unanswered:
            self.answer = self.spoilt(unanswered.problem)
            self._retry_at = time.time() + self._backoff.failed()
        else:
            self._retry_at = 0.0
            self._backoff.succeeded()
