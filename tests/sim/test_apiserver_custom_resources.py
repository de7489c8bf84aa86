"""CustomResourceDefinitions: what installing one gives, and what its schema refuses."""

from __future__ import annotations

from typing import Any

import pytest

from served_cluster import WIDGET_DEFINITION, WIDGETS, Raw, ServedCluster, widget

ONE = f"{WIDGETS}/one"
MERGE = "application/merge-patch+json"


@pytest.fixture
async def widgets(cluster: ServedCluster) -> ServedCluster:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await cluster.ask("POST", path, WIDGET_DEFINITION)
    return cluster


async def test_kubectl_installs_one_and_finds_its_type_by_short_name(cluster: ServedCluster) -> None:
    await cluster.kubectl("apply", "-f", "-", given=WIDGET_DEFINITION)
    waited = await cluster.kubectl("wait", "crd/widgets.example.org", "--for=condition=Established")
    applied = await cluster.kubectl("apply", "-f", "-", given=widget())
    listed = await cluster.kubectl("get", "wd", "-o", "name")
    assert waited.out == "customresourcedefinition.apiextensions.k8s.io/widgets.example.org condition met\n"
    assert applied.out == "widget.example.org/one created\n"
    assert listed.out == "widget.example.org/one\n"


async def test_prints_the_columns_of_the_definition(widgets: ServedCluster) -> None:
    await widgets.ask("POST", WIDGETS, widget())
    status = {"replicas": {"updated": 2}, "conditions": [{"type": "Ready", "status": "True"}]}
    await widgets.ask("PATCH", f"{ONE}/status", {"status": status}, content_type=MERGE)
    narrow = (await widgets.kubectl("get", "widgets")).out.splitlines()
    wide = (await widgets.kubectl("get", "widgets", "-o", "wide")).out.splitlines()
    assert [line.split() for line in narrow] == [
        ["NAME", "SIZE", "UPDATED", "SINCE"],
        ["one", "3", "2", "<unknown>"],
    ]
    assert wide[1].split() == ["one", "3", "2", "<unknown>", "True"]


async def test_fills_in_the_defaults_of_the_schema(widgets: ServedCluster) -> None:
    created = await widgets.ask("POST", WIDGETS, widget())
    assert created.body["spec"] == {"size": 3, "colour": "red", "limits": {"timeout": "10m"}}


async def test_drops_a_null_where_there_is_a_default(widgets: ServedCluster) -> None:
    created = await widgets.ask("POST", WIDGETS, widget(colour=None, code=None))
    assert created.body["spec"]["colour"] == "red"
    assert "code" not in created.body["spec"]


async def test_prunes_unknown_fields_and_warns(widgets: ServedCluster) -> None:
    created = await widgets.ask("POST", WIDGETS, widget(sise=4, limits={"timeot": "1m"}))
    assert "sise" not in created.body["spec"]
    assert created.body["spec"]["limits"] == {"timeout": "10m"}
    assert [value for name, value in created.headers.items() if name == "Warning"] == [
        '299 - "unknown field \\"spec.sise\\""',
        '299 - "unknown field \\"spec.limits.timeot\\""',
    ]


async def test_refuses_unknown_fields_when_asked_to_be_strict(widgets: ServedCluster) -> None:
    refused = await widgets.kubectl("apply", "-f", "-", given=widget(sise=4))
    assert 'strict decoding error: unknown field "spec.sise"' in refused.err


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            {"size": "big"},
            'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
        ),
        ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": 10}, "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9"),
        ({"size": None}, "spec.size: Required value"),
        ({"colour": "pink"}, 'spec.colour: Unsupported value: "pink": supported values: "red", "blue"'),
        ({"code": "x"}, "spec.code: Invalid value: \"x\": spec.code in body should match '^[A-Z]+$'"),
        (
            {"surge": True},
            (
                'spec.surge: Invalid value: "boolean": '
                'spec.surge in body must be of type integer,string: "boolean"'
            ),
        ),
        ({"parts": [{"count": 1}]}, "spec.parts[0].name: Required value"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, 'spec.parts[1]: Duplicate value: {"name":"a"}'),
    ],
)
async def test_refuses_what_the_schema_does_not_allow(
    widgets: ServedCluster, spec: dict[str, Any], problem: str
) -> None:
    refused = await widgets.ask("POST", WIDGETS, widget(**spec))
    assert refused.status == 422
    assert refused.body["message"] == f'Widget.example.org "one" is invalid: {problem}'
    field, _, message = problem.partition(": ")
    assert [(each["field"], each["message"]) for each in refused.body["details"]["causes"]] == [
        (field, message)
    ]


async def test_says_everything_that_is_wrong_at_once(widgets: ServedCluster) -> None:
    refused = await widgets.kubectl("apply", "-f", "-", given=widget(size=0, colour="pink"))
    assert 'The Widget "one" is invalid' in refused.err
    assert refused.err.count("\n* spec.") == 2


@pytest.mark.parametrize("surge", [3, "25%"])
async def test_takes_a_number_or_a_percent_where_the_schema_says_so(
    widgets: ServedCluster, surge: int | str
) -> None:
    created = await widgets.ask("POST", WIDGETS, widget(surge=surge))
    assert created.body["spec"]["surge"] == surge


async def test_status_and_spec_are_written_apart(widgets: ServedCluster) -> None:
    created = await widgets.ask("POST", WIDGETS, widget() | {"status": {"phase": "Early"}})
    both = {"spec": {"size": 5}, "status": {"phase": "Late"}}
    by_status = await widgets.ask("PATCH", f"{ONE}/status", both, content_type=MERGE)
    by_spec = await widgets.ask("PATCH", ONE, {"spec": {"size": 5}, "status": None}, content_type=MERGE)
    seen = [
        (each.body["spec"]["size"], each.body.get("status"), each.body["metadata"]["generation"])
        for each in (created, by_status, by_spec)
    ]
    assert seen == [(3, None, 1), (3, {"phase": "Late"}, 1), (5, {"phase": "Late"}, 2)]


async def test_strategic_merge_is_not_for_custom_types(widgets: ServedCluster) -> None:
    await widgets.ask("POST", WIDGETS, widget())
    patch = {"spec": {"size": 5}}
    kind = "application/strategic-merge-patch+json"
    refused = await widgets.ask("PATCH", ONE, patch, content_type=kind)
    assert (refused.status, refused.body["reason"]) == (415, "UnsupportedMediaType")


async def test_a_definition_goes_after_its_objects_which_finalizers_hold(widgets: ServedCluster) -> None:
    held = widget()
    held["metadata"] = {"name": "one", "finalizers": ["example.org/hold"]}
    await widgets.ask("POST", WIDGETS, held)
    await widgets.kubectl("delete", "crd", "widgets.example.org", "--wait=false")
    ending = await widgets.ask("GET", ONE)
    await widgets.ask("PATCH", ONE, {"metadata": {"finalizers": None}}, content_type=MERGE)
    unserved = await widgets.ask("GET", WIDGETS)
    assert "deletionTimestamp" in ending.body["metadata"]
    assert unserved.status == 404
    assert (await widgets.kubectl("get", "crd", "-o", "name")).out == ""


async def test_a_changed_definition_is_served_changed(widgets: ServedCluster) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.org"
    definition = (await widgets.ask("GET", path)).body
    schema: Raw = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["size"]["maximum"] = 100
    await widgets.ask("PUT", path, definition)
    assert (await widgets.ask("POST", WIDGETS, widget(size=50))).status == 201
