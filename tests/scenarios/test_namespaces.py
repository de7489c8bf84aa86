"""An operator that watches namespaces, with rights in these namespaces only."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

import pytest

from scenarios.conftest import KUSTOMIZE, Opening
from scenarios.electing import AT_HOME, candidate
from scenarios.faulting import FaultingProxy, faulting
from scenarios.manifests import NAMESPACE, App, Manifest, target_group, world
from scenarios.stage import Stage

pytestmark = pytest.mark.parametrize(
    "opened", [pytest.param("real", marks=pytest.mark.real)], indirect=True
)  # the embedded cluster refuses nobody

APP = App(replicas=2, min_healthy=0, groups=("alb-web",))
SITE = world(*map(target_group, APP.groups))
NODES = ("GET", "/api/v1/nodes")


async def test_given_rights_in_one_namespace_then_nodes_are_all_that_the_operator_asks_for_in_vain(
    opened: Opening, tmp_path: Path
) -> None:
    async with opened(SITE) as stage:
        await without_rights_in_the_cluster(stage)
        await watched(stage, NAMESPACE)
        assert refusals(await lived(stage, tmp_path, NAMESPACE)) == {NODES}


async def test_given_the_right_to_read_nodes_too_then_it_asks_for_nothing_in_vain(
    opened: Opening, tmp_path: Path
) -> None:
    async with opened(SITE) as stage:
        await without_rights_in_the_cluster(stage)
        await watched(stage, NAMESPACE)
        await stage.kubectl("apply", "-k", str(KUSTOMIZE / "nodes"))
        assert refusals(await lived(stage, tmp_path, NAMESPACE)) == set()


async def test_given_rights_in_several_namespaces_then_it_looks_after_these_and_no_other(
    opened: Opening, tmp_path: Path
) -> None:
    async with opened(SITE) as stage:
        await without_rights_in_the_cluster(stage)
        for namespace in ("shop", "elsewhere"):
            await stage.kubectl("create", "namespace", namespace)
            await stage.apply(in_namespace(namespace, APP.rollout()))
        await watched(stage, NAMESPACE)
        await watched(stage, "shop")
        assert refusals(await lived(stage, tmp_path, NAMESPACE, "shop")) == {NODES}
        told = {
            each: await stage.kubectl("get", "sro", "-n", each, "-o", "json")
            for each in ("shop", "elsewhere")
        }
        (shop,), (elsewhere,) = (json.loads(each)["items"] for each in told.values())
        assert shop["status"]["reason"] == "DeploymentNotFound"
        assert "status" not in elsewhere
        assert "finalizers" not in elsewhere["metadata"]


async def test_given_rights_in_one_namespace_when_all_are_to_be_watched_then_it_is_not_ready_and_does_nothing(
    opened: Opening,
) -> None:
    async with opened(SITE) as stage:
        await without_rights_in_the_cluster(stage)
        await watched(stage, NAMESPACE)
        await stage.install(APP)
        await stage.apply(APP.rollout())
        alone = await candidate(stage)
        await stage.until(alone.leads, "the operator has the lease", within=30)
        assert (await alone.says("readyz"))[0] == HTTPStatus.SERVICE_UNAVAILABLE
        assert await stage.status(APP) == {}


async def without_rights_in_the_cluster(stage: Stage) -> None:
    """Have what ``deploy/kustomize/namespaced`` installs, in the place of the base that is there."""
    await stage.kubectl("delete", "clusterrolebinding", "saferollout")
    await stage.kubectl("apply", "-k", str(KUSTOMIZE / "namespaced"))
    await stage.kubectl("scale", "--namespace", AT_HOME, "deployment/saferollout", "--replicas=0")
    assert await stage.kubectl("get", "clusterrolebinding", "saferollout", "--ignore-not-found") == ""


async def watched(stage: Stage, namespace: str) -> None:
    """Give the operator its rights in a namespace."""
    await stage.kubectl("apply", "--namespace", namespace, "-k", str(KUSTOMIZE / "watched"))


async def lived(stage: Stage, directory: Path, *namespaces: str) -> FaultingProxy:
    """Let an operator of these namespaces see all of a life, and return the way that it went."""
    assert stage.host.operator is not None
    async with faulting(stage.host.operator, directory) as proxy:
        await stage.install(APP)
        before = await stage.deployment(APP)
        told = [part for each in namespaces for part in ("--namespace", each)]
        await candidate(stage, *told, kubeconfig=proxy.kubeconfig)
        await stage.wrap(APP)
        for each in namespaces[1:]:
            await reason_in(stage, each, APP.name, "DeploymentNotFound")
        async with stage.observed(APP):
            await stage.set_image(APP, "web:2")
            await stage.at_rest(APP, "web:2")
        await stage.kubectl("delete", "saferollout", APP.name, "--timeout=15s")
        assert await stage.deployment(APP) == before
    return proxy


async def reason_in(stage: Stage, namespace: str, name: str, reason: str) -> None:
    """Wait until the SafeRollout of this name, in that namespace, gives this reason."""

    async def holds() -> bool:
        found = await stage.kubectl("get", "sro", name, "-n", namespace, "-o", "jsonpath={.status.reason}")
        return found == reason

    await stage.until(holds, f"the reason of {namespace}/{name} is {reason}", within=20)


def refusals(proxy: FaultingProxy) -> set[tuple[str, str]]:
    """Return what the API server refused for want of rights."""
    return proxy.refusals(HTTPStatus.FORBIDDEN) | proxy.refusals(HTTPStatus.UNAUTHORIZED)


def in_namespace(namespace: str, manifest: Manifest) -> Manifest:
    """Return the manifest in another namespace."""
    return manifest | {"metadata": manifest["metadata"] | {"namespace": namespace}}
