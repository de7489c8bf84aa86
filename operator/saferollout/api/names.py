"""Names that the operator writes into, or reads out of, Kubernetes objects."""

from __future__ import annotations

from typing import Final

GROUP: Final = "saferollout.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "SafeRollout"
PLURAL: Final = "saferollouts"
FIELD_MANAGER: Final = "saferollout"

FINALIZER: Final = f"{GROUP}/operator"
"""On a SafeRollout: its Deployment is to be given back before it may go."""

LEDGER_ANNOTATION: Final = f"{GROUP}/ledger"
"""On a Deployment: what the user had in the fields the operator has changed."""

GUARDED_LABEL: Final = f"{GROUP}/guarded"
"""On a Deployment that is wrapped, with the value `GUARDED`: the policies of ``deploy/guard`` look for it."""

GUARDED: Final = "true"

GUARD_ANNOTATION: Final = f"{GROUP}/guard"
"""On a Deployment: the pause is the guard's. Its policy writes it, the operator takes it off."""

GUARD_QUESTION_ANNOTATION: Final = f"{GROUP}/asked"
"""On a pod template, in dry runs only: a change of the template for the sake of change."""

COST_BEFORE_ANNOTATION: Final = f"{GROUP}/cost-before"
"""On a pod: the deletion cost it had before the operator wrote one; empty when it had none."""

ACTION_ANNOTATION: Final = f"{GROUP}/action"
"""On a SafeRollout: what somebody asks for, taken off when it is answered."""

TOUCH_ANNOTATION: Final = f"{GROUP}/touch-dummy"
"""On a SafeRollout: a change for the sake of change. The name is kopf's, which takes it off again."""

LAST_APPLIED_ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"
DELETION_COST_ANNOTATION: Final = "controller.kubernetes.io/pod-deletion-cost"
POD_TEMPLATE_HASH_LABEL: Final = "pod-template-hash"
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
