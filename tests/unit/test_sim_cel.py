"""The part of CEL that the embedded API server reads."""

from __future__ import annotations

from typing import Any

import pytest

from saferollout.sim.apiserver import cel

DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"note": 'a "b"'}},
    "spec": {"replicas": 3, "paused": False},
}


def value_of(written: str, **given: Any) -> Any:
    return cel.read(written)({"object": DEPLOYMENT, **given})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("object.spec.replicas == 3 && !object.spec.paused", True),
        ("object.spec.replicas + 2 - 1 > 3 ? 'more' : 'less'", "more"),
        ('"app" in object.metadata.labels || false', True),
        ('object.metadata.labels["app"] + "-1"', "web-1"),
        ("object.metadata.annotations['note'].contains('\"b')", True),
        ("object.metadata.name.startsWith('w') && object.metadata.name.endsWith('b')", True),
        ("has(object.spec.paused) && !has(object.spec.strategy)", True),
        ("size(object.metadata.labels) in [0, 1]", True),
        ("{'a': [1, 2][1]}", {"a": 2}),
        ("Object{spec: Object.spec{paused: true}}", {"spec": {"paused": True}}),
        ("(true || false) && false", False),
        ("true || false && false", True),
        ("object.spec.replicas != object.spec.replicas", False),
    ],
)
def test_expressions_come_to_what_the_language_says(written: str, value: Any) -> None:
    assert value_of(written) == value


@pytest.mark.parametrize("written", ["false && object.nothing", "object.nothing && false"])
def test_what_is_decided_by_one_side_needs_no_other(written: str) -> None:
    assert value_of(written) is False


@pytest.mark.parametrize(
    "written",
    [
        "object.spec.strategy.type",
        "has(object.status.replicas)",
        "object.spec.replicas && true",
        "object.spec.replicas + 'a'",
        "object.metadata.labels['nothing']",
        "nobody.knows",
        "object.spec.replicas.contains('a')",
    ],
)
def test_what_is_not_there_or_of_another_type_is_an_error_and_no_value(written: str) -> None:
    with pytest.raises(cel.EvaluationError):
        value_of(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "object.",
        "object.spec.replicas ==",
        "object.?spec",
        "object.list.all(x, x > 1)",
        "1.5 > 1",
        "(true",
        "true true",
        "Object{spec}",
        "size()",
        "#",
    ],
)
def test_what_is_not_read_is_refused(written: str) -> None:
    with pytest.raises(cel.ReadingError):
        cel.read(written)
