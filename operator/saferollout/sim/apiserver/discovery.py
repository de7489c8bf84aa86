"""What is served, as clients ask for it: API groups, resources, version, and enough OpenAPI for kubectl."""

from __future__ import annotations

from typing import Any

from saferollout.sim.resources import Resource
from saferollout.sim.store import Store

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCE_VERBS = ["get", "patch", "update"]

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+saferollout",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "any",
}
"""The release whose behaviour is followed."""


def core_versions() -> dict[str, Any]:
    """Answer ``/api``."""
    return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups(store: Store) -> dict[str, Any]:
    """Answer ``/apis``."""
    found = {(each.group, each.version): None for each in store.resources() if each.group}
    listed = [_group(group, version) for group, version in found]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(store: Store, name: str) -> dict[str, Any] | None:
    """Answer ``/apis/<group>``, ``None`` if there is none."""
    version = next((each.version for each in store.resources() if each.group == name), None)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, version)} if version else None


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def resources(store: Store, api_version: str) -> dict[str, Any] | None:
    """Answer ``/api/v1`` or ``/apis/<group>/<version>``, ``None`` if there is none."""
    found = [each for each in store.resources() if each.api_version == api_version]
    if not found:
        return None
    listed = [entry for each in found for entry in _entries(each)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": listed,
    }


def _entries(resource: Resource) -> list[dict[str, Any]]:
    common = {"namespaced": resource.namespaced, "kind": resource.kind}
    entries: list[dict[str, Any]] = [
        {
            "name": resource.plural,
            "singularName": resource.singular,
            **common,
            "verbs": _VERBS,
            "shortNames": list(resource.short_names),
            "categories": list(resource.categories),
        }
    ]
    for subresource in sorted(resource.subresources):
        entry = {"name": f"{resource.plural}/{subresource}", "singularName": "", **common}
        if subresource == "scale":
            entry |= {"kind": "Scale", "group": "autoscaling", "version": "v1"}
        if subresource == "eviction":
            entry |= {"kind": "Eviction", "group": "policy", "version": "v1"}
        verbs = ["create"] if subresource == "eviction" else _SUBRESOURCE_VERBS
        entries.append({**entry, "verbs": verbs})
    return entries


def openapi_index(store: Store) -> dict[str, Any]:
    """Answer ``/openapi/v3``."""
    paths = {_root(each): None for each in store.resources()}
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}


def openapi(store: Store, path: str) -> dict[str, Any] | None:
    """Answer ``/openapi/v3/<path>``, ``None`` if there is none.

    kubectl looks up here whether a type takes ``fieldValidation`` and ``dryRun``, and leaves validation to
    the server when it does. There are no schemas: it then patches built-in types by what it knows itself.
    """
    found = [each for each in store.resources() if _root(each) == path]
    if not found:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": {f"/{path}/{_scope(each)}{each.plural}/{{name}}": _operations(each) for each in found},
        "components": {"schemas": {}},
    }


def _operations(resource: Resource) -> dict[str, Any]:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    return {
        "patch": {
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-group-version-kind": kind,
        }
    }


def _root(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.api_version}"


def _scope(resource: Resource) -> str:
    return "namespaces/{namespace}/" if resource.namespaced else ""
