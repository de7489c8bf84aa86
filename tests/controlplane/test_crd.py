"""The CustomResourceDefinition on the released API server: its defaults, its refusals, what kubectl shows."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.plane import ControlPlane

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
NAMESPACE = "crd"
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/6d0ecf831eec9f09"

WAYS = {
    "apply": ("apply",),
    "server-side": ("apply", "--server-side"),
    "dry-run": ("apply", "--dry-run=server"),
}

PODS = "write 0 or more pods, or a percent from 0% to 100% such as 50%"
TIMEOUT = "write a duration above zero such as 90s, 10m or 1h30m"
SPAN = "write a duration such as 0s, 90s or 10m"
NAME = "write the name of an object in this namespace: lower-case letters, digits, '-' and '.'"
ONE_OF_BOTH = "write either maxSurge or maxUnavailable above 0, and 0 for the other"
ONE_WAY = "write one of arn, binding and service"
PORT = "write the number or the name of a port of the Service"
ALARM = "write the name of a CloudWatch alarm: 1 to 255 characters, no control characters"
GROUP = "write the ARN of a target group, such as arn:aws:elasticloadbalancing:"

INVALID: Mapping[str, tuple[Mapping[str, Any], str, *tuple[str, ...]]] = {
    "no Deployment": ({"deploymentRef": None}, "spec.deploymentRef", "Required value"),
    "a Deployment without a name": ({"deploymentRef": {}}, "spec.deploymentRef.name", "Required value"),
    "the name of none": ({"deploymentRef": {"name": "Web!"}}, "spec.deploymentRef.name", NAME),
    "an empty name": ({"deploymentRef": {"name": ""}}, "spec.deploymentRef.name", NAME),
    "the same one twice": (
        {"targetGroups": [{"arn": ARN}] * 2},
        "spec.targetGroups",
        "write every target group once",
    ),
    "33 of them": (
        {"targetGroups": [{"arn": f"{ARN}{number}"} for number in range(33)]},
        "spec.targetGroups",
        "must have at most 32 items",
    ),
    "no way to one": ({"targetGroups": [{}]}, "spec.targetGroups[0]", ONE_WAY),
    "two ways to one": ({"targetGroups": [{"arn": ARN, "binding": "web"}]}, "spec.targetGroups[0]", ONE_WAY),
    "a role for a binding": (
        {"targetGroups": [{"binding": "web", "assumeRole": {"arn": "arn:aws:iam::123456789012:role/web"}}]},
        "spec.targetGroups[0]",
        "write assumeRole beside an arn only",
    ),
    "no role": (
        {"targetGroups": [{"arn": ARN, "assumeRole": {"arn": "arn:aws:iam::123456789012:user/web"}}]},
        "spec.targetGroups[0].assumeRole.arn",
        "write the ARN of a role, such as arn:aws:iam::",
    ),
    "the same binding twice": (
        {"targetGroups": [{"binding": "web"}] * 2},
        "spec.targetGroups",
        "write every target group once",
    ),
    "the name of no binding": ({"targetGroups": [{"binding": "_"}]}, "spec.targetGroups[0].binding", NAME),
    "port nothing": (
        {"targetGroups": [{"service": {"name": "web", "port": 0}}]},
        "spec.targetGroups[0].service.port",
        PORT,
    ),
    "a port in capitals": (
        {"targetGroups": [{"service": {"name": "web", "port": "HTTP"}}]},
        "spec.targetGroups[0].service.port",
        PORT,
    ),
    "the ARN of a bucket": (
        {"targetGroups": [{"arn": "arn:aws:s3:::web"}]},
        "spec.targetGroups[0].arn",
        GROUP,
    ),
    "the ARN of a load balancer": (
        {"targetGroups": [{"arn": ARN.replace("targetgroup/", "loadbalancer/net/")}]},
        "spec.targetGroups[0].arn",
        GROUP,
    ),
    "a step of nothing": ({"step": {"maxSurge": 0}}, "spec.step", ONE_OF_BOTH),
    "a step of no percent": ({"step": {"maxSurge": "0%"}}, "spec.step", ONE_OF_BOTH),
    "a step in two ways": ({"step": {"maxSurge": 1, "maxUnavailable": "10%"}}, "spec.step", ONE_OF_BOTH),
    "a step below nothing": ({"step": {"maxSurge": -1}}, "spec.step.maxSurge", PODS),
    "more than all": ({"step": {"maxSurge": "101%"}}, "spec.step.maxSurge", PODS),
    "a number as text": ({"step": {"maxSurge": "2"}}, "spec.step.maxSurge", PODS),
    "half a pod": ({"step": {"maxSurge": 1.5}}, "spec.step.maxSurge", "must be of type integer"),
    "a floor below the ground": ({"zones": {"minHealthy": -1}}, "spec.zones.minHealthy", PODS),
    "steps that do not grow": ({"step": {"growth": 0}}, "spec.step.growth", "greater than or equal to 1"),
    "an order there is not": ({"zones": {"order": "Random"}}, "spec.zones.order", "Unsupported value"),
    "a floor above all": ({"zones": {"minHealthy": "200%"}}, "spec.zones.minHealthy", PODS),
    "a duration in words": (
        {"gates": {"targetHealth": {"timeout": "soon"}}},
        "spec.gates.targetHealth.timeout",
        TIMEOUT,
    ),
    "health that runs backwards": (
        {"gates": {"targetHealth": {"stableFor": "-1s"}}},
        "spec.gates.targetHealth.stableFor",
        SPAN,
    ),
    "no time at all": ({"gates": {"drain": {"timeout": "0s"}}}, "spec.gates.drain.timeout", TIMEOUT),
    "time without a unit": (
        {"gates": {"drain": {"timeout": 90}}},
        "spec.gates.drain.timeout",
        "must be of type string",
        "expected string",
    ),
    "time that runs backwards": (
        {"gates": {"drain": {"timeout": "-1m"}}},
        "spec.gates.drain.timeout",
        TIMEOUT,
    ),
    "the same alarm twice": (
        {"gates": {"alarms": [{"name": "5xx"}, {"name": "5xx", "insufficientData": "Alarm"}]}},
        "spec.gates.alarms",
        "write every alarm once",
    ),
    "an alarm of two lines": (
        {"gates": {"alarms": [{"name": "5xx\nforged"}]}},
        "spec.gates.alarms[0].name",
        ALARM,
    ),
    "an alarm without a name": ({"gates": {"alarms": [{"name": ""}]}}, "spec.gates.alarms[0].name", ALARM),
    "an alarm that counts as nothing": (
        {"gates": {"alarms": [{"name": "5xx", "insufficientData": "Fail"}]}},
        "spec.gates.alarms[0].insufficientData",
        "Unsupported value",
    ),
    "too many alarms": (
        {"gates": {"alarms": [{"name": f"{number}"} for number in range(21)]}},
        "spec.gates.alarms",
        "must have at most 20 items",
    ),
    "paused in words": ({"paused": "yes"}, "spec.paused", "must be of type boolean", "expected boolean"),
    "a field there is not": ({"steps": {"maxSurge": 1}}, "spec.steps", "unknown field", "field not declared"),
}
"""What is written in place of what is right; the field that is to be named, and what is to be said of it.

Where there is a second text, it is that of server-side apply, which finds such a thing by itself.
"""

ZONES = {
    "minHealthy": 1,
    "whenUnsatisfiable": "Hold",
    "timeout": "10m",
    "order": "Balanced",
    "bake": "0s",
}
DEFAULTS: dict[str, Any] = {
    "deploymentRef": {"name": "web"},
    "targetGroups": [{"arn": ARN}],
    "step": {"maxSurge": 1, "maxUnavailable": 0, "growth": 1},
    "gates": {
        "targetHealth": {"timeout": "10m", "stableFor": "0s"},
        "drain": {"timeout": "20m"},
        "bake": "0s",
    },
    "zones": ZONES,
    "onFailure": "Hold",
    "onDelete": "Resume",
    "paused": False,
}

STATUS = {
    "observedGeneration": 1,
    "phase": "Progressing",
    "reason": "WaitingForDrain",
    "message": "step 3/10: 10.0.3.7:80 draining in web",
    "replicas": {"desired": 10, "updated": 3, "serving": 11, "draining": 1},
    "summary": {"step": "3/10", "updated": "3/10", "zones": "1a=4 1b=3 1c=4"},
}


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with kubectl, in a namespace with nothing else in it."""

    plane: ControlPlane

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """Run kubectl, which is to succeed, and return what it prints."""
        done = self.plane.kubectl("--namespace", NAMESPACE, *arguments, stdin=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str, given: str) -> str:
        """Run kubectl, which is to fail, and return what it says."""
        done = self.plane.kubectl("--namespace", NAMESPACE, *arguments, stdin=given)
        assert done.returncode, done.stdout
        return done.stderr

    def spec(self, name: str) -> dict[str, Any]:
        """Return the ``spec`` that is stored."""
        return dict(json.loads(self.kubectl("get", "saferollout", name, "-o", "json"))["spec"])


@pytest.fixture(scope="module")
def user(plane: ControlPlane) -> Iterator[User]:
    somebody = User(plane)
    somebody.kubectl("apply", "-k", str(ROOT / "crds"))
    somebody.kubectl("wait", "--for=condition=Established", "crd/saferollouts.saferollout.dev")
    somebody.kubectl("create", "namespace", NAMESPACE)
    deadline = time.monotonic() + 60  # an established kind is explained a little later
    while plane.kubectl("explain", "saferollouts").returncode and time.monotonic() < deadline:
        time.sleep(0.5)
    yield somebody
    somebody.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def manifest(name: str, **spec: Any) -> str:
    """A SafeRollout with fields of its ``spec`` replaced; ``None`` leaves one out."""
    usual = {"deploymentRef": {"name": "web"}, "targetGroups": [{"arn": ARN}]}
    wanted = {field: value for field, value in (usual | spec).items() if value is not None}
    return yaml.safe_dump(
        {
            "apiVersion": "saferollout.dev/v1alpha1",
            "kind": "SafeRollout",
            "metadata": {"name": name},
            "spec": wanted,
        }
    )


def golden(name: str, shown: str) -> None:
    """Hold a text to the one on file, ages masked."""
    masked = re.sub(r"(?<= )\d+s *", lambda found: f"{'AGE':{len(found[0])}}", shown)
    masked = re.sub(r" +$", "", masked, flags=re.MULTILINE)
    on_file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        on_file.write_text(masked)
    assert masked == on_file.read_text()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_left_out_is_filled_in_by(way: str, user: User) -> None:
    name = f"minimal-{way}"
    shown = user.kubectl(*WAYS[way], "-f", "-", "-o", "yaml", given=manifest(name))
    assert yaml.safe_load(shown)["spec"] == DEFAULTS


@pytest.mark.parametrize(
    "spec",
    [
        {"step": {"maxSurge": 3, "maxUnavailable": 0, "growth": 2}},
        {"step": {"maxSurge": "1%", "maxUnavailable": "0%", "growth": 1}},
        {"step": {"maxSurge": "100%", "maxUnavailable": 0, "growth": 10}},
        {"step": {"maxSurge": 0, "maxUnavailable": "25%", "growth": 1}},
        {"zones": ZONES | {"minHealthy": 0, "whenUnsatisfiable": "Proceed", "timeout": "90s"}},
        {"zones": ZONES | {"minHealthy": "0%", "order": "ZoneByZone", "bake": "15m"}},
        {
            "gates": {
                "targetHealth": {"timeout": "1h30m", "stableFor": "90s"},
                "drain": {"timeout": "1.5m"},
                "bake": "30m",
            }
        },
        {"approvals": [1, "50%"], "onFailure": "Rollback", "onDelete": "KeepPaused"},
        {
            "gates": DEFAULTS["gates"]
            | {
                "alarms": [
                    {"name": "web 5xx/target", "insufficientData": "Pass"},
                    {"name": "проверка ⚠", "insufficientData": "Alarm"},
                ]
            }
        },
        {"paused": True},
        {"targetGroups": []},
        {"targetGroups": [{"arn": ARN, "assumeRole": {"arn": "arn:aws:iam::123456789012:role/web"}}]},
        {"targetGroups": [{"binding": "web"}, {"service": {"name": "web"}}]},
        {
            "targetGroups": [
                {"service": {"name": "web", "port": 80}},
                {"service": {"name": "web", "port": "http"}},
            ]
        },
        {"targetGroups": [{"arn": ARN.replace("aws:e", "aws-cn:e")}, {"arn": f"{ARN}0"}]},
    ],
    ids=lambda spec: json.dumps(spec)[:60],
)
def test_what_is_right_is_stored_as_it_is_written(spec: dict[str, Any], user: User) -> None:
    user.kubectl("apply", "-f", "-", given=manifest("right", **spec))
    assert user.spec("right") == DEFAULTS | spec


@pytest.mark.parametrize("what", INVALID)
def test_it_is_refused_in_every_way_of_applying_and_told_what_to_write_instead(what: str, user: User) -> None:
    spec, field, *said = INVALID[what]
    for way in WAYS.values():
        told = user.refused(*way, "-f", "-", given=manifest("wrong", **spec))
        assert field in told.replace(".spec.", "spec."), told
        assert any(each in told for each in said), told
    assert user.kubectl("get", "saferollouts", "wrong", "--ignore-not-found") == ""


@pytest.mark.parametrize("way", WAYS)
def test_another_deployment_is_refused_once_there_is_one_by(way: str, user: User) -> None:
    name = f"kept-{way}"
    user.kubectl("apply", "-f", "-", given=manifest(name))
    told = user.refused(*WAYS[way], "-f", "-", given=manifest(name, deploymentRef={"name": "other"}))
    assert "deploymentRef is immutable: write the name it had, and make another SafeRollout" in told
    assert user.spec(name)["deploymentRef"] == {"name": "web"}


def test_a_wrong_edit_of_one_field_leaves_what_was_there(user: User) -> None:
    user.kubectl("apply", "-f", "-", given=manifest("edited"))
    patch = json.dumps({"spec": {"step": {"maxSurge": "200%"}}})
    assert PODS in user.refused("patch", "saferollout", "edited", "--type=merge", "-p", patch, given="")
    assert user.spec("edited") == DEFAULTS


def test_the_status_is_written_by_its_own_door_only(user: User) -> None:
    user.kubectl("apply", "-f", "-", given=manifest("doors"))
    patch = json.dumps({"status": STATUS})
    user.kubectl("patch", "saferollout", "doors", "--type=merge", "-p", patch)
    assert user.kubectl("get", "saferollout", "doors", "-o", "jsonpath={.status}") == ""
    user.kubectl("patch", "saferollout", "doors", "--type=merge", "--subresource=status", "-p", patch)
    assert user.kubectl("get", "saferollout", "doors", "-o", "jsonpath={.status.reason}") == "WaitingForDrain"


@pytest.mark.parametrize("wide", [(), ("-o", "wide")], ids=["get", "wide"])
def test_kubectl_get_shows_a_rollout_in_a_line(wide: tuple[str, ...], user: User) -> None:
    user.kubectl("apply", "-f", "-", given=manifest("checkout"))
    user.kubectl(
        *("patch", "saferollout", "checkout", "--type=merge", "--subresource=status"),
        *("-p", json.dumps({"status": STATUS})),
    )
    golden("-".join(("get", *wide[1:])), user.kubectl("get", "saferollouts", "checkout", *wide))


def test_it_goes_by_its_short_name_too_and_is_part_of_all(user: User) -> None:
    user.kubectl("apply", "-f", "-", given=manifest("named"))
    for kind in ("sro", "saferollout", "saferollouts.saferollout.dev", "all"):
        found = user.kubectl("get", kind, "--output=name").split()
        assert "saferollout.saferollout.dev/named" in found


@pytest.mark.parametrize("path", ["spec", "spec.gates.drain", "spec.step.maxSurge", "status.draining"])
def test_kubectl_explain_says_what_every_field_is_for(path: str, user: User) -> None:
    golden(f"explain-{path}", user.kubectl("explain", f"saferollout.{path}"))
