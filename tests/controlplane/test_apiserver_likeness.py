"""The embedded API server held against the released one: the same requests, the same answers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controlplane.plane import ControlPlane
from saferollout.sim.apiserver.fields import Path as FieldPath
from saferollout.sim.apiserver.fields import read_fields
from served_cluster import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    WIDGET_DEFINITION,
    WIDGETS,
    Answer,
    Raw,
    Request,
    config_map,
    deployment,
    send,
    served_cluster,
    widget,
)

pytestmark = pytest.mark.real

WEB = f"{DEPLOYMENTS}/web"
ONE = f"{WIDGETS}/one"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONTROLLERS = frozenset({"kube-controller-manager", "kube-scheduler", "kube-apiserver"})


def post(path: str, body: object, **query: str) -> Request:
    return Request("POST", path, body, query=query)


def put(path: str, body: object) -> Request:
    return Request("PUT", path, body)


def merge(path: str, patch: Raw, **query: str) -> Request:
    return Request("PATCH", path, patch, "application/merge-patch+json", query)


def strategic(path: str, patch: Raw) -> Request:
    return Request("PATCH", path, patch, "application/strategic-merge-patch+json")


def json_patch(path: str, *operations: Raw) -> Request:
    return Request("PATCH", path, operations, "application/json-patch+json")


def applied(path: str, body: Raw, manager: str, **query: str) -> Request:
    return Request("PATCH", path, body, "application/apply-patch+yaml", {"fieldManager": manager, **query})


def delete(path: str, options: Raw | None = None, **query: str) -> Request:
    return Request("DELETE", path, options, query=query)


def part(*, metadata: Raw | None = None, **spec: Any) -> Raw:
    """What a manager applies to ``web`` that wants a little of it only."""
    whole: Raw = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", **(metadata or {})},
    }
    return whole | ({"spec": spec} if spec else {})


def rolling(surge: int | str, unavailable: int | str) -> Raw:
    rolling_update = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling_update}}}


def containers(*given: Raw) -> Raw:
    return {"spec": {"template": {"spec": {"containers": list(given)}}}}


FENCE: Raw = {
    "paused": True,
    "minReadySeconds": 700,
    "progressDeadlineSeconds": 900,
    "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
}

CHANCES = 3
"""How often a sequence is played before a difference is believed: the released Deployment controller
annotates a Deployment when it gets round to it, and that is a new generation."""

SEQUENCES: dict[str, Sequence[Request]] = {
    "ordinary writes": (
        post(DEPLOYMENTS, deployment()),
        post(DEPLOYMENTS, deployment()),
        merge(WEB, {"spec": {"paused": True, "minReadySeconds": 3}}, fieldManager="a"),
        merge(WEB, {"spec": {"paused": False, "minReadySeconds": 0}}, fieldManager="a"),
        merge(WEB, {"spec": {"progressDeadlineSeconds": None, "strategy": None}}),
        merge(WEB, {"metadata": {"annotations": {"a": "b"}, "labels": {"c": "d"}}}),
        merge(WEB, {"metadata": {"labels": {"c": None}, "finalizers": ["example.org/a"]}}),
        merge(WEB, {"metadata": {"finalizers": None}}),
        strategic(WEB, containers({"name": "side", "image": "side:9"}, {"name": "new", "image": "new:1"})),
        strategic(WEB, containers({"name": "new", "$patch": "delete"})),
        json_patch(WEB, {"op": "replace", "path": "/spec/replicas", "value": 2}),
        Request("GET", f"{WEB}/scale"),
        merge(f"{WEB}/scale", {"spec": {"replicas": 4}}, fieldManager="scaler"),
        merge(f"{WEB}/status", {"spec": {"replicas": 77}}),
        put(WEB, deployment(image="web:7")),
        put(WEB, deployment(image="web:7")),
        merge(WEB, {"spec": {"replicas": 9}}, dryRun="All"),
        merge(WEB, {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}, dryRun="All"),
    ),
    "apply": (
        applied(WEB, deployment(), "flux"),
        applied(WEB, deployment(), "flux"),
        applied(WEB, part(replicas=3), "hpa"),
        applied(WEB, part(replicas=5), "operator"),
        applied(WEB, part(**FENCE), "operator"),
        applied(WEB, part(**FENCE), "operator"),
        applied(WEB, deployment(), "flux", dryRun="All"),
        applied(WEB, part(paused=True, minReadySeconds=5), "other"),
        applied(WEB, part(paused=False), "operator"),
        applied(WEB, part(metadata={"annotations": {"a": "b"}}), "operator"),
        applied(WEB, part(), "operator"),
        merge(WEB, {"spec": {"replicas": 6}}, fieldManager="kubectl-edit"),
        applied(WEB, deployment(image="web:2"), "flux"),
        applied(WEB, deployment(image="web:2"), "flux", force="true"),
        applied(WEB, part(metadata={"finalizers": ["example.org/a"]}), "operator"),
        applied(WEB, part(metadata={"finalizers": ["example.org/b"]}), "other"),
        applied(WEB, part(), "operator"),
        applied(WEB, part(), "other"),
        applied(
            WEB, part(template=containers({"name": "proxy", "image": "proxy:1"})["spec"]["template"]), "mesh"
        ),
        applied(
            WEB, part(template=containers({"name": "proxy2", "image": "proxy:2"})["spec"]["template"]), "mesh"
        ),
        applied(WEB, part(), "mesh"),
        applied(WEB, part(replicas=5), ""),
    ),
    "refusals": (
        post(DEPLOYMENTS, deployment()),
        merge(WEB, rolling(0, 0)),
        merge(WEB, rolling("some", 1)),
        merge(WEB, rolling("25%", "101%")),
        merge(WEB, {"spec": {"strategy": {"type": "Recreate"}}}),
        merge(WEB, {"spec": {"minReadySeconds": 600}}),
        merge(WEB, {"spec": {"replicas": -1}}),
        merge(WEB, {"spec": {"selector": {"matchLabels": {"x": "y"}}}}),
        merge(WEB, {"spec": {"template": {"spec": {"containers": None}}}}),
        merge(WEB, {"spec": {"template": {"spec": {"restartPolicy": "Never"}}}}),
        merge(WEB, {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 9}}),
        merge(WEB, {"metadata": {"name": "other"}}),
        merge(WEB, {"metadata": {"uid": "other"}}),
        json_patch(WEB, {"op": "test", "path": "/spec/replicas", "value": 99}),
        json_patch(WEB, {"op": "remove", "path": "/spec/nothing"}),
        put(WEB, deployment() | {"metadata": {"name": "other"}}),
        put(WEB, deployment() | {"metadata": {"name": "web", "resourceVersion": "1"}}),
        post("/api/v1/namespaces/nowhere/configmaps", config_map("c")),
        post(CONFIG_MAPS, config_map("Not_A_Name")),
        post(CONFIG_MAPS, {"metadata": {}}),
        post(CONFIG_MAPS, config_map("c"), dryRun="All"),
        Request("GET", CONFIG_MAPS, query={"fieldSelector": "spec.x=1"}),
        Request("GET", "/apis/apps/v2/deployments"),
        Request("GET", "/api/v1/nothing"),
        Request("GET", f"{CONFIG_MAPS}/c"),
        delete(f"{CONFIG_MAPS}/c"),
    ),
    "custom types": (
        post(WIDGETS, widget()),
        post(WIDGETS, widget("two", size=0, colour="pink", code="x", surge=True)),
        post(WIDGETS, widget("two", size="big")),
        post(WIDGETS, widget("two", size=10)),
        post(WIDGETS, widget("two", size=None)),
        post(WIDGETS, widget("two", colour=None, code=None, parts=None), dryRun="All"),
        post(WIDGETS, widget("two", limits=[]), dryRun="All"),
        post(WIDGETS, widget("two", sise=1), dryRun="All"),
        post(WIDGETS, widget("two", sise=1), dryRun="All", fieldValidation="Strict"),
        post(WIDGETS, widget("two", parts=[{"name": "a"}, {"name": "a"}])),
        post(WIDGETS, widget("two", parts=[{"count": 1}])),
        post(WIDGETS, {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "two"}}),
        strategic(ONE, {"spec": {"size": 4}}),
        merge(ONE, {"spec": {"size": 4}, "status": {"a": 1}}, fieldManager="m"),
        merge(f"{ONE}/status", {"spec": {"size": 5}, "status": {"a": 1}}, fieldManager="m"),
        applied(ONE, widget(size=4, parts=[{"name": "a", "count": 1}]), "first"),
        applied(ONE, widget(size=4, parts=[{"name": "b", "count": 1}]), "second"),
        applied(ONE, widget(size=4, parts=[{"name": "b", "count": 2}]), "third"),
        applied(
            ONE, {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "one"}}, "second"
        ),
        merge(ONE, {"metadata": {"finalizers": ["example.org/a"]}}, fieldManager="m"),
        delete(ONE),
        merge(ONE, {"metadata": {"finalizers": ["example.org/a", "example.org/b"]}}, fieldManager="m"),
        merge(ONE, {"metadata": {"finalizers": None}}, fieldManager="m"),
        Request("GET", ONE),
    ),
}


@pytest.mark.parametrize("sequence", SEQUENCES)
async def test_answers_as_the_released_server_does(
    sequence: str, plane: ControlPlane, tmp_path: Path
) -> None:
    requests = SEQUENCES[sequence]
    for chance in range(1, CHANCES + 1):
        namespace = f"likeness-{sequence.replace(' ', '-')}-{chance}"
        async with served_cluster(tmp_path) as cluster:
            embedded = await _answers(cluster.session, cluster.url, namespace, requests)
        trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=plane.authority))
        headers = {"Authorization": f"Bearer {plane.tokens['admin']}"}
        async with aiohttp.ClientSession(connector=trust, headers=headers) as session:
            released = await _answers(session, plane.url, namespace, requests)
        pairs = [(_essence(one), _essence(other)) for one, other in zip(embedded, released, strict=True)]
        if chance == CHANCES or all(one == other for one, other in pairs):
            break
    for number, (one, other) in enumerate(pairs):
        assert one == other, (number, requests[number])


async def _answers(
    session: aiohttp.ClientSession, url: str, namespace: str, requests: Sequence[Request]
) -> list[Answer]:
    """Send the requests in a namespace of their own, which is deleted afterwards."""

    async def ask(request: Request) -> Answer:
        path = request.path.replace("/namespaces/default/", f"/namespaces/{namespace}/")
        return await send(session, url, replace(request, path=path))

    await ask(post("/api/v1/namespaces", {"metadata": {"name": namespace}}))
    await ask(post(DEFINITIONS, WIDGET_DEFINITION))
    while (await ask(Request("GET", WIDGETS))).status != HTTPStatus.OK:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.1)
    answers = [await ask(request) for request in requests]
    await ask(delete(f"/api/v1/namespaces/{namespace}"))
    return answers


def _essence(answer: Answer) -> Raw:
    """Reduce an answer to what has to be the same: no identities, no times, nothing of controllers."""
    body, metadata = answer.body, answer.body["metadata"]
    if body["kind"] == "Status":
        causes = body.get("details", {}).get("causes", ())
        problems = {(each["field"], each["reason"], each["message"]) for each in causes}
        told = problems if len(problems) > 1 else body.get("message")
        return {"status": answer.status, "reason": body.get("reason"), "told": told}
    annotations = metadata.get("annotations", {})
    kept = ("labels", "finalizers", "generation", "deletionGracePeriodSeconds")
    return {
        "status": answer.status,
        "warnings": answer.headers.get("Warning"),
        "spec": body.get("spec"),
        "annotations": {name: text for name, text in annotations.items() if "kubernetes.io/" not in name},
        "owned": _owned(metadata.get("managedFields", ())),
        **{name: metadata.get(name) for name in kept},
    }


def _owned(entries: Sequence[Raw]) -> dict[tuple[str, str, str], set[FieldPath]]:
    """Who owns what; of maps and list items only what is in them, which is what applying depends on."""
    owned = {}
    for entry in entries:
        fields = read_fields(entry["fieldsV1"])
        within = {path[:depth] for path in fields for depth in range(len(path))}
        who = (entry["manager"], entry["operation"], entry.get("subresource", ""))
        if entry["manager"] not in CONTROLLERS:
            owned[who] = set(fields - within)
    return owned
