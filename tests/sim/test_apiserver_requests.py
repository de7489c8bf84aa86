"""The rules of the API that clients lean on: versions, watches, pages, selectors, refusals."""

from __future__ import annotations

import asyncio

import pytest

from saferollout.sim.apiserver import history
from saferollout.sim.resources import CONFIG_MAPS as CONFIG_MAP_TYPE
from served_cluster import CONFIG_MAPS, DEPLOYMENTS, PODS, Raw, ServedCluster, config_map, deployment, pod

WEB = f"{DEPLOYMENTS}/web"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def names(listed: Raw) -> list[str]:
    return [each["metadata"]["name"] for each in listed["items"]]


async def test_a_deployment_is_completed_as_the_real_server_completes_it(cluster: ServedCluster) -> None:
    written = {
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}, "creationTimestamp": None},
                "spec": {"containers": [{"name": "web", "image": "web", "ports": [{"containerPort": 80}]}]},
            },
        },
    }
    created = await cluster.ask("POST", DEPLOYMENTS, written)
    assert created.body["spec"] == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "web",
                        "imagePullPolicy": "Always",
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        "resources": {},
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                    }
                ],
                "dnsPolicy": "ClusterFirst",
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
                "terminationGracePeriodSeconds": 30,
            },
        },
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            'maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
        ),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            "Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        ({"strategy": {"rollingUpdate": {"maxSurge": "many"}}}, "a valid percent string must be"),
        (
            {"minReadySeconds": 600},
            "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
        ),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"selector": {"matchLabels": {"app": "other"}}}, "`selector` does not match template `labels`"),
        ({"selector": None}, "spec.selector: Required value"),
    ],
)
async def test_refuses_deployments_that_the_real_server_refuses(
    cluster: ServedCluster, change: Raw, problem: str
) -> None:
    refused = await cluster.ask("POST", DEPLOYMENTS, deployment(**change))
    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert problem in refused.body["message"]


async def test_a_selector_cannot_be_changed(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    labels = {"app": "web", "tier": "front"}
    patch = {
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}},
        }
    }
    refused = await cluster.ask("PATCH", WEB, patch, content_type=MERGE)
    assert "field is immutable" in refused.body["message"]


@pytest.mark.parametrize("kind", ["PUT", MERGE, JSON_PATCH])
async def test_a_write_on_an_old_version_is_refused(cluster: ServedCluster, kind: str) -> None:
    old = (await cluster.ask("POST", DEPLOYMENTS, deployment())).body
    version = old["metadata"]["resourceVersion"]
    await cluster.ask("PATCH", WEB, {"spec": {"replicas": 4}}, content_type=MERGE)
    patches: dict[str, object] = {
        MERGE: {"metadata": {"resourceVersion": version}, "spec": {"paused": True}},
        JSON_PATCH: [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/spec/paused", "value": True},
        ],
    }
    if kind == "PUT":
        refused = await cluster.ask("PUT", WEB, old)
    else:
        refused = await cluster.ask("PATCH", WEB, patches[kind], content_type=kind)
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    assert "paused" not in (await cluster.ask("GET", WEB)).body["spec"]


async def test_a_json_patch_whose_test_fails_is_refused_whole(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    patch = [
        {"op": "add", "path": "/spec/paused", "value": True},
        {"op": "test", "path": "/spec/replicas", "value": 7},
    ]
    refused = await cluster.ask("PATCH", WEB, patch, content_type=JSON_PATCH)
    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert "paused" not in (await cluster.ask("GET", WEB)).body["spec"]


async def test_the_scale_is_read_and_written_apart(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    scale = (await cluster.ask("GET", f"{WEB}/scale")).body
    scale["spec"]["replicas"] = 8
    written = await cluster.ask("PUT", f"{WEB}/scale", scale)
    stale = await cluster.ask("PUT", f"{WEB}/scale", scale)
    assert (written.body["kind"], written.body["spec"], stale.status) == ("Scale", {"replicas": 8}, 409)
    assert (await cluster.ask("GET", WEB)).body["spec"]["replicas"] == 8


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"labelSelector": "app=a"}, ["a1", "a2"]),
        ({"labelSelector": "app in (a, b),n!=1"}, ["a2", "b3"]),
        ({"labelSelector": "app notin (a),n"}, ["b3"]),
        ({"labelSelector": "!app"}, ["none"]),
        ({"fieldSelector": "metadata.name=b3"}, ["b3"]),
        ({"fieldSelector": "spec.nodeName!=", "labelSelector": "app"}, ["a2"]),
        ({"fieldSelector": "status.phase=Pending,metadata.name!=none"}, ["a1", "a2", "b3"]),
    ],
)
async def test_lists_what_selectors_select(
    cluster: ServedCluster, query: dict[str, str], found: list[str]
) -> None:
    for each in (
        pod("a1", app="a", n="1"),
        pod("a2", node="node-1", app="a", n="2"),
        pod("b3", app="b", n="3"),
        pod("none"),
    ):
        await cluster.ask("POST", PODS, each)
    assert names((await cluster.ask("GET", PODS, **query)).body) == found


async def test_a_field_that_cannot_be_selected_by_is_refused(cluster: ServedCluster) -> None:
    refused = await cluster.ask("GET", DEPLOYMENTS, fieldSelector="spec.paused=true")
    assert (refused.status, refused.body["reason"]) == (400, "BadRequest")
    assert '"spec.paused" is not a known field selector' in refused.body["message"]


async def test_pages_are_of_one_moment(cluster: ServedCluster) -> None:
    for number in range(5):
        await cluster.ask("POST", CONFIG_MAPS, config_map(f"c{number}"))
    first = (await cluster.ask("GET", CONFIG_MAPS, limit="2")).body
    await cluster.ask("DELETE", f"{CONFIG_MAPS}/c3")
    rest = (await cluster.ask("GET", CONFIG_MAPS, **{"continue": first["metadata"]["continue"]})).body
    assert names(first) + names(rest) == ["c0", "c1", "c2", "c3", "c4"]
    assert first["metadata"]["remainingItemCount"] == 3
    assert first["metadata"]["resourceVersion"] == rest["metadata"]["resourceVersion"]


async def test_a_page_too_old_is_gone(cluster: ServedCluster) -> None:
    refused = await cluster.ask("GET", CONFIG_MAPS, **{"continue": "forgotten"})
    assert (refused.status, refused.body["reason"]) == (410, "Expired")


async def test_a_watch_goes_on_where_the_list_was(cluster: ServedCluster) -> None:
    await cluster.ask("POST", CONFIG_MAPS, config_map("c0"))
    version = (await cluster.ask("GET", CONFIG_MAPS)).body["metadata"]["resourceVersion"]
    await cluster.ask("POST", CONFIG_MAPS, config_map("c1"))
    async with cluster.watching(CONFIG_MAPS, resourceVersion=version, timeoutSeconds="1") as events:
        await cluster.ask("PATCH", f"{CONFIG_MAPS}/c1", {"data": {"key": "new"}}, content_type=MERGE)
        await cluster.ask("DELETE", f"{CONFIG_MAPS}/c0")
        seen = [(each["type"], each["object"]["metadata"]["name"]) async for each in events]
    assert seen == [("ADDED", "c1"), ("MODIFIED", "c1"), ("DELETED", "c0")]


async def test_a_watch_without_a_version_begins_with_what_is_there(cluster: ServedCluster) -> None:
    await cluster.ask("POST", CONFIG_MAPS, config_map("c0"))
    async with cluster.watching(CONFIG_MAPS, timeoutSeconds="1") as events:
        seen = [(each["type"], each["object"]["metadata"]["name"]) async for each in events]
    assert seen == [("ADDED", "c0")]


async def test_objects_come_into_a_watchs_selection_and_leave_it(cluster: ServedCluster) -> None:
    await cluster.ask("POST", CONFIG_MAPS, config_map("c0"))
    version = (await cluster.ask("GET", CONFIG_MAPS)).body["metadata"]["resourceVersion"]
    for value in ("yes", "no"):
        patch = {"metadata": {"labels": {"mine": value}}}
        await cluster.ask("PATCH", f"{CONFIG_MAPS}/c0", patch, content_type=MERGE)
    query = {"labelSelector": "mine=yes", "resourceVersion": version, "timeoutSeconds": "1"}
    async with cluster.watching(CONFIG_MAPS, **query) as events:
        seen = [each["type"] async for each in events]
    assert seen == ["ADDED", "DELETED"]


async def test_bookmarks_tell_who_asks_how_far_the_watch_is(cluster: ServedCluster) -> None:
    version = (await cluster.ask("GET", CONFIG_MAPS)).body["metadata"]["resourceVersion"]
    query = {"allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": "8"}
    async with cluster.watching(CONFIG_MAPS, **query) as events:
        await cluster.ask("POST", DEPLOYMENTS, deployment())
        bookmarks = [await asyncio.wait_for(anext(events), 8) for _ in range(2)]
    assert [each["type"] for each in bookmarks] == ["BOOKMARK", "BOOKMARK"]
    assert bookmarks[1]["object"]["metadata"]["resourceVersion"] == str(cluster.store.version)


async def test_a_watch_from_a_version_no_longer_known_says_so(cluster: ServedCluster) -> None:
    version = (await cluster.ask("GET", CONFIG_MAPS)).body["metadata"]["resourceVersion"]
    await cluster.ask("POST", CONFIG_MAPS, config_map("c0"))
    cluster.server.history.forget(CONFIG_MAP_TYPE)
    async with cluster.watching(CONFIG_MAPS, resourceVersion=version) as events:
        seen = [each async for each in events]
    assert [each["type"] for each in seen] == ["ERROR"]
    assert (seen[0]["object"]["code"], seen[0]["object"]["reason"]) == (410, "Expired")


async def test_a_running_watch_whose_history_is_lost_is_told_so(cluster: ServedCluster) -> None:
    version = (await cluster.ask("GET", CONFIG_MAPS)).body["metadata"]["resourceVersion"]
    async with cluster.watching(CONFIG_MAPS, resourceVersion=version) as events:
        await cluster.ask("POST", CONFIG_MAPS, config_map("c0"))
        first = await anext(events)
        await cluster.ask("POST", DEPLOYMENTS, deployment())
        cluster.server.history.forget(CONFIG_MAP_TYPE)
        second = await asyncio.wait_for(anext(events), 5)
    assert [first["type"], second["type"]] == ["ADDED", "ERROR"]


async def test_the_history_is_bounded(cluster: ServedCluster) -> None:
    version = (await cluster.ask("GET", CONFIG_MAPS)).body["metadata"]["resourceVersion"]
    for number in range(history.KEPT + 1):
        cluster.store.create(CONFIG_MAP_TYPE, {"metadata": {"namespace": "default", "name": f"c{number}"}})
    async with cluster.watching(CONFIG_MAPS, resourceVersion=version) as events:
        assert (await anext(events))["type"] == "ERROR"


async def test_a_streaming_list_is_refused_so_that_clients_list_and_watch(cluster: ServedCluster) -> None:
    refused = await cluster.ask("GET", CONFIG_MAPS, watch="true", sendInitialEvents="true")
    assert (refused.status, refused.body["reason"]) == (422, "Invalid")


async def test_deleting_needs_the_object_that_was_meant(cluster: ServedCluster) -> None:
    await cluster.ask("POST", CONFIG_MAPS, config_map("c0"))
    other = {"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}}
    assert (await cluster.ask("DELETE", f"{CONFIG_MAPS}/c0", other)).status == 409
    assert (await cluster.ask("DELETE", f"{CONFIG_MAPS}/c0")).body["status"] == "Success"
    assert (await cluster.ask("GET", f"{CONFIG_MAPS}/c0")).status == 404


async def test_orphaning_leaves_what_is_owned_without_owner(cluster: ServedCluster) -> None:
    owner = (await cluster.ask("POST", CONFIG_MAPS, config_map("owner"))).body
    owned = config_map("owned")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned["metadata"]["ownerReferences"] = [reference]
    await cluster.ask("POST", CONFIG_MAPS, owned)
    await cluster.ask("DELETE", f"{CONFIG_MAPS}/owner", propagationPolicy="Orphan")
    assert (await cluster.ask("GET", f"{CONFIG_MAPS}/owned")).body["metadata"]["ownerReferences"] == []


async def test_deletes_a_selection(cluster: ServedCluster) -> None:
    for name, colour in (("c0", "red"), ("c1", "blue"), ("c2", "red")):
        await cluster.ask("POST", CONFIG_MAPS, config_map(name, colour=colour))
    await cluster.ask("DELETE", CONFIG_MAPS, labelSelector="colour=red")
    assert names((await cluster.ask("GET", CONFIG_MAPS)).body) == ["c1"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_dry_run_writes_nothing(cluster: ServedCluster, method: str) -> None:
    await cluster.ask("POST", CONFIG_MAPS, config_map("c0"))
    version = cluster.store.version
    path = CONFIG_MAPS if method == "POST" else f"{CONFIG_MAPS}/c0"
    body = config_map("c1" if method == "POST" else "c0", new="label")
    kind = MERGE if method == "PATCH" else "application/json"
    answer = await cluster.ask(method, path, body, content_type=kind, dryRun="All")
    assert answer.status in {200, 201}
    assert cluster.store.version == version


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("c0"), 404),
        ("POST", CONFIG_MAPS, config_map("Not_A_Name"), 422),
        ("POST", CONFIG_MAPS, deployment(), 400),
        ("POST", CONFIG_MAPS, "text", 400),
        ("POST", "/api/v1/configmaps", config_map("c0"), 405),
        ("POST", DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": []}, 400),
        ("PUT", f"{CONFIG_MAPS}/c0", config_map("c1"), 400),
        ("GET", f"{CONFIG_MAPS}?limit=many", None, 400),
        ("GET", "/apis/apps/v2/deployments", None, 404),
        ("GET", "/apis/nothing.example.org/v1", None, 404),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_as_such(
    cluster: ServedCluster, method: str, path: str, body: object, status: int
) -> None:
    refused = await cluster.ask(method, path, body)
    assert (refused.status, refused.body["kind"], refused.body["code"]) == (status, "Status", status)
