"""How messages list things."""

from __future__ import annotations

from saferollout.decide.wording import shortened


def test_messages_name_three_and_count_the_rest() -> None:
    assert shortened(["a", "b", "c"]) == "a, b, c"
    assert shortened(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
