"""Ctrl-C, SIGTERM and a closed terminal, as the end of a command that cleans up behind itself."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_signalled(work: Coroutine[object, object, int]) -> int:
    """Run ``work`` to its exit code. A signal cancels it; the code then is 128 + its number, as usual."""
    return asyncio.run(_run(work))


async def _run(work: Coroutine[object, object, int]) -> int:
    task = asyncio.create_task(work)
    received: list[int] = []

    def stop(number: int) -> None:
        if not received:  # an impatient second Ctrl-C must not interrupt the cleaning up
            task.cancel()
        received.append(number)

    for number in _ENDING:
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]
