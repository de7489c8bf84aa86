"""The trouble of some SafeRollouts is nobody else's: the one beside them takes no longer for it."""

from __future__ import annotations

import time

from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world
from scenarios.stage import Stage
from scenarios.told import deployed

NOTHING_NOTICEABLE = 1.5
"""How much longer a rollout may take on a busy host, for no reason at all (factor)."""


MOST_GROUPS = 32
"""Target groups that a SafeRollout may have."""


async def roll_out(stage: Stage, app: App, image: str) -> float:
    """Roll an image out under the observer; return how many seconds it took."""
    began = time.monotonic()
    async with stage.observed(app):
        await stage.set_image(app, image)
        await stage.at_rest(app, image, within=90)
    return time.monotonic() - began


async def test_given_neighbours_in_trouble_then_a_rollout_takes_no_longer_and_keeps_the_contract(
    opened: Opening,
) -> None:
    app = App(name="good", groups=("good",), replicas=2, min_healthy=0)
    silences = tuple(f"silent-{number}" for number in range(MOST_GROUPS))
    silent = App(name="silent", groups=silences, replicas=1)
    refused = App(name="refused", groups=("refused",), replicas=1)
    unknown = App(name="unknown", groups=("unknown",), replicas=1)
    missing = App(name="missing", groups=("good",), replicas=1)
    groups = map(target_group, ("good", "refused", *silences))
    async with opened(world(*groups, traffic=())) as stage:
        await stage.run(app)
        alone = await roll_out(stage, app, "web:2")
        for neighbour in (silent, refused, unknown):
            await deployed(stage, neighbour)
        await stage.faults(
            {"error": "Throttling", "targetGroup": "refused"},
            *({"silent": True, "targetGroup": each} for each in silences),
        )
        await stage.apply(*(each.rollout() for each in (silent, refused, unknown, missing)))
        await stage.reason_is(silent, "EndpointUnreachable")
        await stage.reason_is(refused, "Throttled")
        await stage.reason_is(unknown, "TargetGroupNotFound")
        await stage.reason_is(missing, "DeploymentNotFound")
        beside_them = await roll_out(stage, app, "web:3")
        assert await stage.reason(silent) == "EndpointUnreachable"
    assert beside_them < NOTHING_NOTICEABLE * alone, f"{beside_them:.1f}s, and {alone:.1f}s alone"
