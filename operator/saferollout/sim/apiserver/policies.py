"""Admission policies: what ``ValidatingAdmissionPolicy`` and ``MutatingAdmissionPolicy`` do to a write.

As on the real server: first all that mutate, then all that validate, each for every binding of it. Of their
language only a part is known (`cel`), and parameters, variables, JSON patches, audit annotations, match
policies and subresources are not served here: nothing that this project's own policies need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from saferollout.sim.apiserver import cel
from saferollout.sim.apiserver.apply import merged
from saferollout.sim.apiserver.shapes import Shape
from saferollout.sim.errors import ApiError, about
from saferollout.sim.objects import selects
from saferollout.sim.resources import (
    MUTATING_POLICIES,
    MUTATING_POLICY_BINDINGS,
    NAMESPACES,
    VALIDATING_POLICIES,
    VALIDATING_POLICY_BINDINGS,
    Resource,
)
from saferollout.sim.store import Object, Store


@dataclass(frozen=True, slots=True)
class Write:
    """A write of an object as a whole; ``old`` is ``None`` for one that is new. ``user`` is who asks."""

    resource: Resource
    user: str
    new: Object
    old: Object | None
    dry_run: bool

    @property
    def operation(self) -> str:
        """The verb, as policies call it."""
        return "UPDATE" if self.old else "CREATE"

    @property
    def variables(self) -> Mapping[str, Any]:
        """What expressions know of it."""
        metadata = self.new["metadata"]
        request = {
            "operation": self.operation,
            "name": metadata.get("name", ""),
            "namespace": metadata.get("namespace", ""),
            "userInfo": {"username": self.user},
            "dryRun": self.dry_run,
        }
        return {"object": self.new, "oldObject": self.old, "request": request}


class Policies:
    """Applies the policies in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def mutated(self, write: Write, shape: Shape) -> Object:
        """Return the object as the mutating policies make it.

        Raises:
            ApiError: ``Forbidden``, one of them fails.
        """
        new = write.new
        for policy, binding in self._matching(MUTATING_POLICIES, MUTATING_POLICY_BINDINGS, write):
            given = write.variables
            for each in policy["spec"]["mutations"]:
                written = each["applyConfiguration"]["expression"]
                change = _evaluated(written, given, write, policy, binding)
                new = merged(new, change, shape)
        return new

    def check(self, write: Write) -> None:
        """Let the write through.

        Raises:
            ApiError: ``Forbidden``, one of the validating policies denies it.
        """
        for policy, binding in self._matching(VALIDATING_POLICIES, VALIDATING_POLICY_BINDINGS, write):
            if "Deny" not in binding["spec"].get("validationActions", ()):
                continue
            for each in policy["spec"].get("validations", ()):
                if _evaluated(each["expression"], write.variables, write, policy, binding) is not True:
                    raise _denied(write, policy, binding, _message(each, write.variables))

    def _matching(
        self, policies: Resource, bindings: Resource, write: Write
    ) -> Iterator[tuple[Object, Object]]:
        named = {each["metadata"]["name"]: each for each in self._store.list(policies)}
        for binding in self._store.list(bindings):
            policy = named.get(binding["spec"]["policyName"])
            if policy is None:
                continue
            constraints = (
                policy["spec"].get("matchConstraints"),
                binding["spec"].get("matchResources"),
            )
            if not all(self._is_meant(each, write) for each in constraints if each):
                continue
            if self._conditions_hold(policy, binding, write):
                yield policy, binding

    def _is_meant(self, constraints: Object, write: Write) -> bool:
        rules = constraints.get("resourceRules")
        if rules and not any(_covers(rule, write) for rule in rules):
            return False
        sides = [each for each in (write.new, write.old) if each is not None]
        if not any(selects(constraints.get("objectSelector") or {}, _labels(each)) for each in sides):
            return False
        home = write.new["metadata"].get("namespace")
        if not home:
            return True
        namespace = self._store.get(NAMESPACES, None, home)
        return selects(constraints.get("namespaceSelector") or {}, _labels(namespace))

    def _conditions_hold(self, policy: Object, binding: Object, write: Write) -> bool:
        conditions = policy["spec"].get("matchConditions", ())
        return all(
            _evaluated(each["expression"], write.variables, write, policy, binding, otherwise=False)
            for each in conditions
        )


def expressions(policy: Object) -> Iterator[tuple[str, str]]:
    """Yield the field and the text of every expression of a policy.

    Raises:
        KeyError: A part of the policy is missing, or is one that is not served here.
    """
    spec = policy["spec"]
    for index, each in enumerate(spec.get("matchConditions", ())):
        yield f"spec.matchConditions[{index}].expression", each["expression"]
    for index, each in enumerate(spec.get("mutations", ())):
        yield (
            f"spec.mutations[{index}].applyConfiguration.expression",
            each["applyConfiguration"]["expression"],
        )
    for index, each in enumerate(spec.get("validations", ())):
        yield f"spec.validations[{index}].expression", each["expression"]
        if "messageExpression" in each:
            yield f"spec.validations[{index}].messageExpression", each["messageExpression"]


def _covers(rule: Object, write: Write) -> bool:
    asked: tuple[tuple[str, str], ...] = (
        ("apiGroups", write.resource.group),
        ("apiVersions", write.resource.version),
        ("operations", write.operation),
        ("resources", write.resource.plural),
    )
    return all({"*", value} & {*rule.get(field, ())} for field, value in asked)


def _labels(obj: Object) -> dict[str, str]:
    return dict(obj["metadata"].get("labels") or {})


def _evaluated(  # noqa: PLR0913 - what an error has to be told with
    written: str,
    given: Mapping[str, Any],
    write: Write,
    policy: Object,
    binding: Object,
    *,
    otherwise: object = True,
) -> Any:
    """Return the value of an expression; ``otherwise`` if it has none and the policy may be skipped then."""
    try:
        return cel.read(written)(given)
    except cel.EvaluationError as error:
        if policy["spec"].get("failurePolicy") == "Ignore":
            return otherwise
        why = f"expression '{written}' resulted in error: {error}"
        raise _denied(write, policy, binding, why) from error


def _message(validation: Object, given: Mapping[str, Any]) -> str:
    fallback = validation.get("message") or f"failed expression: {validation['expression'].strip()}"
    if "messageExpression" not in validation:
        return str(fallback)
    expression: Callable[[Mapping[str, Any]], Any] = cel.read(validation["messageExpression"])
    try:
        return str(expression(given))
    except cel.EvaluationError:
        return str(fallback)


def _denied(write: Write, policy: Object, binding: Object, why: str) -> ApiError:
    resource, name = write.resource, write.new["metadata"].get("name", "")
    kind, names = policy["kind"], (policy["metadata"]["name"], binding["metadata"]["name"])
    said = f"{kind} '{names[0]}' with binding '{names[1]}' denied request: {why}"
    message = f'{resource.key} "{name}" is forbidden: {said}'
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message, about(resource, name, resource.plural))
