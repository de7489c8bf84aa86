"""What a SafeRollout is held to when it cannot go on: it says why and what to do, and touches nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scenarios.manifests import App
from scenarios.stage import Stage


@dataclass(frozen=True, slots=True)
class Told:
    """What it is to say: its reason, a part of the advice, and two of its conditions."""

    reason: str
    advice: str
    stalled: bool = True
    resolved: str = "False"

    async def by(self, stage: Stage, app: App) -> None:
        """Wait until it gives the reason, and hold that all of its status agrees."""
        await stage.reason_is(app, self.reason, within=60)  # the operator may only be starting
        found = await stage.get("saferollout", app.name)
        status = found["status"]
        assert self.advice in status["message"]
        assert status["phase"] == ("Degraded" if self.stalled else "Holding")
        assert status["observedGeneration"] == found["metadata"]["generation"]
        conditions = {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}
        assert conditions["Ready"] == ("False", self.reason)
        assert conditions["Stalled"] == (str(self.stalled), self.reason)
        why = "Resolved" if self.resolved == "True" else self.reason
        assert conditions["TargetGroupsResolved"] == (self.resolved, why)


@asynccontextmanager
async def untouched(stage: Stage, app: App) -> AsyncIterator[None]:
    """Hold that nobody writes the Deployment in the context, its status and its managedFields included."""
    before = await stage.get("deployment", app.name)
    yield
    assert await stage.get("deployment", app.name) == before


async def deployed(stage: Stage, app: App) -> None:
    """Apply a Deployment that nothing is in front of, and wait until it is complete."""
    await stage.apply(app.deployment())
    await stage.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=20s")
