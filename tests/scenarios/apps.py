"""Apps that share a site and an operator: what happens to one of them is not to touch another."""

from __future__ import annotations

from itertools import count
from typing import Any

from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.world import WorldConfig
from scenarios.manifests import App, Manifest, target_group, world
from scenarios.stage import Stage


class Apps:
    """Makes up to ``most`` apps, as ``usual``, each with a name and a target group of its own."""

    def __init__(self, most: int, *, prefix: str = "web", **usual: Any) -> None:
        self._names = [f"{prefix}-{number}" for number in range(1, most + 1)]
        self._usual = usual
        self._made = count()

    def site(self, *others: TargetGroupConfig) -> WorldConfig:
        """Return a world with the target groups of all apps, and others, without requests."""
        return world(*map(target_group, self._names), *others, traffic=())

    def __call__(self, **settings: Any) -> App:
        """Return one more."""
        name = self._names[next(self._made)]
        return App(name=name, groups=(name,), **(self._usual | settings))


async def wrapped(stage: Stage, app: App, **spec: Any) -> Manifest:
    """Install the app and its SafeRollout; return the spec of the Deployment as it was before that."""
    await stage.install(app)
    before = await stage.deployment(app)
    await stage.wrap(app, **spec)
    return before
