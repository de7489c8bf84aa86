"""Taking a SafeRollout away, and what is to be left of it: nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE

from scenarios.manifests import App, Manifest
from scenarios.stage import Stage


async def midway(stage: Stage, app: App) -> None:
    """Bring a rollout to its middle, and have it stay there: spec.paused."""
    await stage.set_image(app, "web:2")
    await stage.step_is(app, 2)
    patch = json.dumps({"spec": {"paused": True}})
    await stage.kubectl("patch", "saferollout", app.name, "--type=merge", "--patch", patch)
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
        assert "saferollout" not in found.replace("sim.saferollout.dev", "")


async def given_back(stage: Stage, app: App, before: Manifest) -> None:
    """Hold that the Deployment is its user's again, and that Kubernetes completes what was in progress."""
    assert await stage.deployment(app) == before
    await stage.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=60s")
    await without_trace(stage, app)


async def uninstall(stage: Stage, *arguments: str) -> tuple[int, str]:
    """Run ``saferollout uninstall`` as a user does; return its exit code and all that it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "saferollout", "uninstall", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        env={name: value for name, value in stage.environment.items() if not name.startswith("AWS_")},
    )
    out, error = await process.communicate()
    return process.returncode or 0, out.decode() + error.decode()
