"""The file that tells clients where a cluster is."""

from __future__ import annotations

from pathlib import Path

import yaml


def write_kubeconfig(
    path: Path, url: str, *, name: str = "saferollout-sim", namespace: str = "default", user: str = ""
) -> None:
    """Write a kubeconfig for the cluster at ``url``, which takes everybody for who they say they are."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "users": [{"name": name, "user": {"token": user} if user else {}}],
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
