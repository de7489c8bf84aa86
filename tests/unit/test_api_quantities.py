import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferollout.api.quantities import rounded_up, seconds
from saferollout.api.times import from_rfc3339, to_micro_time, to_time


def test_a_surge_of_a_fraction_of_a_pod_is_a_pod() -> None:
    assert rounded_up("25%", 10) == 3


def test_a_percent_that_is_whole_pods_is_not_rounded() -> None:
    assert rounded_up("50%", 10) == 5


def test_a_number_of_pods_is_that_number_whatever_the_replicas() -> None:
    assert rounded_up(3, 0) == 3


def test_a_deployment_may_surge_by_more_than_it_has() -> None:
    assert rounded_up("150%", 2) == 3


@pytest.mark.parametrize("text", ["25", "%", "-1%", "1.5%", "٣%", ""])
def test_text_that_is_no_percent_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither a number of pods nor a percent"):
        rounded_up(text, 10)


@given(st.integers(0, 100), st.integers(0, 10_000))
def test_rounding_up_adds_less_than_a_pod(percent: int, of: int) -> None:
    assert 0 <= rounded_up(f"{percent}%", of) * 100 - percent * of < 100


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("0s", 0)],
)
def test_a_duration_is_read_as_go_reads_it(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "10", "10 m", "-1m", "+1m", "1d", "1.m", "m", "1m\n", "9" * 400 + "h"])
def test_text_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|range"):
        seconds(text)


def test_a_time_is_written_as_kubernetes_writes_it() -> None:
    assert (to_time(1767323045.25), to_micro_time(1767323045.25)) == (
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.250000Z",
    )


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_time_to_the_microsecond_comes_back_as_it_was(microseconds: int) -> None:
    assert from_rfc3339(to_micro_time(microseconds / 1e6)) == microseconds / 1e6


def test_a_time_with_an_offset_is_the_same_moment() -> None:
    assert from_rfc3339("2026-01-02T05:04:05+02:00") == from_rfc3339("2026-01-02T03:04:05Z")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z"])
def test_text_that_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month|offset"):
        from_rfc3339(text)
