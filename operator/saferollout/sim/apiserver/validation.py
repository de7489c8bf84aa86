"""What the API server refuses of built-in types (kubernetes ``pkg/apis/apps/validation`` and its like)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from saferollout.sim.apiserver import cel
from saferollout.sim.apiserver.policies import expressions
from saferollout.sim.apiserver.violations import (
    Violation,
    duplicate,
    forbidden,
    invalid,
    required,
    unsupported,
)
from saferollout.sim.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    MUTATING_POLICIES,
    PODS,
    VALIDATING_POLICIES,
    Resource,
)
from saferollout.sim.store import Object

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LOOSE_NAME = re.compile(r"[^/%]+")
_PERCENT = re.compile(r"[0-9]+%")
_RBAC = "rbac.authorization.k8s.io"
_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', "
    "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)


def violations(resource: Resource, obj: Object, old: Object | None) -> Iterator[Violation]:
    """Find what is wrong with ``obj``, which is to replace ``old`` if there is one."""
    metadata = obj["metadata"]
    name, stem = metadata.get("name"), metadata.get("generateName")
    if not name and not stem:
        yield required("metadata.name", "name or generateName is required")
    allowed = _LOOSE_NAME if resource.group == _RBAC else _NAME
    if name and (not allowed.fullmatch(name) or len(name) > 253):
        yield invalid("metadata.name", name, _NAME_RULE)
    if old is not None:
        yield from _changes(metadata, old["metadata"])
    if check := _CHECKS.get(resource.key):
        yield from check(obj, old)


def _changes(new: Object, old: Object) -> Iterator[Violation]:
    """What must not change in metadata."""
    if (uid := new.get("uid")) and uid != old["uid"]:
        yield invalid("metadata.uid", uid, "field is immutable")
    added = [each for each in new.get("finalizers", ()) if each not in old.get("finalizers", ())]
    if added and "deletionTimestamp" in old:
        listed = ", ".join(f'"{each}"' for each in added)
        why = "no new finalizers can be added if the object is being deleted, found new finalizers []string"
        yield forbidden("metadata.finalizers", f"{why}{{{listed}}}")


def _deployment(obj: Object, old: Object | None) -> Iterator[Violation]:
    spec = obj["spec"]
    for name in ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        if (value := spec.get(name, 0)) < 0:
            yield invalid(f"spec.{name}", value, "must be greater than or equal to 0")
    yield from _selector(spec)
    if old and old["spec"].get("selector") != spec.get("selector"):
        yield invalid("spec.selector", spec.get("selector"), "field is immutable")
    yield from _strategy(spec["strategy"])
    if (deadline := spec["progressDeadlineSeconds"]) <= spec.get("minReadySeconds", 0):
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    template = spec.get("template", {}).get("spec", {})
    yield from _pod_spec(template, "spec.template.spec")
    if (policy := template.get("restartPolicy", "Always")) != "Always":
        yield unsupported("spec.template.spec.restartPolicy", policy, ("Always",))


def _selector(spec: Object) -> Iterator[Violation]:
    selector = spec.get("selector")
    if not selector:
        yield required("spec.selector")
        return
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    wanted = selector.get("matchLabels", {})
    expressions = all(_matches(each, labels) for each in selector.get("matchExpressions", ()))
    if not wanted.items() <= labels.items() or not expressions:
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def _matches(expression: Object, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", ())
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _strategy(strategy: Object) -> Iterator[Violation]:
    where = "spec.strategy.rollingUpdate"
    if strategy["type"] not in {"Recreate", "RollingUpdate"}:
        yield unsupported("spec.strategy.type", strategy["type"], ("Recreate", "RollingUpdate"))
        return
    if strategy["type"] == "Recreate":
        if "rollingUpdate" in strategy:
            yield forbidden(where, "may not be specified when strategy `type` is 'Recreate'")
        return
    rolling = strategy["rollingUpdate"]
    for name in ("maxUnavailable", "maxSurge"):
        value = rolling[name]
        if isinstance(value, str) and not _PERCENT.fullmatch(value):
            yield invalid(f"{where}.{name}", value, _PERCENT_RULE)
        elif isinstance(value, int) and value < 0:
            yield invalid(f"{where}.{name}", value, "must be greater than or equal to 0")
    if (
        isinstance(most := rolling["maxUnavailable"], str)
        and _PERCENT.fullmatch(most)
        and int(most[:-1]) > 100
    ):
        yield invalid(f"{where}.maxUnavailable", most, "must not be greater than 100%")
    if _is_zero(rolling["maxUnavailable"]) and _is_zero(rolling["maxSurge"]):
        yield invalid(
            f"{where}.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"
        )


def _is_zero(value: int | str) -> bool:
    return value == 0 if isinstance(value, int) else value.strip("0") == "%"


def _pod(obj: Object, old: Object | None) -> Iterator[Violation]:
    if old is None:
        yield from _pod_spec(obj["spec"], "spec")


def _pod_spec(spec: Object, path: str) -> Iterator[Violation]:
    containers: list[dict[str, Any]] = spec.get("containers") or []
    if not containers:
        yield required(f"{path}.containers")
    seen: set[str] = set()
    for index, each in enumerate(containers):
        where = f"{path}.containers[{index}]"
        for name in ("name", "image"):
            if not each.get(name):
                yield required(f"{where}.{name}")
        if (name := each.get("name", "")) in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)


def _custom_resource_definition(obj: Object, _old: Object | None) -> Iterator[Violation]:
    spec = obj["spec"]
    expected = f"{spec['names']['plural']}.{spec['group']}"
    if obj["metadata"].get("name") != expected:
        why = 'must be spec.names.plural+"."+spec.group'
        yield invalid("metadata.name", obj["metadata"].get("name"), why)
    if sum(bool(each.get("storage")) for each in spec["versions"]) != 1:
        why = "must have exactly one version marked as storage version"
        yield invalid("spec.versions", [each["name"] for each in spec["versions"]], why)


def _policy(obj: Object, _old: Object | None) -> Iterator[Violation]:
    for field, written in expressions(obj):
        try:
            cel.read(written)
        except cel.ReadingError as error:
            yield invalid(field, written, f"compilation failed: {error}")


_CHECKS: dict[str, Callable[[Object, Object | None], Iterator[Violation]]] = {
    DEPLOYMENTS.key: _deployment,
    PODS.key: _pod,
    CUSTOM_RESOURCE_DEFINITIONS.key: _custom_resource_definition,
    MUTATING_POLICIES.key: _policy,
    VALIDATING_POLICIES.key: _policy,
}
