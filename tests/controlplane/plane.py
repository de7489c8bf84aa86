"""A released control plane on loopback: etcd, kube-apiserver, kube-controller-manager and kube-scheduler."""

from __future__ import annotations

import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType

import orjson

from controlplane import flags
from controlplane.binaries import Binaries
from controlplane.part import Part, StartError

PATIENCE = 60.0
"""Seconds a part may take to come up: it takes two on an idle machine, but machines are shared."""

USERS = {
    "admin": "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
}
"""Who has a token of their own, and the group that gives them rights beyond those of their name."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class ControlPlane:
    """A running cluster without nodes: TLS, RBAC and the defaults of the release. Use it in a ``with``.

    It leaves nothing behind, however the process that started it ends (`controlplane.guard`). ``manager`` are
    more flags of kube-controller-manager, for where its defaults are in the way.
    """

    binaries: Binaries
    manager: tuple[str, ...] = ()
    folder: Path = field(init=False)
    url: str = field(init=False)
    tokens: dict[str, str] = field(init=False)
    parts: dict[str, Part] = field(init=False, default_factory=dict)
    _guard: subprocess.Popen[bytes] = field(init=False)

    @property
    def authority(self) -> Path:
        """The certificate that the API server's own is to be verified with."""
        return self.folder / "apiserver.crt"

    def __enter__(self) -> ControlPlane:
        self.folder = Path(tempfile.mkdtemp(prefix="saferollout-"))
        guard: list[str | Path] = [sys.executable, "-IS", Path(__file__).with_name("guard.py"), self.folder]
        self._guard = subprocess.Popen(  # noqa: S603 - a program of our own
            guard, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process and remove the folder."""
        self._guard.communicate()
        for part in self.parts.values():
            part.kill()

    def wait_ready(self) -> None:
        """Wait until the API server serves.

        Raises:
            StartError: It has not for `PATIENCE` seconds, or has ended.
        """
        self._wait_for("kube-apiserver", f"{self.url}/readyz")

    def kubeconfig(self, user: str, token: str | None = None) -> Path:
        """Write a kubeconfig for one of `USERS`, or for anybody with a token, and return its path."""
        path = self.folder / f"{user}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token or self.tokens[user]}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": user}}],
            "current-context": "real",
        }
        path.write_bytes(orjson.dumps(config))
        return path

    def kubectl(
        self, *arguments: str, stdin: str = "", user: str = "admin"
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as a user whose kubeconfig has been written, and return what came of it."""
        config = self.folder / f"{user}.kubeconfig"
        command: list[str | Path] = [self.binaries.kubectl, "--kubeconfig", config, *arguments]
        return subprocess.run(  # noqa: S603 - kubectl, with a test's own arguments
            command, input=stdin, capture_output=True, text=True, check=False
        )

    def service_account_token(self, namespace: str, name: str) -> str:
        """Return a token for a service account, good for an hour: what a pod of it would be given."""
        done = self.kubectl("create", "token", name, "--namespace", namespace)
        done.check_returncode()
        return done.stdout.strip()

    def _start(self) -> None:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run("etcd", self.binaries.etcd, flags.etcd(self.folder, client, peer))
        self._wait_for("etcd", f"{client}/health")
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        self.tokens = {user: secrets.token_hex(16) for user in USERS}
        lines = (f'{self.tokens[user]},{user},{user},"{group}"\n' for user, group in USERS.items())
        (self.folder / "tokens.csv").write_text("".join(lines))
        self._run("kube-apiserver", self.binaries.apiserver, flags.apiserver(self.folder, client, port))
        self.wait_ready()
        _, manager, scheduler = map(self.kubeconfig, USERS)
        told = [*flags.controller_manager(self.folder, manager), *self.manager]
        self._run("kube-controller-manager", self.binaries.controller_manager, told)
        self._run("kube-scheduler", self.binaries.scheduler, flags.scheduler(scheduler))
        # The first visible work of the controllers, without which no pod can be created.
        account = f"{self.url}/api/v1/namespaces/default/serviceaccounts/default"
        self._wait_for("kube-controller-manager", account)

    def _run(self, name: str, binary: Path, told: list[str]) -> None:
        self.parts[name] = Part(name, [binary, *told], self.folder / f"{name}.log", self._guard.pid)
        self.parts[name].start()

    def _wait_for(self, name: str, url: str) -> None:
        part = self.parts[name]
        deadline = time.monotonic() + PATIENCE
        while not self._answers(url):
            part.fail_if_ended()
            if time.monotonic() > deadline:
                raise StartError(f"{name} is not ready after {PATIENCE:.0f} s:\n{part.last_words()}")
            time.sleep(0.05)

    def _answers(self, url: str) -> bool:
        request = urllib.request.Request(url)  # noqa: S310 - an address of our own on loopback
        trust = None
        try:
            if url.startswith("https"):
                request.add_header("Authorization", f"Bearer {self.tokens['admin']}")
                trust = ssl.create_default_context(cafile=self.authority)
            with urllib.request.urlopen(request, timeout=5, context=trust) as answer:  # noqa: S310 - likewise
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False
