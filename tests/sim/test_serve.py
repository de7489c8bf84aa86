"""A world as a process: kubectl and boto3 from outside, a native rolling update under load, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

WORLD = {
    "speed": 60,
    "targetGroups": [
        {
            "name": "web",
            "kind": "nlb",
            "registrationSeconds": 60,
            "deregistrationDelaySeconds": 60,
            "straySeconds": 90,
        }
    ],
    "traffic": [{"targetGroup": "web"}],
}
SERVE = [sys.executable, "-m", "saferollout.sim.serve"]


@dataclass
class Site:
    """A running world and the tools of its users."""

    process: subprocess.Popen[str]
    addresses: dict[str, str]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        command = ["kubectl", "--kubeconfig", self.addresses["kubeconfig"], *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - arguments of this file
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.addresses["elb"] + path, timeout=10) as reply:  # noqa: S310 - a loopback URL
            return json.load(reply)

    def send(self, method: str, path: str) -> None:
        request = urllib.request.Request(self.addresses["elb"] + path, method=method)  # noqa: S310 - a loopback URL
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - a loopback URL

    def states(self) -> list[str]:
        client = boto3.client(
            "elbv2",
            region_name="us-east-1",
            endpoint_url=self.addresses["elb"],
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106 - not a secret: the endpoint checks no signature
        )
        arn = self.get("/sim/world")["targetGroups"]["web"]
        reply = client.describe_target_health(TargetGroupArn=arn)
        return sorted(each["TargetHealth"]["State"] for each in reply["TargetHealthDescriptions"])

    def traffic(self, since: float = 0) -> Any:
        return self.get(f"/sim/traffic?since={since}")["web"]


def start(folder: Path, *arguments: str) -> Site:
    config = folder / "world.yaml"
    config.write_text(yaml.safe_dump(WORLD))
    command = [*SERVE, "--config", str(config), "--kubeconfig", str(folder / "kubeconfig"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - the command of this file
    assert process.stdout is not None
    return Site(process, json.loads(process.stdout.readline()))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = start(tmp_path, "--die-with-parent")
    yield running
    running.process.terminate()
    running.process.wait(10)


def eventually(what: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)


def manifests(arn: str) -> str:
    labels = {"app": "web"}
    pod = {
        "terminationGracePeriodSeconds": 120,
        "containers": [
            {
                "name": "web",
                "image": "web:1",
                "ports": [{"name": "http", "containerPort": 8080}],
                "lifecycle": {"preStop": {"sleep": {"seconds": 60}}},
            }
        ],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 6,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    binding = {
        "apiVersion": "elbv2.k8s.aws/v1beta1",
        "kind": "TargetGroupBinding",
        "metadata": {"name": "web"},
        "spec": {"targetGroupARN": arn, "targetType": "ip", "serviceRef": {"name": "web", "port": 80}},
    }
    return yaml.safe_dump_all([deployment, service, binding])


def test_pods_become_healthy_targets_and_a_native_update_behind_an_nlb_fails_requests(site: Site) -> None:
    site.kubectl("apply", "-f", "-", stdin=manifests(site.get("/sim/world")["targetGroups"]["web"]))
    eventually(lambda: site.states() == ["healthy"] * 6)
    assert "web" in site.kubectl("get", "targetgroupbindings")
    eventually(lambda: site.traffic(since=time.time() - 2)["failed"] == 0)

    began = time.time()
    site.kubectl("set", "image", "deployment/web", "web=web:2")
    site.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    eventually(lambda: site.states() == ["healthy"] * 6 and site.traffic(time.time() - 1)["failed"] == 0)
    summary = site.traffic(since=began)
    assert summary["failed"] > 500
    assert summary["outcomes"]["reset-empty-zone"] > summary["total"] / 10


def test_a_pod_can_be_silenced_and_a_node_killed_from_outside(site: Site) -> None:
    site.kubectl("apply", "-f", "-", stdin=manifests(site.get("/sim/world")["targetGroups"]["web"]))
    eventually(lambda: site.states() == ["healthy"] * 6)
    first, *_, last = json.loads(site.kubectl("get", "pods", "-o", "json"))["items"]
    site.send("POST", f"/sim/pods/default/{first['metadata']['name']}/silence")
    eventually(lambda: site.states().count("healthy") == 5, seconds=10)
    site.send("DELETE", f"/sim/nodes/{last['spec']['nodeName']}")
    eventually(lambda: "unhealthy" in site.states(), seconds=10)


def test_the_environment_alone_leads_boto3_there(site: Site) -> None:
    environment = os.environ | {
        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": site.addresses["elb"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
    }
    ask = "import boto3; print(len(boto3.client('elbv2').describe_target_groups()['TargetGroups']))"
    command = [sys.executable, "-c", ask]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=environment)  # noqa: S603 - the command of this file
    assert done.stdout == "1\n"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told_to(tmp_path: Path, how: signal.Signals) -> None:
    running = start(tmp_path)
    running.process.send_signal(how)
    assert running.process.wait(10) == 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(WORLD))
    child = [*SERVE, "--config", "world.yaml", "--kubeconfig", "kubeconfig", "--die-with-parent"]
    parent = f"import subprocess; p = subprocess.Popen({child!r}); print(p.pid, flush=True); p.wait()"
    command = [sys.executable, "-c", parent]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)  # noqa: S603 - the command of this file
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.stdout.readline()
    process.kill()
    process.wait(10)
    eventually(lambda: not running(pid), seconds=10)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_world_that_makes_no_sense_is_refused_with_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "world.yaml"
    config.write_text("speed: fast")
    command = [*SERVE, "--config", str(config), "--kubeconfig", str(tmp_path / "kubeconfig")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - the command of this file
    assert done.returncode == 2
    assert "speed" in done.stderr
    assert "Traceback" not in done.stderr
