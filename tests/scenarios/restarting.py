"""The operator as a kubelet keeps it: whenever it ends, there is another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scenarios.stage import Stage

PATIENT = ("--least-fence", "6")
"""For an operator that dies in mid-release: it takes three seconds to be there again, on a busy host more."""


@asynccontextmanager
async def restarted(stage: Stage, *options: str, **environment: str) -> AsyncIterator[None]:
    """Run the operator, and another one whenever it has ended, for as long as the context lasts."""

    async def keep() -> None:
        while True:
            process = await stage.start_operator(*options, **environment)
            await process.wait()

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
