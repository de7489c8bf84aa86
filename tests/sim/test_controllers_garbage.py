"""What goes with what was deleted."""

from __future__ import annotations

from saferollout.sim.objects import with_metadata
from saferollout.sim.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS
from saferollout.sim.store import Object
from simulated_cluster import WEB, Cluster


def config_map(cluster: Cluster, name: str, *owners: Object) -> Object:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": each["metadata"]["name"],
            "uid": each["metadata"]["uid"],
        }
        for each in owners
    ]
    metadata = {"namespace": WEB[0], "name": name, "ownerReferences": references}
    return cluster.store.create(CONFIG_MAPS, {"metadata": metadata})


def names(cluster: Cluster) -> set[str]:
    return {each["metadata"]["name"] for each in cluster.store.list(CONFIG_MAPS)}


def test_dependents_of_dependents_go_too() -> None:
    cluster = Cluster()
    first = config_map(cluster, "first")
    config_map(cluster, "third", config_map(cluster, "second", first))
    cluster.store.delete(CONFIG_MAPS, WEB[0], "first")
    cluster.run(1)
    assert names(cluster) == set()


def test_a_dependent_stays_while_another_owner_does() -> None:
    cluster = Cluster()
    one, other = config_map(cluster, "one"), config_map(cluster, "other")
    config_map(cluster, "shared", one, other)
    cluster.store.delete(CONFIG_MAPS, WEB[0], "one")
    cluster.run(1)
    assert names(cluster) == {"other", "shared"}
    cluster.store.delete(CONFIG_MAPS, WEB[0], "other")
    cluster.run(1)
    assert names(cluster) == set()


def test_what_was_disowned_stays() -> None:
    cluster = Cluster()
    owned = config_map(cluster, "owned", config_map(cluster, "owner"))
    cluster.store.update(CONFIG_MAPS, with_metadata(owned, ownerReferences=[]))
    cluster.store.delete(CONFIG_MAPS, WEB[0], "owner")
    cluster.run(1)
    assert names(cluster) == {"owned"}


def test_a_deleted_namespace_is_emptied() -> None:
    cluster = Cluster()
    cluster.store.create(NAMESPACES, {"metadata": {"name": WEB[0]}})
    cluster.deploy()
    cluster.settle()
    config_map(cluster, "left")
    cluster.store.delete(NAMESPACES, None, WEB[0])
    cluster.settle()
    assert cluster.store.list(DEPLOYMENTS) == cluster.store.list(PODS) == []
    assert names(cluster) == set()
