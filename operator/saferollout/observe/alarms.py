"""What CloudWatch says of alarms: asked once for all who want to know, and only while somebody does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from saferollout.api.reasons import Reason
from saferollout.decide.answers import AlarmState
from saferollout.decide.observation import Problem
from saferollout.observe import cloudwatch
from saferollout.observe.aws_errors import CLOUDWATCH, explain
from saferollout.observe.bucket import TokenBucket
from saferollout.observe.question import Question, Unanswered, Way


@dataclass(frozen=True, slots=True)
class _Told:
    """The latest answer about some alarms by name, and what has gone wrong since."""

    alarms: Mapping[str, AlarmState] = field(default_factory=dict)
    region: str = ""
    asked_at: float = 0.0
    problem: str = ""

    def of(self, name: str) -> AlarmState:
        """Return one alarm; one that is not among the answers does not exist."""
        if name in self.alarms:
            return replace(self.alarms[name], asked_at=self.asked_at, problem=self._problem(name))
        if not self.asked_at:
            return AlarmState(name, problem=self.problem)
        return AlarmState(
            name,
            asked_at=self.asked_at,
            problem=f"there is no alarm {name} in {self.region}. What to do: create it, or correct its name"
            " in spec.gates.alarms; alarms are looked for in the operator's own account and Region.",
        )

    def _problem(self, name: str) -> str:
        return self.problem or self.alarms[name].problem


class _Client:
    """The client, made when it is first needed, and anew when it has found no credentials."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._made: Any = None
        self._making = threading.Lock()

    def get(self) -> Any:
        """Return it. botocore's clients are thread-safe, making them is not.

        Raises:
            Unanswered: It cannot be made.
        """
        with self._making:
            if self._made is None:
                try:
                    self._made = self._connect()
                except Exception as error:
                    raise Unanswered(explain(error, "connecting to CloudWatch", CLOUDWATCH)) from error
            return self._made

    def forget(self) -> None:
        """Make another next time: a client keeps for good what credentials it found, or did not."""
        self._made = None


class _Alarms(Question[_Told]):
    """What is known of the alarms that one or more SafeRollouts name together."""

    def __init__(self, names: Sequence[str], client: _Client, way: Way) -> None:
        super().__init__(_Told(), way)
        self._names = names
        self._client = client

    def calls(self) -> int:
        return 1

    def look(self) -> _Told:
        try:
            client = self._client.get()
            sent = time.time()
            return _Told(cloudwatch.alarms(client, self._names), client.meta.region_name, sent)
        except Unanswered as unanswered:
            if unanswered.problem.reason is Reason.NO_CREDENTIALS:
                self._client.forget()
            raise

    def spoilt(self, problem: Problem) -> _Told:
        return replace(self.answer, problem=problem.message)


class Alarms:
    """Asks CloudWatch on behalf of every SafeRollout, in threads of its own.

    Nothing that goes wrong is raised: it is the ``problem`` of the alarms it concerns. Alarms that are named
    together are asked for in one call; so trouble with one SafeRollout's names is none of another's.
    """

    def __init__(
        self, connect: Callable[[], Any] = cloudwatch.connect, *, patience: float, rate: float
    ) -> None:
        self._client = _Client(connect)
        self._threads = ThreadPoolExecutor(cloudwatch.THREADS, thread_name_prefix="cloudwatch")
        self._way = Way(CLOUDWATCH, self._threads, TokenBucket(rate), patience, patience)
        self._asked: dict[frozenset[str], _Alarms] = {}

    async def ask(self, names: Sequence[str], *, not_before: float) -> tuple[AlarmState, ...]:
        """Return the states of these alarms, in the same order.

        An answer to a question that was sent at ``not_before`` (epoch seconds) or later is given as it is;
        an older one is asked for anew, together with everybody else who is waiting for it.
        """
        if not names:
            return ()
        key = frozenset(names)
        question = self._asked.get(key)
        if question is None:
            question = self._asked[key] = _Alarms(sorted(key), self._client, self._way)
        told = await question.ask(min(not_before, time.time()))
        return tuple(map(told.of, names))

    def close(self) -> None:
        """Ask no more. Calls under way end by themselves, at the latest with their timeouts."""
        self._threads.shutdown(wait=False, cancel_futures=True)
