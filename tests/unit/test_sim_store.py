"""The store: versions, generations, deletion, and who is told of what in which order."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from saferollout.sim.resources import CONFIG_MAPS, DEPLOYMENTS, NODES, PODS
from saferollout.sim.store import ApiError, Change, Object, Store
from saferollout.sim.timeline import Timeline

NOON = 1_767_268_800.0


@pytest.fixture
def store() -> Store:
    return Store(Timeline(NOON))


def pod(**metadata: Any) -> Object:
    return {"metadata": {"name": "web-1", "namespace": "shop", **metadata}, "spec": {"nodeName": "node-1"}}


def test_gives_a_new_object_what_only_the_server_gives(store: Store) -> None:
    created = store.create(DEPLOYMENTS, {"metadata": {"name": "web", "namespace": "shop", "uid": "mine"}})
    metadata = created["metadata"]
    assert (created["apiVersion"], created["kind"]) == ("apps/v1", "Deployment")
    assert metadata["uid"] != "mine"
    assert (metadata["resourceVersion"], metadata["generation"]) == ("1", 1)
    assert metadata["creationTimestamp"] == "2026-01-01T12:00:00Z"


def test_makes_names_up_that_can_be_repeated() -> None:
    stores = [Store(Timeline(NOON), seed=seed) for seed in (1, 1, 2)]
    names = [
        [each.create(PODS, {"metadata": {"generateName": "web-"}})["metadata"]["name"] for _ in range(3)]
        for each in stores
    ]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == 3
    assert all(len(name) == len("web-") + 5 for name in names[0])


def test_refuses_a_name_that_is_taken_in_the_same_namespace_only(store: Store) -> None:
    store.create(PODS, pod())
    store.create(PODS, pod(namespace="other"))
    with pytest.raises(ApiError, match='pods "web-1" already exists'):
        store.create(PODS, pod())


def test_counts_generations_of_what_is_wanted_not_of_what_is_said(store: Store) -> None:
    created = store.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": {"replicas": 1}})
    seen = []
    for change in (
        {"spec": {"replicas": 2}},
        {"status": {"replicas": 2}},
        {"metadata": {**created["metadata"], "labels": {"a": "b"}, "resourceVersion": ""}},
    ):
        updated = store.update(DEPLOYMENTS, store.get(DEPLOYMENTS, None, "web") | change)
        seen.append((updated["metadata"]["generation"], updated["metadata"]["resourceVersion"]))
    assert seen == [(2, "2"), (2, "3"), (2, "4")]


def test_a_deployments_annotations_count_as_a_generation_unless_they_come_with_its_status(
    store: Store,
) -> None:
    created = store.create(DEPLOYMENTS, {"metadata": {"name": "web"}})
    annotated = {"metadata": {**created["metadata"], "annotations": {"a": "1"}, "resourceVersion": ""}}
    seen = [store.update(DEPLOYMENTS, created | annotated)["metadata"]["generation"]]
    annotated["metadata"]["annotations"] = {"a": "2"}
    by_status = store.update_status(DEPLOYMENTS, created | annotated)["metadata"]
    assert (seen, by_status["generation"], by_status["annotations"]) == ([2], 2, {"a": "2"})


def test_writing_what_is_there_writes_nothing(store: Store) -> None:
    changes: list[Change] = []
    created = store.create(PODS, pod())
    store.subscribe(changes.append)
    assert store.update(PODS, created) is created
    assert store.update_status(PODS, created) is created
    assert store.patch(PODS, "shop", "web-1", lambda _: None) is created
    assert changes == []


def test_refuses_a_write_on_an_old_version_or_another_object(store: Store) -> None:
    old = store.create(PODS, pod())
    store.update(PODS, old | {"spec": {"nodeName": "node-2"}})
    with pytest.raises(ApiError, match="the object has been modified"):
        store.update(PODS, old | {"spec": {}})
    other = {"name": "web-1", "namespace": "shop", "uid": "00000000-0000-4000-8000-000000000000"}
    with pytest.raises(ApiError, match="Precondition failed: UID"):
        store.update(PODS, {"metadata": other})


def test_writes_status_and_nothing_else(store: Store) -> None:
    store.create(PODS, pod())
    wanted = pod(labels={"not": "this"}) | {"spec": {}, "status": {"phase": "Running"}}
    updated = store.update_status(PODS, wanted)
    assert updated["status"] == {"phase": "Running"}
    assert updated["spec"] == {"nodeName": "node-1"}
    assert "labels" not in updated["metadata"]


def test_a_patch_never_touches_what_was_stored(store: Store) -> None:
    before = store.create(PODS, pod(labels={"a": "1"}))
    store.patch(PODS, "shop", "web-1", lambda copy: copy["metadata"]["labels"].update(a="2"))
    assert before["metadata"]["labels"] == {"a": "1"}
    assert store.get(PODS, "shop", "web-1")["metadata"]["labels"] == {"a": "2"}


def test_a_pod_on_a_node_waits_for_its_kubelet(store: Store) -> None:
    store.create(PODS, pod())
    store.delete(PODS, "shop", "web-1", grace_seconds=60)
    metadata = store.get(PODS, "shop", "web-1")["metadata"]
    assert metadata["deletionGracePeriodSeconds"] == 60
    assert metadata["deletionTimestamp"] == "2026-01-01T12:01:00Z"
    store.remove(PODS, "shop", "web-1")
    assert store.list(PODS) == []


def test_a_pods_own_grace_counts_when_none_is_said(store: Store) -> None:
    created = pod()
    created["spec"]["terminationGracePeriodSeconds"] = 120
    store.create(PODS, created)
    store.delete(PODS, "shop", "web-1")
    assert store.get(PODS, "shop", "web-1")["metadata"]["deletionGracePeriodSeconds"] == 120


def test_grace_can_be_shortened_and_not_lengthened(store: Store) -> None:
    store.create(PODS, pod())
    seen = []
    for grace in (60, 90, 10):
        store.delete(PODS, "shop", "web-1", grace_seconds=grace)
        seen.append(store.get(PODS, "shop", "web-1")["metadata"]["deletionGracePeriodSeconds"])
    assert seen == [60, 60, 10]
    store.delete(PODS, "shop", "web-1", grace_seconds=0)
    assert store.list(PODS) == []


@pytest.mark.parametrize(
    "part", [{"spec": {}}, {"status": {"phase": "Succeeded"}}], ids=["unscheduled", "ended"]
)
def test_a_pod_without_a_process_goes_at_once(store: Store, part: Object) -> None:
    store.create(PODS, pod() | part)
    store.delete(PODS, "shop", "web-1")
    assert store.list(PODS) == []


def _take_off(finalizer: str, copy: Object) -> None:
    copy["metadata"]["finalizers"].remove(finalizer)


def test_finalizers_hold_until_the_last_is_taken_off(store: Store) -> None:
    store.create(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "shop", "finalizers": ["a", "b"]}})
    store.delete(CONFIG_MAPS, "shop", "c")
    for finalizer in ("a", "b"):
        assert "deletionTimestamp" in store.get(CONFIG_MAPS, "shop", "c")["metadata"]
        store.patch(CONFIG_MAPS, "shop", "c", partial(_take_off, finalizer))
    assert store.list(CONFIG_MAPS) == []


def test_deletes_only_the_object_that_was_meant(store: Store) -> None:
    store.create(NODES, {"metadata": {"name": "node-1"}})
    with pytest.raises(ApiError, match="Precondition failed"):
        store.delete(NODES, None, "node-1", uid="another")
    with pytest.raises(ApiError, match='nodes "node-2" not found'):
        store.delete(NODES, None, "node-2")


def test_tells_of_every_change_with_what_was_before(store: Store) -> None:
    changes: list[Change] = []
    store.subscribe(changes.append)
    created = store.create(NODES, {"metadata": {"name": "node-1"}})
    updated = store.update(NODES, created | {"spec": {"unschedulable": True}})
    store.delete(NODES, None, "node-1")
    assert [(each.type, each.old) for each in changes] == [
        ("ADDED", None),
        ("MODIFIED", created),
        ("DELETED", updated),
    ]
    assert [each.object["metadata"]["resourceVersion"] for each in changes] == ["1", "2", "3"]


def test_all_hear_of_a_change_before_any_hears_of_what_it_led_to(store: Store) -> None:
    heard: list[tuple[str, str]] = []

    def labels_it(change: Change) -> None:
        heard.append(("first", change.type))
        if change.type == "ADDED":
            store.patch(NODES, None, "node-1", lambda copy: copy["metadata"].update(labels={"a": "b"}))

    store.subscribe(labels_it)
    store.subscribe(lambda change: heard.append(("second", change.type)))
    store.create(NODES, {"metadata": {"name": "node-1"}})
    assert heard == [("first", "ADDED"), ("second", "ADDED"), ("first", "MODIFIED"), ("second", "MODIFIED")]


def test_a_preview_is_what_would_be_stored_and_stores_nothing(store: Store) -> None:
    created = store.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": {"replicas": 1}})
    preview = store.preview_update(DEPLOYMENTS, created | {"spec": {"replicas": 2}})
    assert preview["metadata"]["generation"] == 2
    assert preview["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert store.get(DEPLOYMENTS, None, "web") is created
