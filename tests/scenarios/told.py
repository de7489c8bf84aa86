"""What a SafeRollout is held to when it cannot go on: it says why and what to do, and touches nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from scenarios.manifests import App, Manifest
from scenarios.stage import Observation, Stage


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


async def all_serve(stage: Stage, seen: Observation) -> None:
    """Wait until every pod serves: a gate that waited for that would be open."""

    async def holds() -> bool:
        latest = seen.observer.samples[-1]
        return latest.serving.keys() == latest.live.keys()

    await stage.until(holds, "every pod serves", within=30)


async def set_strategy(stage: Stage, app: App, kind: str) -> None:
    """Set the type of the Deployment's strategy."""
    strategy = {"type": kind, "rollingUpdate": None}
    await stage.patch("deployment", app.name, {"spec": {"strategy": strategy}})


async def reason_of(stage: Stage, name: str, reason: str) -> None:
    """Wait until the SafeRollout of this name gives this reason."""

    async def holds() -> bool:
        return bool(((await stage.get("saferollout", name)).get("status") or {}).get("reason") == reason)

    await stage.until(holds, f"the reason of {name} is {reason}", within=20)


def named(name: str, manifest: Manifest) -> Manifest:
    """Return the manifest under another name."""
    return manifest | {"metadata": manifest["metadata"] | {"name": name}}


def without_rules(schema: Any) -> Any:
    """Return a schema as it was before it knew its rules: types alone."""
    rules = {"x-kubernetes-validations", "pattern", "minimum", "minItems", "minLength", "maxLength"}
    if isinstance(schema, dict):
        return {name: without_rules(each) for name, each in schema.items() if name not in rules}
    return [without_rules(each) for each in schema] if isinstance(schema, list) else schema
