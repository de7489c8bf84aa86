"""The condition ``FieldsKept``: whether what the operator sets stays, and what to do if it does not."""

from __future__ import annotations

from collections.abc import Sequence

from saferollout.api.reasons import ConditionType
from saferollout.api.status import FALSE, TRUE
from saferollout.decide.memory import Takeover
from saferollout.decide.takeovers import PATIENCE

_MEANS = {
    "strategy": "at rest it is left as it is, so that in the moment between a new template and the pause"
    " Kubernetes may act by it: up to maxUnavailable pods",
    "paused": "in mid-rollout the Deployment is held by minReadySeconds alone",
    "minReadySeconds": "in mid-rollout the Deployment is held by the pause alone, which the last step outruns"
    " between their write and ours",
    "progressDeadlineSeconds": "it is set back with every step only",
}

_NO_BRAKE = (
    " DANGER: spec.paused is written too, and nothing that holds the Deployment lasts: a step may be made"
    " without the gates between their write and ours."
)


def fields_kept(takeovers: Sequence[Takeover]) -> tuple[ConditionType, str, str, str]:
    """Return type, status, reason and message of the condition: False if a field is left to somebody else."""
    kind = ConditionType.FIELDS_KEPT
    lasting = [each for each in takeovers if each.times >= PATIENCE]
    if not lasting:
        return kind, TRUE, "Kept", ""
    names = [each.field for each in lasting]
    told = "; ".join(
        f"spec.{each.field} was written {each.times} times by {each.manager or 'somebody'} over what had been"
        f" set: {_MEANS.get(each.field, '')}"
        for each in lasting
    )
    danger = _NO_BRAKE if "paused" in names and {"strategy", "minReadySeconds"} & {*names} else ""
    pointers = ", ".join(f"/spec/{name}" for name in names)
    remedy = (
        f" What to do: leave it out of the manifest; or in Argo CD, ignoreDifferences with jsonPointers"
        f" [{pointers}] and the sync option RespectIgnoreDifferences=true; in Flux, ignore {pointers}."
    )
    return kind, FALSE, "TakenOver", f"{told}.{danger}{remedy}"
