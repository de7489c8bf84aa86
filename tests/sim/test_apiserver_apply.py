"""Server-side apply and who owns which field, as Flux, Argo CD and the operator rely on it."""

from __future__ import annotations

from typing import Any

from served_cluster import DEPLOYMENTS, WIDGET_DEFINITION, WIDGETS, Raw, ServedCluster, deployment, widget

WEB = f"{DEPLOYMENTS}/web"
MERGE = "application/merge-patch+json"


def spec_of(**spec: Any) -> Raw:
    """What a manager applies that wants a few fields of ``spec`` only."""
    whole: Raw = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    return whole | ({"spec": spec} if spec else {})


def owned_by(obj: Raw, manager: str, operation: str = "Apply") -> Raw:
    """What ``managedFields`` says that a manager owns."""
    entries = obj["metadata"].get("managedFields", ())
    found = [each for each in entries if (each["manager"], each["operation"]) == (manager, operation)]
    return found[0]["fieldsV1"] if found else {}


async def test_applying_creates_and_owns_only_what_was_written(cluster: ServedCluster) -> None:
    created = await cluster.apply(WEB, deployment(), "flux")
    assert created.status == 201
    assert created.body["spec"]["revisionHistoryLimit"] == 10
    spec = owned_by(created.body, "flux")["f:spec"]
    assert spec.keys() == {"f:replicas", "f:selector", "f:template"}
    containers = spec["f:template"]["f:spec"]["f:containers"]
    assert containers['k:{"name":"web"}'].keys() == {".", "f:name", "f:image", "f:ports"}


async def test_applying_the_same_again_writes_nothing(cluster: ServedCluster) -> None:
    first = await cluster.apply(WEB, deployment(), "flux")
    again = await cluster.apply(WEB, deployment(), "flux")
    assert (again.status, again.body) == (200, first.body)


async def test_a_field_of_another_manager_is_not_taken_without_force(cluster: ServedCluster) -> None:
    await cluster.apply(WEB, deployment(), "flux")
    refused = await cluster.apply(WEB, spec_of(replicas=5), "operator")
    assert refused.status == 409
    message = 'Apply failed with 1 conflict: conflict with "flux": .spec.replicas'
    assert refused.body["message"] == message
    cause = {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "flux"',
        "field": ".spec.replicas",
    }
    assert refused.body["details"]["causes"] == [cause]


async def test_force_takes_the_field_over(cluster: ServedCluster) -> None:
    await cluster.apply(WEB, deployment(), "flux")
    taken = await cluster.apply(WEB, spec_of(replicas=5), "operator", force="true")
    assert taken.body["spec"]["replicas"] == 5
    assert "f:replicas" not in owned_by(taken.body, "flux")["f:spec"]
    assert owned_by(taken.body, "operator") == {"f:spec": {"f:replicas": {}}}


async def test_two_that_agree_share_a_field(cluster: ServedCluster) -> None:
    await cluster.apply(WEB, deployment(), "flux")
    shared = await cluster.apply(WEB, spec_of(replicas=3), "operator")
    left = await cluster.apply(WEB, spec_of(), "operator")
    assert shared.status == 200
    assert "f:replicas" in owned_by(shared.body, "operator")["f:spec"]
    assert left.body["spec"]["replicas"] == 3


async def test_what_a_manager_no_longer_applies_goes_back_to_its_default(cluster: ServedCluster) -> None:
    before = (await cluster.apply(WEB, deployment(), "flux")).body
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    fenced = {"paused": True, "minReadySeconds": 700, "progressDeadlineSeconds": 900, "strategy": strategy}
    during = (await cluster.apply(WEB, spec_of(**fenced), "operator")).body
    after = (await cluster.apply(WEB, spec_of(), "operator")).body
    assert during["spec"]["strategy"] == {"type": "RollingUpdate", **strategy}
    assert after["spec"] == before["spec"]
    assert owned_by(after, "operator") == {}


async def test_list_items_are_told_apart_by_key(cluster: ServedCluster) -> None:
    await cluster.apply(WEB, deployment(), "flux")
    side_car = {"containers": [{"name": "proxy", "image": "proxy:1"}]}
    template = {"template": {"spec": side_car}}
    added = (await cluster.apply(WEB, spec_of(**template), "mesh")).body
    side_car["containers"] = [{"name": "proxy2", "image": "proxy:2"}]
    swapped = (await cluster.apply(WEB, spec_of(**template), "mesh")).body
    names = [
        [each["name"] for each in found["spec"]["template"]["spec"]["containers"]]
        for found in (added, swapped)
    ]
    assert names == [["web", "side", "proxy"], ["web", "side", "proxy2"]]


async def test_an_item_that_another_has_a_part_of_stays(cluster: ServedCluster) -> None:
    await cluster.apply(WEB, deployment(), "flux")
    limits = {"resources": {"limits": {"cpu": "1"}}}
    containers = [{"name": "side", **limits}]
    await cluster.apply(WEB, spec_of(template={"spec": {"containers": containers}}), "vpa")
    without_side = deployment()
    without_side["spec"]["template"]["spec"]["containers"].pop()
    kept = (await cluster.apply(WEB, without_side, "flux")).body
    refused = "spec.template.spec.containers[1].image: Required value"
    assert refused in kept["message"]


async def test_a_dry_run_shows_what_would_be_and_writes_nothing(cluster: ServedCluster) -> None:
    await cluster.apply(WEB, deployment(), "flux")
    before = (await cluster.ask("GET", WEB)).body
    tried = await cluster.apply(WEB, deployment(image="web:2"), "flux", dryRun="All")
    assert tried.body["metadata"]["generation"] == 2
    assert tried.body["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    assert (await cluster.ask("GET", WEB)).body == before


async def test_a_dry_run_of_what_is_there_changes_nothing(cluster: ServedCluster) -> None:
    applied = (await cluster.apply(WEB, deployment(), "flux")).body
    assert (await cluster.apply(WEB, deployment(), "flux", dryRun="All")).body == applied


async def test_an_ordinary_write_takes_its_fields_from_everybody(cluster: ServedCluster) -> None:
    await cluster.apply(WEB, deployment(), "flux")
    paused = {"spec": {"paused": True, "replicas": 4}}
    patched = await cluster.ask("PATCH", WEB, paused, content_type=MERGE, fieldManager="somebody")
    assert owned_by(patched.body, "somebody", "Update") == {"f:spec": {"f:paused": {}, "f:replicas": {}}}
    assert "f:replicas" not in owned_by(patched.body, "flux")["f:spec"]


async def test_a_write_to_status_is_owned_as_such(cluster: ServedCluster) -> None:
    await cluster.ask("POST", DEPLOYMENTS, deployment())
    status = {"status": {"replicas": 3}}
    written = await cluster.ask("PATCH", f"{WEB}/status", status, content_type=MERGE, fieldManager="ctl")
    entry = next(each for each in written.body["metadata"]["managedFields"] if each["manager"] == "ctl")
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:replicas": {}}})
    assert written.body["metadata"]["generation"] == 1


async def test_who_names_no_manager_goes_by_the_user_agent(cluster: ServedCluster) -> None:
    created = (await cluster.ask("POST", DEPLOYMENTS, deployment())).body
    assert [each["manager"] for each in created["metadata"]["managedFields"]] == ["tests"]


async def test_ownership_can_be_rewritten_by_who_sends_it(cluster: ServedCluster) -> None:
    await cluster.apply(WEB, deployment(), "flux")
    await cluster.apply(WEB, spec_of(paused=True), "operator")
    live = (await cluster.ask("GET", WEB)).body
    kept = [each for each in live["metadata"]["managedFields"] if each["manager"] != "operator"]
    live["metadata"]["managedFields"] = kept
    stripped = (await cluster.ask("PUT", WEB, live)).body
    assert [each["manager"] for each in stripped["metadata"]["managedFields"]] == ["flux"]


async def test_lists_of_custom_types_merge_as_their_schema_says(cluster: ServedCluster) -> None:
    await cluster.kubectl("apply", "-f", "-", given=WIDGET_DEFINITION)
    one = f"{WIDGETS}/one"
    await cluster.apply(one, widget(parts=[{"name": "a", "count": 1}]), "first")
    wanted = widget(parts=[{"name": "b", "count": 2}])
    both = await cluster.apply(one, wanted, "second")
    refused = await cluster.apply(one, widget(parts=[{"name": "a", "count": 9}]), "third")
    assert [each["name"] for each in both.body["spec"]["parts"]] == ["a", "b"]
    assert refused.body["message"].endswith('conflict with "first": .spec.parts[name="a"].count')


async def test_kubectl_says_who_the_conflict_is_with(cluster: ServedCluster) -> None:
    command = ("apply", "--server-side", "-f", "-")
    created = await cluster.kubectl(*command, given=deployment())
    await cluster.kubectl("scale", "deployment/web", "--replicas=6")
    refused = await cluster.kubectl(*command, given=deployment())
    forced = await cluster.kubectl(*command, "--force-conflicts", given=deployment())
    assert created.out == forced.out == "deployment.apps/web serverside-applied\n"
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in refused.err


async def test_kubectl_moves_from_client_side_to_server_side_apply(cluster: ServedCluster) -> None:
    await cluster.kubectl("apply", "-f", "-", given=deployment(minReadySeconds=7))
    moved = await cluster.kubectl("apply", "--server-side", "-f", "-", given=deployment())
    found = (await cluster.ask("GET", WEB)).body
    assert (moved.code, moved.err) == (0, "")
    assert "minReadySeconds" not in found["spec"]
