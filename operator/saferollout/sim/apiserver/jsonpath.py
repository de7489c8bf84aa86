"""The part of JSONPath that printer columns use: fields, indices, ``[*]`` and ``[?(@.type=="Ready")]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\\])+)
      | \[(?P<index>-?\d+)\]
      | (?P<all>\[\*\])
      | \[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]
      | \[\?\(\s*@\.(?P<path>[\w.\-]+)\s*==\s*(?P<q>['"])(?P<value>.*?)(?P=q)\s*\)\]""",
    re.VERBOSE,
)

Step = Callable[[Any], Iterable[Any]]


def compile_path(written: str) -> Callable[[Any], list[Any]]:
    """Return the function that finds all values at a path such as ``.status.replicas.updated``.

    Raises:
        ValueError: It is more than is understood here.
    """
    steps: list[Step] = []
    position = 0
    while position < len(written):
        match = _STEP.match(written, position)
        if match is None:
            raise ValueError(f"not understood in JSONPath {written!r}: {written[position:]!r}")
        steps.append(_step(match))
        position = match.end()

    def find(obj: Any) -> list[Any]:
        found = [obj]
        for step in steps:
            found = [each for value in found for each in step(value)]
        return found

    return find


def _step(match: re.Match[str]) -> Step:
    if match["field"] is not None:
        name = re.sub(r"\\(.)", r"\1", match["field"])
        return lambda value: _member(value, name)
    if match["quoted"] is not None:
        quoted = match["quoted"]
        return lambda value: _member(value, quoted)
    if match["index"] is not None:
        index = int(match["index"])
        return lambda value: _item(value, index)
    if match["all"] is not None:
        return _all
    path, wanted = match["path"].split("."), match["value"]
    return lambda value: [each for each in _all(value) if _text(each, path) == wanted]


def _member(value: Any, name: str) -> list[Any]:
    return [value[name]] if isinstance(value, dict) and name in value else []


def _item(value: Any, index: int) -> list[Any]:
    return [value[index]] if isinstance(value, list) and -len(value) <= index < len(value) else []


def _all(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _text(value: Any, path: list[str]) -> str | None:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else str(value)
