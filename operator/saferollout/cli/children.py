"""Processes that a command starts, watches over, and leaves none of behind."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

GRACE = 5.0
"""Seconds that a process has to end when it is asked to."""

_LAST_LINES = 15


class ChildEndedError(Exception):
    """A process ended that was to go on. The message has its last words."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running Python module. What it writes to standard error is in ``log``."""

    name: str
    process: Process
    log: Path

    async def first_line(self) -> str:
        """Return the first line of its standard output.

        Raises:
            ChildEndedError: It ended without one.
        """
        line = await self.process.stdout.readline() if self.process.stdout else b""
        if not line:
            await self.ended()
        return line.decode()

    async def ended(self) -> None:
        """Wait until it ends, which it should not.

        Raises:
            ChildEndedError: It has ended.
        """
        code = await self.process.wait()
        raise ChildEndedError(f"{self.name} ended with status {code}:\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])


@asynccontextmanager
async def child(name: str, module: str, *arguments: str, log: Path) -> AsyncIterator[Child]:
    """Run ``python -m module`` for as long as the context lasts.

    It gets a session of its own, so that Ctrl-C reaches it through its parent only, which ends it in order.
    """
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, stdout=PIPE, stderr=errors, start_new_session=True
        )
    try:
        yield Child(name, process, log)
    finally:
        await _end(process)


async def run(module: str, *arguments: str) -> int:
    """Run ``python -m module`` on this terminal to its end, and return its exit code. Cancelling ends it."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments)
    try:
        return await process.wait()
    finally:
        await _end(process)


async def while_running(work: Coroutine[object, object, T], *children: Child) -> T:
    """Return what ``work`` returns, provided that no child ends meanwhile.

    Raises:
        ChildEndedError: One did; ``work`` was cancelled.
    """
    task = asyncio.create_task(work)
    guards = [asyncio.create_task(each.ended()) for each in children]
    try:
        await asyncio.wait([task, *guards], return_when=asyncio.FIRST_COMPLETED)
        for guard in guards:
            if guard.done():
                guard.result()
        return await task
    finally:
        for each in (task, *guards):
            each.cancel()
        await asyncio.gather(task, *guards, return_exceptions=True)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
