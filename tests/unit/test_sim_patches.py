"""Patches, paths and ages, as functions."""

from __future__ import annotations

from typing import Any

import pytest

from saferollout.sim.apiserver.columns import duration
from saferollout.sim.apiserver.fields import read_fields, write_fields
from saferollout.sim.apiserver.jsonpath import compile_path
from saferollout.sim.apiserver.patches import json_patch, merge_patch, strategic_merge_patch
from saferollout.sim.apiserver.shapes import BuiltInShape
from saferollout.sim.errors import ApiError

Raw = dict[str, Any]

POD: Raw = {
    "containers": [
        {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"name": "side", "image": "side:1"},
    ],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
    "tolerations": [{"key": "a"}],
}


def strategic(patch: Raw) -> Raw:
    return strategic_merge_patch(POD, patch, BuiltInShape())


@pytest.mark.parametrize(
    ("current", "patch", "merged"),
    [
        ({"a": 1, "b": 2}, {"b": None, "c": 3}, {"a": 1, "c": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": "text"}, {"a": {"b": {"c": None, "d": 1}}}, {"a": {"b": {"d": 1}}}),
    ],
)
def test_a_merge_patch_merges_maps_replaces_the_rest_and_removes_nulls(
    current: Raw, patch: Raw, merged: Raw
) -> None:
    assert merge_patch(current, patch) == merged


def test_a_strategic_patch_finds_list_items_by_their_key() -> None:
    env = [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    patched = strategic({"containers": [{"name": "web", "env": env}]})
    web, side = patched["containers"]
    assert web["image"] == "web:1"
    assert web["env"] == [{"name": "A", "value": "1"}, *env]
    assert side == POD["containers"][1]


def test_a_strategic_patch_deletes_and_replaces_as_directed() -> None:
    deleted = strategic({"containers": [{"name": "side", "$patch": "delete"}]})
    replaced = strategic({"containers": [{"$patch": "replace"}, {"name": "only", "image": "only:1"}]})
    retained = strategic({"containers": [{"name": "web", "$retainKeys": ["name", "image"]}]})
    assert [each["name"] for each in deleted["containers"]] == ["web"]
    assert replaced["containers"] == [{"name": "only", "image": "only:1"}]
    assert retained["containers"][0] == {"name": "web", "image": "web:1"}


def test_a_strategic_patch_replaces_lists_that_have_no_key() -> None:
    assert strategic({"tolerations": [{"key": "b"}]})["tolerations"] == [{"key": "b"}]


def test_a_strategic_patch_takes_from_and_adds_to_lists_of_scalars() -> None:
    metadata = {"finalizers": ["a", "b"]}
    added = strategic_merge_patch(metadata, {"finalizers": ["c"]}, BuiltInShape())
    taken = strategic_merge_patch(metadata, {"$deleteFromPrimitiveList/finalizers": ["a"]}, BuiltInShape())
    assert (added["finalizers"], taken["finalizers"]) == (["a", "b", "c"], ["b"])


def test_a_strategic_patch_leaves_what_it_was_given_alone() -> None:
    before = repr(POD)
    strategic({"containers": [{"name": "web", "image": "web:2", "env": [{"name": "A", "value": "9"}]}]})
    assert repr(POD) == before


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/list/1", "value": "x"}, {"list": ["a", "x", "b"], "a/b": 1}),
        ({"op": "add", "path": "/list/-", "value": "x"}, {"list": ["a", "b", "x"], "a/b": 1}),
        ({"op": "remove", "path": "/list/0"}, {"list": ["b"], "a/b": 1}),
        ({"op": "replace", "path": "/a~1b", "value": 2}, {"list": ["a", "b"], "a/b": 2}),
        ({"op": "move", "from": "/a~1b", "path": "/c"}, {"list": ["a", "b"], "c": 1}),
        ({"op": "copy", "from": "/list", "path": "/c"}, {"list": ["a", "b"], "a/b": 1, "c": ["a", "b"]}),
        ({"op": "test", "path": "/list/1", "value": "b"}, {"list": ["a", "b"], "a/b": 1}),
    ],
)
def test_a_json_patch_does_each_of_its_operations(operation: Raw, result: Raw) -> None:
    assert json_patch({"list": ["a", "b"], "a/b": 1}, [operation]) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/nothing"},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "add", "path": "/no/where", "value": 1},
        {"op": "test", "path": "/list", "value": []},
        {"op": "grow", "path": "/list"},
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operation: Raw) -> None:
    with pytest.raises(ApiError) as refused:
        json_patch({"list": ["a"]}, [operation])
    assert refused.value.reason == "Invalid"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.replicas.updated", [3]),
        (".spec.nothing.updated", []),
        (".items[0].name", ["a"]),
        (".items[-1].name", ["b"]),
        (".items[5].name", []),
        (".items[*].name", ["a", "b"]),
        ('.items[?(@.name=="b")].status', ["True"]),
        (r".labels.topology\.kubernetes\.io/zone", ["us-east-1a"]),
        (".labels['topology.kubernetes.io/zone']", ["us-east-1a"]),
    ],
)
def test_a_path_finds_what_printer_columns_point_at(path: str, found: list[Any]) -> None:
    obj = {
        "spec": {"replicas": {"updated": 3}},
        "items": [{"name": "a", "status": "False"}, {"name": "b", "status": "True"}],
        "labels": {"topology.kubernetes.io/zone": "us-east-1a"},
    }
    assert compile_path(path)(obj) == found


def test_a_path_beyond_what_is_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="not understood"):
        compile_path(".items[0:2]")


@pytest.mark.parametrize(
    ("elapsed", "written"),
    [
        (-3, "0s"),
        (119, "119s"),
        (120, "2m"),
        (303, "5m3s"),
        (600, "10m"),
        (11_520, "3h12m"),
        (36_000, "10h"),
        (180_000, "2d2h"),
        (1_036_800, "12d"),
    ],
)
def test_ages_are_written_as_kubectl_writes_them(elapsed: float, written: str) -> None:
    assert duration(elapsed) == written


def test_field_sets_read_back_as_they_were_written() -> None:
    written = {
        "f:metadata": {"f:labels": {"f:app": {}}, "f:finalizers": {'v:"x"': {}}},
        "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}}},
    }
    assert write_fields(read_fields(written)) == written
