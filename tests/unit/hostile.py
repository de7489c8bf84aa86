"""What people with an editor, and a grudge, may write: specs, statuses, annotations. JSON of every kind."""

from __future__ import annotations

import base64
import json
import lzma
from typing import Any

from hypothesis import strategies as st

from saferollout.api.reasons import Reason

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"

MOMENTS = ("1970-01-01T00:00:00Z", "2027-01-15T08:00:00Z", "9998-01-01T00:00:00+14:00")
texts = st.text(max_size=20) | st.sampled_from(
    ["", "\n", "\x1b[31m", "[red]", "\u202e", "\x00", "{}", "1e999", "-1", "NaN", "0s", "9" * 40, "x" * 2000]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def packed(content: Any) -> str:
    """What a status keeps so: JSON, compressed by xz, in base64."""
    return base64.b64encode(lzma.compress(json.dumps(content).encode())).decode()


SPEC: dict[str, Any] = {
    "deploymentRef": {"name": "web"},
    "targetGroups": [{"arn": ARN}, {"binding": "web"}, {"service": {"name": "web", "port": "http"}}],
    "step": {"maxSurge": "25%", "maxUnavailable": 0, "growth": 2},
    "gates": {
        "targetHealth": {"timeout": "10m", "stableFor": "30s"},
        "drain": {"timeout": "20m"},
        "bake": "30s",
        "alarms": [{"name": "web 5xx", "insufficientData": "Alarm"}],
    },
    "approvals": [1, "50%"],
    "zones": {"minHealthy": 1, "whenUnsatisfiable": "Proceed", "timeout": "5m", "order": "ZoneByZone"},
    "onFailure": "Rollback",
    "paused": False,
}
LEDGER: dict[str, Any] = {
    "users": {
        "strategy": {"type": "RollingUpdate", "max_surge": "25%", "max_unavailable": "25%"},
        "min_ready_seconds": 0,
        "progress_deadline_seconds": 600,
        "paused": False,
    },
    "ours": {
        "strategy": {"type": "RollingUpdate", "max_surge": 1, "max_unavailable": 0},
        "min_ready_seconds": 40,
        "paused": True,
    },
    "release": {"target": "v2", "replicas": 3, "new": 2, "old": 2},
    "at": 1800000000.5,
    "of": "uid-web",
}
UNSHOWN = packed(
    {
        "pods": ["v1-8"],
        "zones": ["a"],
        "groups": ["arn-web"],
        "ports": [[[0, 8080]]],
        "draining": {
            "pod": [0],
            "zone": [0],
            "ports": [0],
            "since": [1799999880.0],
            "ended": [None],
            "address": ["ip-8"],
        },
    }
)
STATUS: dict[str, Any] = {
    "observedGeneration": 3,
    "phase": "Progressing",
    "reason": "WaitingForDrain",
    "message": "draining: 10.0.3.7:80 in web",
    "waitingSince": "2027-01-15T07:59:00.000000Z",
    "startedAt": "2027-01-15T07:50:00.000000Z",
    "revision": {"stable": "v1", "target": "v2"},
    "failed": {
        "revision": "v3",
        "cause": "it crashes",
        "at": "2027-01-15T07:40:00.000000Z",
        "template": "v3",
        "restored": "v2",
        "rolledBack": True,
    },
    "step": {
        "index": 1,
        "total": 3,
        "startedAt": "2027-01-15T07:58:00.000000Z",
        "plannedAt": "2027-01-15T07:57:00.000000Z",
        "servingSince": "2027-01-15T07:59:00.000000Z",
        "retiring": [{"pod": "v1-1", "zone": "a", "because": "MostToSpare"}],
        "zone": "a",
        "zoneSince": "2027-01-15T07:58:00.000000Z",
    },
    "replicas": {"desired": 3, "updated": 1, "serving": 3, "draining": 1},
    "zones": [{"name": "a", "serving": 2, "updated": 1, "floor": 1}],
    "targetGroups": [],
    "draining": [
        {
            "targetGroup": "web",
            "arn": "arn-web",
            "id": "ip-gone",
            "port": 8080,
            "pod": "v1-9",
            "zone": "a",
            "since": "2027-01-15T07:58:00.000000Z",
        }
    ],
    "unshown": UNSHOWN,
    "exposure": {"pods": 1, "seconds": 3, "worst": 3},
    "lost": [{"by": "EvictionByEvictionAPI", "pods": 2, "leaving": ["v1-2"]}],
    "ledger": json.dumps(LEDGER),
    "takeovers": [
        {
            "field": "paused",
            "manager": "argocd",
            "times": 2,
            "since": "2027-01-15T07:58:00.000000Z",
            "latest": "2027-01-15T07:59:00.000000Z",
        }
    ],
    "conditions": [],
    "history": [],
}


@st.composite
def edited(draw: st.DrawFn, whole: Any) -> Any:
    """What is right, with a few members gone, or replaced by anything, or by their like."""
    for _ in range(draw(st.integers(0, 3))):
        whole = _edited_once(draw, whole)
    return whole


def _edited_once(draw: st.DrawFn, whole: Any) -> Any:
    if draw(st.integers(0, 3)) == 0 or not isinstance(whole, (dict, list)) or not whole:
        return draw(junk | _like(whole))
    if isinstance(whole, list):
        at = draw(st.integers(0, len(whole) - 1))
        again = [*whole, whole[at]] if draw(st.booleans()) else whole
        return [_edited_once(draw, each) if n == at else each for n, each in enumerate(again)]
    name = draw(st.sampled_from(sorted(whole)))
    if draw(st.integers(0, 4)) == 0:
        return {key: each for key, each in whole.items() if key != name}
    return whole | {name: _edited_once(draw, whole[name])}


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Something of the same kind, and more likely to be let in."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.integers(0, 2**31)
    if isinstance(value, str):
        words = (*map(str, Reason), "100%", "0%", "1h", "0s", "v1", "v2-1", *MOMENTS)
        return st.sampled_from(words)
    return st.just(value)


specs = edited(SPEC)
statuses = edited(STATUS) | junk
annotation_texts = (
    edited(LEDGER).map(json.dumps)
    | texts
    | junk.map(json.dumps)
    | st.sampled_from(
        [
            '{"at": 1' + "0" * 400 + "}",
            '{"at": NaN}',
            '{"at": Infinity}',
            '{"users": {"min_ready_seconds": ' + "9" * 400 + "}}",
            '{"users": {"strategy": {"type": "' + "x" * 100_000 + '"}}}',
            "[" * 100_000,
        ]
    )
)
