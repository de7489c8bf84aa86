"""What kubectl shows of a SafeRollout, and waits for, without knowing it."""

from __future__ import annotations

import re
from pathlib import Path

from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world

GOLDEN = Path(__file__).parent / "golden"


def masked(shown: str) -> str:
    """Leave out what differs from run to run: ages, and the hashes of templates."""
    aged = re.sub(r"(?<= )\d+s *", lambda found: f"{'AGE':{len(found[0])}}", shown)
    hashed = re.sub(r"(?<=revision )\w+", "HASH", aged)
    return re.sub(r" +$", "", hashed, flags=re.MULTILINE)


async def test_kubectl_shows_a_saferollout_at_rest_and_waits_until_it_is_ready_again(opened: Opening) -> None:
    app = App(replicas=3, groups=("alb-web",))
    ready = ("wait", "--for=condition=Ready", f"saferollout/{app.name}")
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.install(app)
        await stage.start_operator()
        await stage.apply(app.rollout())
        assert "condition met" in await stage.kubectl(*ready, "--timeout=20s")
        await stage.at_rest(app)
        for name, options in {"get": (), "get-wide": ("-o", "wide")}.items():
            shown = await stage.kubectl("get", "saferollouts", *options)
            assert masked(shown) == (GOLDEN / f"{name}.txt").read_text()
        await stage.set_image(app, "web:2")
        await stage.reason_is(app, "WaitingForHealth")
        assert "timed out" in await stage.kubectl(*ready, "--timeout=1s", check=False)
        assert "condition met" in await stage.kubectl(*ready, "--timeout=60s")
        await stage.at_rest(app, "web:2", within=5)
