from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, Field

from saferollout.api import reasons
from saferollout.api.crd import custom_resource_definition, manifest
from saferollout.api.parsing import parse_spec
from saferollout.api.schema import NotStructuralError, structural
from saferollout.decide import target_states
from saferollout.decide.policy import Policy
from structural import complaints, nodes, violations

ROOT = Path(__file__).parents[2]
VERSION = custom_resource_definition()["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"


def field(path: str) -> dict[str, Any]:
    return dict(nodes(SCHEMA))[path]


def test_the_crd_in_the_tree_is_the_one_the_models_make() -> None:
    assert (ROOT / "crds/saferollouts.yaml").read_text() == manifest(), (
        "python -m saferollout.api.crd > crds/saferollouts.yaml"
    )


def test_the_documented_reasons_are_those_in_the_table() -> None:
    assert (ROOT / "docs/reasons.md").read_text() == reasons.documentation(), (
        "python -m saferollout.api.reasons > docs/reasons.md"
    )


def test_the_documented_states_of_targets_are_those_in_the_table() -> None:
    assert (ROOT / "docs/target-states.md").read_text() == target_states.page(), (
        "python -m saferollout.decide.target_states > docs/target-states.md"
    )


def test_the_manifest_reads_back_as_the_definition() -> None:
    assert yaml.safe_load(manifest()) == custom_resource_definition()


def test_the_schema_is_structural() -> None:
    assert complaints(SCHEMA) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"description": "no type"}}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}},
        {"type": "object", "required": ["b"], "properties": {}},
        {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "set"},
        {"type": "string", "default": 3},
        {"type": "string", "default": "x", "pattern": "^y$"},
        {"type": "array", "items": {"type": "string"}},
    ],
)
def test_the_check_for_structural_schemas_notices_what_is_not(schema: dict[str, Any]) -> None:
    assert complaints(schema)


def test_every_field_is_described() -> None:
    silent = [path for path, node in nodes(SCHEMA) if "description" not in node and not path.endswith("[]")]
    assert silent == [".metadata"]


def test_every_duration_and_quantity_has_a_default() -> None:
    defaults = {
        path.removeprefix(".spec."): node["default"]
        for path, node in nodes(SPEC, ".spec")
        if "default" in node
    }
    leaves = {path: value for path, value in defaults.items() if not isinstance(value, dict)}
    assert leaves == {
        "step.maxSurge": 1,
        "step.maxUnavailable": 0,
        "step.growth": 1,
        "gates.targetHealth.timeout": "10m",
        "gates.targetHealth.stableFor": "0s",
        "gates.drain.timeout": "20m",
        "gates.bake": "0s",
        "onFailure": "Hold",
        "onDelete": "Resume",
        "gates.alarms[].insufficientData": "Pass",
        "zones.minHealthy": 1,
        "zones.whenUnsatisfiable": "Hold",
        "zones.timeout": "10m",
        "zones.order": "Balanced",
        "zones.bake": "0s",
        "paused": False,
    }


def test_the_defaults_of_the_schema_and_of_the_operator_are_the_same() -> None:
    required = {"deploymentRef": {"name": "web"}, "targetGroups": [{"arn": ARN}]}
    filled = {name: node["default"] for name, node in SPEC["properties"].items() if "default" in node}
    assert parse_spec({**required, **filled}).policy == parse_spec(required).policy == Policy()


def test_a_default_that_is_a_number_stays_a_number() -> None:
    assert type(field(".spec.step.maxSurge")["default"]) is int


def test_the_deployment_a_safe_rollout_is_for_cannot_be_changed() -> None:
    assert [each["rule"] for each in field(".spec.deploymentRef")["x-kubernetes-validations"]] == [
        "self == oldSelf"
    ]


def test_conditions_are_merged_by_their_type() -> None:
    assert field(".status.conditions")["x-kubernetes-list-map-keys"] == ["type"]


def test_status_fields_have_no_default_so_that_what_is_absent_stays_absent() -> None:
    assert [path for path, node in nodes(SCHEMA["properties"]["status"]) if "default" in node] == []


def test_kubectl_get_shows_the_columns_in_their_order() -> None:
    columns = VERSION["additionalPrinterColumns"]
    by_priority = {
        priority: [each["name"].upper() for each in columns if each["priority"] == priority]
        for priority in (0, 1)
    }
    assert by_priority == {
        0: ["DEPLOYMENT", "PHASE", "STEP", "UPDATED", "SERVING", "DRAINING", "REASON", "AGE"],
        1: ["ZONES", "MESSAGE"],
    }


def test_every_column_shows_a_field_that_exists_with_its_type() -> None:
    types = {path: node.get("type") for path, node in nodes(SCHEMA)}
    types[".metadata.creationTimestamp"] = "date"
    assert all(types[each["jsonPath"]] == each["type"] for each in VERSION["additionalPrinterColumns"])


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        (".spec.step.maxSurge", ["101%", "25", "%", "1.5%", "-1%", -1, True, None]),
        (".spec.zones.minHealthy", ["101%", "half", "007%", -1, True, None]),
        (".spec.gates.drain.timeout", ["10 minutes", "10", "-5m", "1d", "", "m", "5m ", 600]),
        (".spec.paused", ["true", 1]),
        (".spec.gates.alarms[].name", ["", 5]),
        (".spec.gates.alarms[].insufficientData", ["Fail", "pass", None]),
    ],
)
def test_the_schema_alone_refuses_most_of_what_is_wrong(path: str, refused: list[object]) -> None:
    assert [value for value in refused if not violations(value, field(path))] == []


@pytest.mark.parametrize(
    ("path", "accepted"),
    [
        (".spec.step.maxSurge", [0, 1, 500, "0%", "1%", "25%", "100%"]),
        (".spec.zones.minHealthy", [0, 3, "0%", "50%", "100%"]),
        (".spec.gates.drain.timeout", ["90s", "10m", "1h30m", "1.5h", "500ms"]),
    ],
)
def test_the_schema_accepts_what_is_right(path: str, accepted: list[object]) -> None:
    assert [value for value in accepted if violations(value, field(path))] == []


def test_a_union_that_is_not_structural_is_refused_when_the_schema_is_made() -> None:
    class Either(BaseModel):
        value: bool | str = Field(description="One of two.")

    with pytest.raises(NotStructuralError, match="only union"):
        structural(Either)


def test_a_keyword_that_is_not_structural_is_refused_when_the_schema_is_made() -> None:
    class Above(BaseModel):
        value: int = Field(gt=1, description="More than one.")

    with pytest.raises(NotStructuralError, match="exclusiveMinimum"):
        structural(Above)
