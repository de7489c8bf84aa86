"""What the API server lets the operator do: all that it needs, and what comes of less."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

import pytest

from scenarios.conftest import DEPLOY, Opening
from scenarios.faulting import faulting
from scenarios.manifests import App, target_group, world
from scenarios.stage import Stage

pytestmark = pytest.mark.parametrize(
    "opened", [pytest.param("real", marks=pytest.mark.real)], indirect=True
)  # the embedded cluster refuses nobody


async def test_in_all_of_a_life_the_operator_asks_for_nothing_that_deploy_does_not_give_it(
    opened: Opening, tmp_path: Path
) -> None:
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    async with opened(world(*map(target_group, app.groups))) as stage:
        assert stage.host.operator is not None
        async with faulting(stage.host.operator, tmp_path) as proxy:
            await stage.install(app)
            before = await stage.deployment(app)
            await stage.start_operator(KUBECONFIG=str(proxy.kubeconfig))
            await stage.wrap(app)
            async with stage.observed(app):
                await stage.set_image(app, "web:2")
                await stage.at_rest(app, "web:2")
            await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")
            assert await stage.deployment(app) == before
            assert proxy.refusals(HTTPStatus.FORBIDDEN) == set()
            assert proxy.refusals(HTTPStatus.UNAUTHORIZED) == set()
            written = {(method, path.split("/")[-2]) for method, path, _ in proxy.answered if method != "GET"}
            assert {("PATCH", "deployments"), ("PATCH", "pods"), ("PATCH", "saferollouts")} <= written


async def test_without_the_right_to_write_deployments_it_says_so_and_goes_on_when_it_has_it(
    opened: Opening,
) -> None:
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    async with opened(world(*map(target_group, app.groups))) as stage:
        await stage.run(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            await take_away(stage, "patch", of="deployments")
            await stage.reason_is(app, "ApiRefused", within=30)
            status = await stage.status(app)
            assert status["phase"] == "Holding"
            assert "the API server refused: 403" in status["message"]
            assert 'cannot patch resource "deployments"' in status["message"]
            await stage.kubectl("apply", "-k", str(DEPLOY))
            await stage.at_rest(app, "web:2", within=90)
        assert await stage.failed_requests(app, seen.begun) == {}


async def take_away(stage: Stage, verb: str, *, of: str) -> None:
    """Take a right from the operator."""
    role = await stage.get("clusterrole", "saferollout")
    for rule in role["rules"]:
        if of in rule["resources"]:
            rule["verbs"].remove(verb)
    await stage.kubectl(
        "patch", "clusterrole", "saferollout", "--type=merge", "-p", json.dumps({"rules": role["rules"]})
    )
