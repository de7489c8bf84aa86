"""How what is found is put into the sentences that people read."""

from __future__ import annotations

from collections.abc import Sequence


def shortened(items: Sequence[str], most: int = 3) -> str:
    """Join the first few items, and count the rest."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
