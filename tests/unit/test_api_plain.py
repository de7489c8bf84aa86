"""Hostile text, from wherever it may come, to wherever it may go: one plain line, and not too long."""

from __future__ import annotations

import io
import json
import logging
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from saferollout.api.plain import MOST_BYTES, MOST_QUOTED, message, plain, quoted
from saferollout.api.reasons import Reason
from saferollout.api.report import report, to_json
from saferollout.api.status import Status
from saferollout.cli import view
from saferollout.cli.scene import Entry, Scene
from saferollout.decide.decision import Decision, GroupCount, Picture
from saferollout.decide.memory import Memory
from saferollout.decide.observation import Problem
from saferollout.plainly import PlainLines

HOSTILE = (
    "two\nlines",
    "a\r\x1b[2Koverwritten",
    "\x1b]0;owned\x07",
    "\x9b31mred",
    "[bold red]markup[/]",
    "[link=https://evil]click[/link]",
    "\u202eright to left\u2066",
    "\u2028line\u2029paragraph",
    "zero\u200bwidth\ufeff",
    "\ud800",
    "\x00\x7f\x85",
)
hostile = st.sampled_from(HOSTILE) | st.text(max_size=60)


def is_plain(text: str) -> bool:
    return len(text.splitlines()) <= 1 and not any(unicodedata.category(each)[0] == "C" for each in text)


@given(st.text())
def test_whatever_is_made_plain_is_one_line_and_nothing_in_it_is_obeyed(text: str) -> None:
    made = plain(text)
    assert is_plain(made)
    assert len(made) == len(text)
    assert plain(made) == made


def test_what_people_write_stays_as_it_is() -> None:
    text = "10.0.1.4:80 draining in web-tg for 42 s - größer ≥ 3 проверка ⚠ 面 [red] <b> %s {x}"
    assert plain(text) == text


@given(st.text(max_size=3000))
@example("€" * 1000)
@example("x" * (MOST_BYTES + 1))
@example("\U0001f980" * 256)
def test_a_message_never_has_more_bytes_than_kubernetes_takes(text: str) -> None:
    made = message(text)
    assert len(made.encode()) <= MOST_BYTES
    assert is_plain(made)
    if len(plain(text).encode()) <= MOST_BYTES:
        assert made == plain(text)
    else:
        assert made.endswith("…")


@given(st.text(max_size=600))
def test_what_is_quoted_is_short_and_plain(text: str) -> None:
    made = quoted(text)
    assert len(made) <= MOST_QUOTED
    assert is_plain(made)


def strings_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [each for item in value.values() for each in strings_in(item)]
    if isinstance(value, list):
        return [each for item in value for each in strings_in(item)]
    return [value] if isinstance(value, str) else []


@given(hostile, hostile, hostile)
def test_a_status_tells_only_plain_text(said: str, wrong: str, name: str) -> None:
    groups = (GroupCount(name, "arn", name, "ip", 1, 0, 0, 0),)
    decision = Decision(Reason.ELB_ERROR, said, Memory(), Picture(groups=groups, foreign_costs=(name,)))
    problems = (Problem(Reason.ZONE_FLOOR, wrong), Problem(Reason.TARGET_GROUP_UNRESOLVED, wrong))
    told = report(decision, previous=Status(), problems=problems, generation=1, now=1000.0)
    for text in strings_in(to_json(told)):
        assert is_plain(text)
        assert len(text.encode()) <= MOST_BYTES


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_is_shown_hostile_text_as_it_is_written_and_obeys_none_of_it(text: str) -> None:
    status = Status.model_validate({"phase": text, "reason": text, "message": text})
    scene = Scene("shop", text, text, status, events=(Entry("1", 0.0, text, text, text, warning=True),))
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(view.picture(scene, 0.0))
    assert isinstance(console.file, io.StringIO)
    for line in (*console.file.getvalue().split("\n"), view.line(scene)):
        assert is_plain(line)
    assert plain(text) in console.file.getvalue()  # no markup of it was taken for markup
    assert json.dumps(view.record(scene)).isascii()


def logged(formatter: logging.Formatter, text: str) -> str:
    log, stream = logging.Logger("hostile"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(PlainLines())
    log.addHandler(handler)
    log.warning("%s: %s", "name", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("a turn failed")
    return stream.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_log_has_no_line_that_others_wrote(text: str) -> None:
    written = logged(logging.Formatter("[own] %(message)s"), text).encode(errors="replace").decode()
    lines = written.rstrip("\n").split("\n")
    assert all(map(is_plain, lines))
    assert [line[:6] for line in lines[:2]] == ["[own] ", "[own] "]
    assert lines[2] == "Traceback (most recent call last):"
    assert lines[-1] == f"ValueError: {plain(text)}"
    assert all(line.startswith(("    ", "  File ")) for line in lines[3:-1])
