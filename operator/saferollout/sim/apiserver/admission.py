"""What happens to an object between the request and the store: defaults, pruning, validation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from saferollout.sim.apiserver import defaults, schema, validation
from saferollout.sim.apiserver.customresources import CustomResources, Definition
from saferollout.sim.apiserver.violations import refusal
from saferollout.sim.errors import ApiError, not_found
from saferollout.sim.resources import NAMESPACES, SERVICES, Resource
from saferollout.sim.store import Object, Store

FieldValidation = Literal["Strict", "Warn", "Ignore"]
"""What becomes of a request that has fields the type does not know."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An object fit to be stored, and what the writer is to be warned of."""

    object: Object
    warnings: tuple[str, ...] = ()


class Admission:
    """Lets objects into the store, completed, or refuses them."""

    def __init__(self, store: Store, custom: CustomResources) -> None:
        self._store = store
        self._custom = custom
        self._cluster_ips = itertools.count(1)

    def admit(
        self, resource: Resource, obj: Object, old: Object | None, unknown_fields: FieldValidation
    ) -> Admitted:
        """Complete and check an object that is to replace ``old``, if there is one.

        Raises:
            ApiError: ``Invalid``, with everything that is wrong; ``BadRequest`` for unknown fields under
                ``Strict``, and for what is too malformed to be checked; ``NotFound`` or ``Forbidden`` where
                its namespace takes nothing new.
        """
        if old is None and resource.namespaced:
            self._check_namespace(resource, obj)
        try:
            if definition := self._custom.definition(resource):
                return _custom_object(definition, obj, old, unknown_fields)
            return Admitted(self._built_in(resource, obj, old))
        except (AttributeError, KeyError, TypeError) as error:
            message = f"{resource.kind} in version {resource.version!r} cannot be handled: {error!r}"
            raise ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message) from error

    def _built_in(self, resource: Resource, obj: Object, old: Object | None) -> Object:
        completed = defaults.with_defaults(resource, obj)
        if resource == SERVICES:
            self._give_address(completed, old)
        wrong = [*validation.violations(resource, completed, old)]
        if wrong:
            raise refusal(resource, completed["metadata"].get("name", ""), wrong)
        return completed

    def _give_address(self, service: Object, old: Object | None) -> None:
        spec = service["spec"]
        if spec["type"] == "ExternalName":
            return
        if old and "clusterIP" in old["spec"]:
            spec.setdefault("clusterIP", old["spec"]["clusterIP"])
        elif "clusterIP" not in spec:
            number = next(self._cluster_ips)
            spec["clusterIP"] = f"10.96.{number // 250}.{number % 250 + 1}"
        spec.setdefault("clusterIPs", [spec["clusterIP"]])

    def _check_namespace(self, resource: Resource, obj: Object) -> None:
        name, home = obj["metadata"].get("name", ""), obj["metadata"]["namespace"]
        try:
            namespace = self._store.get(NAMESPACES, None, home)
        except ApiError:
            raise not_found(NAMESPACES, home) from None
        if "deletionTimestamp" in namespace["metadata"]:
            why = f"unable to create new content in namespace {home} because it is being terminated"
            message = f'{resource.key} "{name}" is forbidden: {why}'
            raise ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message)


def _custom_object(
    definition: Definition, obj: Object, old: Object | None, unknown_fields: FieldValidation
) -> Admitted:
    resource, unknown = definition.resource, list[str]()
    kept = schema.pruned(obj, definition.schema, "", unknown)
    warnings = tuple(f'unknown field "{field}"' for field in unknown)
    if warnings and unknown_fields == "Strict":
        message = (
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {', '.join(warnings)}"
        )
        raise ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)
    completed: Object = schema.with_defaults(kept, definition.schema)
    wrong = [
        *validation.violations(resource, completed, old),
        *schema.violations(completed, definition.schema),
    ]
    if wrong:
        raise refusal(resource, completed["metadata"].get("name", ""), wrong)
    return Admitted(completed, warnings if unknown_fields == "Warn" else ())
