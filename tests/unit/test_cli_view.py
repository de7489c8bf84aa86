"""The picture and the line, held against files. ``UPDATE_GOLDEN=1`` writes those anew, to be looked at."""

from __future__ import annotations

import io
import os
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from saferollout.api.status import Status
from saferollout.cli import view
from saferollout.cli.scene import Entry, Mark, PodState, Scene, Zone

GOLDEN = Path(__file__).parent / "golden"
NOW = 1767225642.0  # 2026-01-01T00:00:42Z

PROGRESSING: dict[str, Any] = {
    "phase": "Progressing",
    "reason": "WaitingForDrain",
    "message": "draining: 10.0.3.7:80 in web-tg",
    "waitingSince": "2026-01-01T00:00:00Z",
    "step": {"index": 3, "total": 10},
    "replicas": {"desired": 10, "updated": 3, "serving": 10, "draining": 1},
    "targetGroups": [
        {
            "name": "web-tg",
            "arn": "arn:1",
            "targetType": "ip",
            "healthy": 10,
            "initial": 1,
            "unhealthy": 0,
            "draining": 1,
        },
        {
            "name": "websecure-tg",
            "arn": "arn:2",
            "targetType": "ip",
            "healthy": 9,
            "initial": 2,
            "unhealthy": 0,
            "draining": 1,
        },
    ],
    "summary": {"step": "3/10", "updated": "3/10", "zones": "1a=4 1b=3 1c=3"},
}

SERVING, READY, STARTING, PENDING, LEAVING = PodState


def marks(*states: PodState, new: bool) -> tuple[Mark, ...]:
    return tuple(Mark(f"web-{number}", new, state) for number, state in enumerate(states))


def scene(status: dict[str, Any], *zones: Zone, **more: Any) -> Scene:
    return Scene("shop", "checkout", "checkout", Status.model_validate(status), zones, **more)


def rolling(**more: Any) -> Scene:
    old = marks(SERVING, SERVING, SERVING, new=False)
    zones = (
        Zone("(none yet)", marks(PENDING, new=True), 0, None),
        Zone("us-east-1a", (*old, *marks(SERVING, new=True)), 4, 1),
        Zone("us-east-1b", (*old, *marks(LEAVING, new=False), *marks(STARTING, new=True)), 3, 1),
        Zone("us-east-1c", (*old, *marks(READY, new=True)), 3, 1),
    )
    events = tuple(
        Entry(
            str(number),
            NOW - 50 + number,
            "SafeRollout",
            "StepReleased",
            f"step {number}/10",
            warning=number == 6,
        )
        for number in range(1, 7)
    )
    return scene(PROGRESSING, *zones, events=events, **more)


SCENES = {
    "progressing": rolling(),
    "stale": rolling(trouble="/api/v1/pods: connection refused"),
    "idle": scene(
        {
            "phase": "Idle",
            "reason": "Complete",
            "message": "revision 7bd59b994d is complete",
            "step": {"index": 10, "total": 10},
            "replicas": {"desired": 2, "updated": 2, "serving": 2, "draining": 0},
        },
        Zone("us-east-1a", marks(SERVING, SERVING, new=True), 2, None),
    ),
    "degraded": scene(
        {
            "phase": "Degraded",
            "reason": "DeploymentNotFound",
            "message": "there is no Deployment shop/checkout",
        }
    ),
    "unseen": scene({}),
    "hostile": scene(
        {"phase": "Holding", "reason": "ELBError", "message": "\x1b[2J\x1b]0;owned\x07[red]\u202e\n\r"}
    ),
}


def drawn(shown: Scene, *, symbols: view.Symbols = view.UNICODE, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view.picture(shown, NOW, symbols=symbols, zone=UTC))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(each.rstrip() for each in console.file.getvalue().splitlines()) + "\n"


def hold_against(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", SCENES)
def test_the_picture_is_the_one_on_file(name: str) -> None:
    hold_against(f"picture-{name}", drawn(SCENES[name]))


@pytest.mark.parametrize("name", SCENES)
def test_the_line_is_the_one_on_file(name: str) -> None:
    hold_against(f"line-{name}", view.line(SCENES[name]) + "\n")


def test_a_terminal_without_unicode_gets_ascii_marks() -> None:
    picture = drawn(SCENES["progressing"], symbols=view.ASCII)
    assert "###" in picture
    assert "●" not in picture


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    for text in (drawn(SCENES["hostile"]), view.line(SCENES["hostile"])):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\u202e" not in text
        assert "[red]" in text


def test_a_picture_keeps_within_its_terminal() -> None:
    for width in (60, 80, 120):
        assert max(len(each) for each in drawn(SCENES["progressing"], width=width).splitlines()) <= width


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0s"), (59.9, "59s"), (185, "3m05s"), (7810, "2h10m"), (442800, "5d3h"), (-3, "0s")],
)
def test_durations_are_written_as_people_do(seconds: float, written: str) -> None:
    assert view.duration(seconds) == written


def test_the_json_of_a_scene_says_where_every_pod_is() -> None:
    record = view.record(SCENES["progressing"])
    assert record["status"]["phase"] == "Progressing"
    assert record["done"] is False
    assert record["zones"][2]["marks"][3] == {"pod": "web-0", "new": False, "state": "leaving"}
