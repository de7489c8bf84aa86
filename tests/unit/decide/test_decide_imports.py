"""``decide`` is pure: nothing that it reaches talks to anybody, or asks what time it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import saferollout

ROOT = Path(saferollout.__file__).parent

FORBIDDEN = {
    "kopf": "the framework",
    "kubernetes": "a cluster",
    "boto3": "AWS",
    "botocore": "AWS",
    "aiohttp": "the network",
    "socket": "the network",
    "asyncio": "waiting",
    "threading": "waiting",
    "time": "a clock",
    "random": "chance",
    "uuid": "chance",
    "os": "the environment",
    "logging": "the outside",
    "prometheus_client": "the outside",
}
CLOCKS = {"now", "utcnow", "today"}


def modules_reached() -> dict[str, ast.Module]:
    """Every module of ``saferollout.decide`` and of saferollout that they import, by name."""
    found: dict[str, ast.Module] = {}
    waiting = [f"saferollout.decide.{path.stem}" for path in (ROOT / "decide").glob("*.py")]
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split(".")[1:])
        file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        if name in found or not file.exists():
            continue
        found[name] = ast.parse(file.read_text())
        waiting += [each for each in imported(found[name]) if each.startswith("saferollout.")]
    return found


def imported(module: ast.Module) -> Iterator[str]:
    """Names of modules that are imported, and of what is imported from them: it may be a module too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_walk_follows_imports_out_of_decide() -> None:
    reached = modules_reached()
    assert {
        "saferollout.decide.phases",
        "saferollout.api.reasons",
        "saferollout.api.quantities",
    } <= reached.keys()


def test_nothing_that_decide_reaches_talks_to_anybody() -> None:
    for name, module in modules_reached().items():
        reaches = {each.split(".")[0] for each in imported(module)}
        assert reaches & FORBIDDEN.keys() == set(), name


def test_nothing_that_decide_reaches_reads_a_clock() -> None:
    for name, module in modules_reached().items():
        read = {node.attr for node in ast.walk(module) if isinstance(node, ast.Attribute)}
        calls = {
            node.func.attr
            for node in ast.walk(module)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert read.isdisjoint({"perf_counter", "monotonic", "utcnow"}), name
        assert calls.isdisjoint(CLOCKS), name


def test_decide_keeps_nothing_between_two_decisions() -> None:
    for name, module in modules_reached().items():
        if name.startswith("saferollout.decide"):
            kept = [node for node in ast.walk(module) if isinstance(node, ast.Global | ast.Nonlocal)]
            assert kept == [], name
