"""Questions to ELBv2 are made at a rate that leaves the account's limit to others, too."""

from __future__ import annotations

import time

import pytest

from saferollout.observe.bucket import TokenBucket


def test_four_seconds_worth_of_calls_may_be_made_at_once() -> None:
    assert TokenBucket(10).take(40) == 0


def test_whoever_comes_next_waits_and_first_come_is_first_served() -> None:
    bucket = TokenBucket(10)
    bucket.take(40)
    waits = [bucket.take(5) for _ in range(3)]
    assert waits == pytest.approx([0.5, 1.0, 1.5], abs=0.2)


def test_what_is_not_used_is_saved_at_that_rate() -> None:
    bucket = TokenBucket(1000)
    bucket.take(4000)
    time.sleep(0.1)
    assert bucket.take(100) == 0
