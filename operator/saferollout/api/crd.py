"""The CustomResourceDefinition. ``python -m saferollout.api.crd > crds/saferollouts.yaml`` writes it."""

from __future__ import annotations

import sys
from typing import Any

import yaml

from saferollout.api.model import Spec
from saferollout.api.names import GROUP, KIND, PLURAL, VERSION
from saferollout.api.schema import Schema, structural
from saferollout.api.status import Status

_HEADER = """\
# Generated from the models in saferollout.api:
#     python -m saferollout.api.crd > crds/saferollouts.yaml
"""

_ALWAYS, _WIDE = 0, 1
_COLUMNS = (
    ("Deployment", "string", ".spec.deploymentRef.name", _ALWAYS),
    ("Phase", "string", ".status.phase", _ALWAYS),
    ("Step", "string", ".status.summary.step", _ALWAYS),
    ("Updated", "string", ".status.summary.updated", _ALWAYS),
    ("Serving", "integer", ".status.replicas.serving", _ALWAYS),
    ("Draining", "integer", ".status.replicas.draining", _ALWAYS),
    ("Reason", "string", ".status.reason", _ALWAYS),
    ("Age", "date", ".metadata.creationTimestamp", _ALWAYS),
    ("Zones", "string", ".status.summary.zones", _WIDE),
    ("Message", "string", ".status.message", _WIDE),
)


def custom_resource_definition() -> dict[str, Any]:
    """Return the CustomResourceDefinition of SafeRollout as JSON."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["sro"],
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
                    "schema": {"openAPIV3Schema": _schema()},
                }
            ],
        },
    }


def manifest() -> str:
    """Return the CustomResourceDefinition as the text of ``crds/saferollouts.yaml``."""
    return _HEADER + yaml.dump(custom_resource_definition(), Dumper=_Dumper, sort_keys=False, width=100)


def _schema() -> Schema:
    return {
        "type": "object",
        "description": "Rolls a Deployment out behind ALB or NLB, one gated step at a time.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of the API: saferollout.dev/v1alpha1."},
            "kind": {"type": "string", "description": "Kind of the object: SafeRollout."},
            "metadata": {"type": "object"},
            "spec": structural(Spec),
            "status": structural(Status),
        },
    }


def _column(name: str, kind: str, path: str, priority: int) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path, "priority": priority}


class _Dumper(yaml.SafeDumper):
    """Writes a value out wherever it stands: anchors would only puzzle the reader."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


if __name__ == "__main__":
    sys.stdout.write(manifest())
