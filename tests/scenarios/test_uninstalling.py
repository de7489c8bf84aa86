"""The operator goes, in the right order and in every wrong one: nothing hangs, and nothing of it is left."""

from __future__ import annotations

import asyncio
import json
import random
import time
from http import HTTPStatus
from pathlib import Path

import pytest
from aiohttp import web

from saferollout.api.crd import custom_resource_definition
from scenarios.conftest import Opening
from scenarios.faulting import Handler, faulting
from scenarios.leaving import delete, given_back, midway, without_trace
from scenarios.manifests import App, Manifest, target_group, world
from scenarios.stage import Stage
from scenarios.troubles import refused

pytestmark = pytest.mark.long

APP = App(replicas=4)
SITE = world(target_group("web"), traffic=())
CRD = "customresourcedefinition/saferollouts.saferollout.dev"
AT_ONCE = ("--patience", "2")


async def begun(stage: Stage, app: App = APP, **environment: str) -> Manifest:
    """Bring a rollout to its middle; return the Deployment as it was before any operator."""
    await stage.install(app)
    before = await stage.deployment(app)
    await stage.start_operator(**environment)
    await stage.wrap(app)
    await midway(stage, app)
    return before


async def taken_off(stage: Stage, app: App = APP) -> None:
    """Take the finalizers off by force, as desperate people do."""
    await stage.patch("saferollout", app.name, {"metadata": {"finalizers": None}})


async def test_given_an_operator_when_it_is_uninstalled_in_mid_rollout_then_the_operator_gives_back(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage:
        before = await begun(stage)
        code, said = await stage.saferollout("uninstall", "--all", "--dry-run")
        assert (code, said) == (0, "default: deployment/web of saferollout/web: to be given back\n")
        assert (await stage.deployment(APP))["paused"] is True
        code, said = await stage.saferollout("uninstall", "--all", "-o", "json")
        assert code == 0
        assert json.loads(said) == {
            "namespace": "default",
            "deployment": "web",
            "safeRollout": "web",
            "outcome": "GivenBackByOperator",
            "message": "",
        }
        await given_back(stage, APP, before)


async def test_given_no_operator_any_more_when_it_is_uninstalled_in_mid_rollout_then_the_command_gives_back(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage:
        before = await begun(stage)
        await stage.kill_operator()
        await stage.kubectl("delete", "saferollout", APP.name, "--wait=false")
        code, said = await stage.saferollout("uninstall", "-n", "default", *AT_ONCE)
        assert code == 0, said
        assert "default: deployment/web of saferollout/web: given back" in said
        assert await stage.kubectl("get", "saferollouts", "-o", "name") == ""
        await given_back(stage, APP, before)
        assert await stage.saferollout("uninstall", "--all") == (0, "")


async def test_given_no_operator_when_the_crd_hangs_in_deletion_then_the_command_lets_it_go(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage:
        before = await begun(stage)
        await stage.kill_operator()
        await stage.kubectl("delete", CRD, "--wait=false")
        code, said = await stage.saferollout("uninstall", "--all", *AT_ONCE)
        assert code == 0, said
        await stage.kubectl("wait", "--for=delete", CRD, "--timeout=20s")
        await given_back(stage, APP, before)


async def test_given_the_crd_is_gone_when_it_is_uninstalled_then_orphaned_deployments_are_given_back(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage:
        before = await begun(stage)
        await stage.kill_operator()
        await taken_off(stage)
        await stage.kubectl("delete", CRD, "--timeout=20s")
        code, said = await stage.saferollout("uninstall", "--all", "--dry-run")
        assert (code, said) == (0, "default: deployment/web: to be given back\n")
        code, said = await stage.saferollout("uninstall", "--all")
        assert (code, said) == (0, "default: deployment/web: given back\n")
        await given_back(stage, APP, before)


async def test_given_an_operator_when_the_crd_is_deleted_in_mid_rollout_then_it_goes_and_comes_again(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage:
        before = await begun(stage)
        await stage.kubectl("delete", CRD, "--timeout=60s")
        await given_back(stage, APP, before)
        await stage.apply(custom_resource_definition())
        await stage.kubectl("wait", "--for=condition=Established", CRD, "--timeout=20s")
        await stage.apply(APP.rollout())
        await stage.at_rest(APP, "web:2", within=90)


async def test_given_an_api_server_that_refuses_for_good_then_the_saferollout_goes_and_says_what_is_left(
    opened: Opening, tmp_path: Path
) -> None:
    async with opened(SITE) as stage:
        async with faulting(stage.host.operator or stage.host.kubeconfig, tmp_path) as proxy:
            before = await begun(stage, KUBECONFIG=str(proxy.kubeconfig))
            chance = random.Random(1)  # noqa: S311 - chance, no secret
            proxy.troubles = [refused(chance, HTTPStatus.FORBIDDEN, share=1, kind=is_write_of_a_deployment)]
            began = time.monotonic()
            await stage.kubectl("delete", "saferollout", APP.name, "--wait=false")
            await stage.reason_is(APP, "ApiRefused")
            await stage.kubectl("wait", "--for=delete", f"saferollout/{APP.name}", "--timeout=90s")
            assert time.monotonic() - began > 60
            assert (await stage.told(APP)).count("LeftBehind") == 1
            assert (await stage.deployment(APP))["paused"] is True
            await stage.kill_operator()  # before the proxy, which waits for whoever is still connected
        code, said = await stage.saferollout("uninstall", "-n", "default")
        assert (code, said) == (0, "default: deployment/web: given back\n")
        await given_back(stage, APP, before)


def is_write_of_a_deployment(request: web.Request) -> bool:
    """Whether it changes one."""
    return request.method != "GET" and request.path.rpartition("/")[0].endswith("/deployments")


async def slow(request: web.Request, go_on: Handler) -> web.StreamResponse:
    """Every answer takes its time."""
    await asyncio.sleep(1.0)
    return await go_on(request)


async def test_given_a_slow_api_server_when_the_saferollout_is_deleted_in_mid_rollout_then_it_goes(
    opened: Opening, tmp_path: Path
) -> None:
    async with (
        opened(SITE) as stage,
        faulting(stage.host.operator or stage.host.kubeconfig, tmp_path) as proxy,
    ):
        before = await begun(stage, KUBECONFIG=str(proxy.kubeconfig))
        proxy.troubles = [slow]
        await stage.kubectl("delete", "saferollout", APP.name, "--timeout=45s")
        await given_back(stage, APP, before)
        await stage.kill_operator()


@pytest.mark.parametrize("gone", ["credentials", "endpoint"])
async def test_given_no_access_to_aws_any_more_when_the_saferollout_is_deleted_then_it_goes_within_seconds(
    opened: Opening, gone: str
) -> None:
    async with opened(SITE) as stage:
        before = await begun(stage)
        await stage.kill_operator()
        without = {
            "credentials": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "endpoint": {"AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": "http://127.0.0.1:9"},
        }[gone]
        await stage.start_operator(**without)
        told = {"credentials": "NoCredentials", "endpoint": "EndpointUnreachable"}[gone]
        await stage.reason_is(APP, told, within=40)
        await delete(stage, APP)
        await given_back(stage, APP, before)
        await without_trace(stage, APP)
