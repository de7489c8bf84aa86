"""Taking a SafeRollout away, and what is to be left of it: nothing."""

from __future__ import annotations

from scenarios.manifests import App, Manifest
from scenarios.stage import Stage


async def midway(stage: Stage, app: App) -> None:
    """Bring a rollout to its middle, and have it stay there: spec.paused."""
    await stage.set_image(app, "web:2")
    await stage.step_is(app, 2)
    await stage.set_paused(app, to=True)
    await stage.reason_is(app, "PausedBySpec")


async def delete(stage: Stage, app: App) -> None:
    """Delete the SafeRollout, and wait until it is gone."""
    await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")


async def without_trace(stage: Stage, app: App) -> None:
    """Hold that nothing of the operator's is left, once the pods have gone that it retired."""
    await stage.none_goes("-l", f"app={app.name}")
    for kind in ("deployment", "replicasets", "pods"):
        what = ("deployment", app.name) if kind == "deployment" else (kind, "-l", f"app={app.name}")
        found = await stage.kubectl("get", *what, "-o", "yaml", "--show-managed-fields")
        lines = found.replace("sim.saferollout.dev", "").splitlines()
        assert [line for line in lines if "saferollout" in line] == [], found


async def given_back(stage: Stage, app: App, before: Manifest) -> None:
    """Hold that the Deployment is its user's again, and that Kubernetes completes what was in progress."""
    assert await stage.deployment(app) == before
    await stage.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=60s")
    await without_trace(stage, app)
