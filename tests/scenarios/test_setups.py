"""Five set-ups from practice, as they stand in ``examples/setups``: natively, and under a SafeRollout.

Every one is rolled out three times: natively as it was reported, natively as it is advised, and so under a
SafeRollout. ``pytest -s`` prints the tables.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from saferollout.cli.comparison import Outcome, comparison
from saferollout.sim.samples import figures
from saferollout.sim.world import WorldConfig
from scenarios.conftest import Opening
from scenarios.manifests import App, Manifest
from scenarios.stage import Stage

pytestmark = pytest.mark.long

SETUPS = Path(__file__).parents[2] / "examples" / "setups"


@pytest.mark.parametrize(
    "setup", ["alb-ingress", "nlb-service", "fargate-alb", "no-spare-capacity", "traefik-nlb"]
)
async def test_given_a_setup_of_practice_when_a_new_image_comes_then_requests_fail_natively_only(
    opened: Opening, setup: str
) -> None:
    folder = SETUPS / setup
    world = WorldConfig.load(folder / "simulated" / "world.yaml")
    (deployment,), (rollout,) = _read(folder / "deployment.yaml"), _read(folder / "saferollout.yaml")
    app = _app(deployment, rollout, world)
    async with opened(world) as stage:
        advised = await _patched(stage, deployment, folder / "simulated" / "pods.patch.yaml")
        reported = await _patched(stage, advised, folder / "simulated" / "as-reported.patch.yaml")
        await stage.apply(reported, *_around(folder))
        await _settled(stage, app)
        outcomes = {"native, as reported": await _until_it_fails(stage, app)}
        await stage.apply(advised)
        await _settled(stage, app, _image(advised))
        outcomes["native, as advised"] = await _rolled_out(stage, app, "web:3")
        await stage.start_operator()
        await stage.apply(rollout)
        await stage.at_rest(app)
        outcomes["SafeRollout"] = await _rolled_out(stage, app, "web:4")
        last = await stage.status(app)

    Console(width=110, highlight=False).print(f"\n{setup}", comparison(outcomes, replicas=app.replicas))
    natively, safely = outcomes["native, as reported"], outcomes["SafeRollout"]
    assert sum(natively.failed.values()) > 0
    assert safely.failed == {}
    assert list(map(str, safely.breaches)) == []
    assert app.min_healthy == 0 or safely.figures.empty_zone_seconds == 0
    assert last["exposure"]["worst"] == 0
    assert {each["source"].split()[0] for each in last["targetGroups"]} == {"TargetGroupBinding"}


async def _until_it_fails(stage: Stage, app: App) -> Outcome:
    """Roll out up to three images, until a request fails: which native update meets one is left to chance."""
    for number in (1, 2, 3):
        outcome = await _rolled_out(stage, app, f"web:2.{number}")
        if outcome.failed:
            break
    return outcome


async def _rolled_out(stage: Stage, app: App, image: str) -> Outcome:
    """Change the image, and sum up what came of it when the last target of the old one has drained."""
    async with stage.observed(app) as seen:
        seen.expects_breaches = True
        await stage.set_image(app, image)
        await _settled(stage, app, image)
        ended = time.time()
    summary = await stage.control("GET", f"traffic?since={seen.begun}&until={ended}")
    failed: dict[str, int] = {}
    for group in app.groups:
        for kind, count in summary[group]["outcomes"].items():
            if kind != "ok" and count:
                failed[kind] = failed.get(kind, 0) + count
    return Outcome(
        requests=sum(summary[group]["total"] for group in app.groups),
        failed=failed,
        figures=figures([each for each in seen.observer.samples if seen.begun <= each.at <= ended]),
        breaches=seen.breaches(),
    )


async def _settled(stage: Stage, app: App, image: str | None = None) -> None:
    """Wait until every pod of the image serves, and nothing is left of any other."""
    watching = stage.observer(app)

    async def done() -> bool:
        current = image is None or _image(await stage.get("deployment", app.name)) == image
        return current and (await watching.look()).settled(app.replicas)

    await stage.until(done, f"{image or 'the first image'} has settled", within=150)


async def _patched(stage: Stage, deployment: Manifest, patch: Path) -> Manifest:
    """Return the Deployment with a strategic merge patch on it."""
    arguments = ("--local", "-f", "-", "--patch-file", str(patch), "-o", "yaml")
    return dict(yaml.safe_load(await stage.kubectl("patch", *arguments, given=yaml.safe_dump(deployment))))


def _image(deployment: Manifest) -> str:
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def _app(deployment: Manifest, rollout: Manifest, world: WorldConfig) -> App:
    """What the observer has to know of the set-up."""
    step = rollout["spec"]["step"]
    in_place = "maxUnavailable" in step
    return App(
        name=deployment["metadata"]["name"],
        replicas=deployment["spec"]["replicas"],
        groups=tuple(group.name for group in world.target_groups),
        step=step["maxUnavailable" if in_place else "maxSurge"],
        in_place=in_place,
        min_healthy=rollout["spec"].get("zones", {}).get("minHealthy", 1),
    )


def _around(folder: Path) -> list[Manifest]:
    """What stands around the Deployment: its Services, and what leads to their target groups."""
    own = {"deployment.yaml", "saferollout.yaml"}
    paths = [path for path in sorted(folder.glob("*.yaml")) if path.name not in own]
    return [each for path in (*paths, *folder.glob("simulated/bindings.yaml")) for each in _read(path)]


def _read(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text()))
