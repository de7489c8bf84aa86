"""How every write is sent: in whose name, for how long, and in which form."""

from __future__ import annotations

from typing import Any, Final

from saferollout.api.names import FIELD_MANAGER

TIMEOUT: Final = 15.0
"""Seconds after which a request has failed: the next decision is made from what is there then."""

PATCHED_BY: Final[dict[str, Any]] = {"field_manager": FIELD_MANAGER, "_request_timeout": TIMEOUT}
MERGE: Final[dict[str, Any]] = {"_content_type": "application/merge-patch+json"}
JSON_PATCH: Final[dict[str, Any]] = {"_content_type": "application/json-patch+json"}
