"""What a request is about, read from its path, its query and its body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, cast

import orjson
import yaml

from saferollout.sim.apiserver.admission import FieldValidation
from saferollout.sim.errors import ApiError, not_served
from saferollout.sim.resources import NAMESPACES, Resource
from saferollout.sim.store import Object, Store

_OMITTED_WHEN_EMPTY = ("annotations", "finalizers", "labels", "ownerReferences")

_BINARY = (b"k8s\x00", b"\xd9\xd9\xf7")
"""How Kubernetes' protobuf and CBOR begin."""

ANYBODY = "kubernetes-admin"
"""Who asks without a token."""

_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class Target:
    """The object, or the collection if there is no ``name``, that a path points to."""

    resource: Resource
    namespace: str | None = None
    name: str | None = None
    subresource: str = ""

    @property
    def named(self) -> str:
        """The name, where there has to be one.

        Raises:
            ApiError: ``MethodNotAllowed``, the path is that of a collection.
        """
        if self.name is None:
            raise method_not_allowed()
        return self.name


def target(store: Store, path: str) -> Target:
    """Read a path such as ``/apis/apps/v1/namespaces/shop/deployments/web/scale``.

    Raises:
        ApiError: ``NotFound``, nothing of the kind is served.
    """
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            raise not_served()
    namespace = None
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, rest = rest[1], rest[2:]
    if not 1 <= len(rest) <= 3:
        raise not_served()
    resource = store.resource(group, rest[0])
    subresource = rest[2] if len(rest) == 3 else ""
    if resource.version != version or (namespace is not None and not resource.namespaced):
        raise not_served()
    if resource == NAMESPACES and subresource == "finalize":
        subresource = ""
    if subresource and subresource not in resource.subresources:
        raise not_served()
    return Target(resource, namespace, rest[1] if len(rest) > 1 else None, subresource)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a write is meant. ``manager`` is the field manager it names; ``user`` sends it with ``agent``."""

    manager: str
    agent: str
    dry_run: bool
    force: bool
    unknown_fields: FieldValidation
    user: str = ANYBODY


def write_options(query: Mapping[str, str], headers: Mapping[str, str]) -> WriteOptions:
    """Read the query of a write, and its sender off the headers. A token is the name of its user.

    Raises:
        ApiError: ``Invalid``, an option has a value that is none of its own.
    """
    validation = query.get("fieldValidation") or "Warn"
    if validation not in {"Strict", "Warn", "Ignore"}:
        raise _invalid_option("fieldValidation", validation, ("Ignore", "Warn", "Strict"))
    dry_run = query.get("dryRun", "")
    if dry_run not in {"", "All"}:
        raise _invalid_option("dryRun", dry_run, ("All",))
    return WriteOptions(
        manager=query.get("fieldManager", ""),
        agent=headers.get("User-Agent", "").partition("/")[0] or "unknown",
        user=headers.get("Authorization", "").removeprefix("Bearer ") or ANYBODY,
        dry_run=bool(dry_run),
        force=query.get("force") in {"true", "1"},
        unknown_fields=cast("FieldValidation", validation),
    )


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How a deletion is meant. ``grace`` is seconds, ``None`` for the object's own."""

    grace: int | None
    orphan: bool
    dry_run: bool
    uid: str | None
    resource_version: str | None


def delete_options(query: Mapping[str, str], body: Object) -> DeleteOptions:
    """Read ``DeleteOptions`` from the body and the query; the body counts."""
    given = {**query, **body}
    grace = given.get("gracePeriodSeconds")
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        grace=None if grace is None else int(grace),
        orphan=given.get("propagationPolicy") == "Orphan",
        dry_run=bool(given.get("dryRun")),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )


def parse(body: bytes) -> Any:
    """Read a body, JSON or YAML.

    Raises:
        ApiError: ``BadRequest``, it is neither; ``UnsupportedMediaType``, it is protobuf or CBOR.
    """
    if body.startswith(_BINARY):
        raise unsupported_media_type("application/json, application/yaml")
    try:
        return orjson.loads(body) if body[:1] in b"{[" else yaml.safe_load(body)
    except (orjson.JSONDecodeError, yaml.YAMLError) as error:
        message = f"the object provided is unrecognized: {error}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message) from error


def fitting(at: Target, body: Any) -> Object:
    """Return the body of a write, with what the path says already filled in.

    Raises:
        ApiError: ``BadRequest``, it is no object, or one of another kind, namespace or name.
    """
    if not isinstance(body, dict):
        raise _bad_request("the object provided is unrecognized")
    resource = at.resource
    kind, version = body.get("kind", resource.kind), body.get("apiVersion", resource.api_version)
    if (kind, version) != (resource.kind, resource.api_version):
        raise _bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}')
    metadata = dict(body.get("metadata") or {})
    if at.namespace is not None and metadata.setdefault("namespace", at.namespace) != at.namespace:
        raise _bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if at.name is not None and metadata.setdefault("name", at.name) != at.name:
        raise _bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({at.name})"
        )
    for name in _OMITTED_WHEN_EMPTY:
        if not metadata.get(name, True):
            del metadata[name]
    return {"apiVersion": version, "kind": kind, **body, "metadata": metadata}


def member(at: Target, obj: Object) -> Target:
    """Return the target of one object of a collection."""
    return replace(at, namespace=obj["metadata"].get("namespace"), name=obj["metadata"]["name"])


def whole_number(query: Mapping[str, str], name: str) -> int:
    """Read a number from a query, 0 if it is not there.

    Raises:
        ApiError: ``BadRequest``, it is no whole number.
    """
    written = query.get(name) or "0"
    if not written.isdecimal():
        raise _bad_request(f'{name}: Invalid value: "{written}": must be a whole number')
    return int(written)


def unsupported_media_type(accepted: str) -> ApiError:
    """The body is in a format that is not read here."""
    message = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message + accepted)


def method_not_allowed() -> ApiError:
    """What was asked for is not done to this."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message)


def _bad_request(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def _invalid_option(name: str, value: str, supported: tuple[str, ...]) -> ApiError:
    listed = ", ".join(f'"{each}"' for each in supported)
    message = f'{name}: Unsupported value: "{value}": supported values: {listed}'
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message)
