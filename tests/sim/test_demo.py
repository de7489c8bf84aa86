"""``saferollout demo`` as a newcomer runs it, in faster motion: what it prints, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are counted in /proc")

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 85.0


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """The examples, in a world that runs twice as fast as the one that people watch."""
    folder = tmp_path / "examples"
    shutil.copytree(EXAMPLES, folder)
    world = folder / "world.yaml"
    assert "speed: 20" in world.read_text()
    world.write_text(world.read_text().replace("speed: 20", "speed: 40"))
    return folder


@asynccontextmanager
async def demo(examples: Path, scratch: Path) -> AsyncIterator[Process]:
    """Run the demo. Whatever it starts can be told by its directory for temporary files."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "saferollout", "demo", "--examples", str(examples)),
        stdout=PIPE,
        stderr=STDOUT,
        env=os.environ | {"TMPDIR": str(scratch), "COLUMNS": "80"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def left_behind(scratch: Path) -> dict[int, str]:
    """The processes that have the scratch directory in their environment, by id, as their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and f"TMPDIR={scratch}" in (folder / "environ").read_text():
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (OSError, UnicodeDecodeError):
            continue
    return found


def files(scratch: Path) -> list[str]:
    return [path.name for path in scratch.iterdir()]


async def read_until(process: Process, words: str) -> str:
    """Read what it prints up to and including the line with these words."""
    assert process.stdout is not None
    read = ""
    while words not in read:
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert line, f"it ended without {words!r}:\n{read}"
        read += line.decode()
    return read


async def the_rest(process: Process) -> str:
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return out.decode()


async def test_it_ends_with_the_difference_in_a_table_and_leaves_nothing_behind(
    examples: Path, tmp_path: Path
) -> None:
    async with demo(examples, tmp_path) as process:
        said = await the_rest(process)
    assert process.returncode == 0, said
    rows = {line[:30].strip(): line[30:].split(maxsplit=1) for line in said.splitlines()}
    assert rows["failed requests"][0] == "0"
    assert int(rows["failed requests"][1].replace(",", "")) > 100
    assert rows["seconds with an empty zone"][0] == "0.0"
    assert float(rows["seconds with an empty zone"][1]) > 0.5
    assert rows["fewest of 6 pods serving"] == ["6", "0"]
    assert rows["promises broken"][0] == "none"
    assert {"S1", "S2", "S4"} <= set(rows["promises broken"][1].split())
    assert "Idle  step 6/6" in said
    assert left_behind(tmp_path) == {}
    assert files(tmp_path) == ["examples"]


@pytest.mark.parametrize(
    ("number", "words", "processes"),
    [(signal.SIGTERM, "Applying", 3), (signal.SIGINT, "Progressing", 4)],
    ids=["SIGTERM at the start", "SIGINT in mid-rollout"],
)
async def test_a_signal_ends_everything(
    examples: Path, tmp_path: Path, number: signal.Signals, words: str, processes: int
) -> None:
    async with demo(examples, tmp_path) as process:
        await read_until(process, words)
        assert len(left_behind(tmp_path)) == processes
        process.send_signal(number)
        said = await the_rest(process)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert left_behind(tmp_path) == {}
    assert files(tmp_path) == ["examples"]


async def test_the_end_of_the_operator_ends_everything_with_a_sentence(
    examples: Path, tmp_path: Path
) -> None:
    async with demo(examples, tmp_path) as process:
        await read_until(process, "Progressing")
        (operator,) = (pid for pid, command in left_behind(tmp_path).items() if "saferollout run" in command)
        os.kill(operator, signal.SIGKILL)
        said = await the_rest(process)
    assert process.returncode == 3
    assert "error: the operator ended with status -9" in said
    assert left_behind(tmp_path) == {}


async def test_a_folder_without_manifests_ends_with_a_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    async with demo(empty, tmp_path) as process:
        said = await the_rest(process)
    assert process.returncode == 3
    assert "world.yaml" in said
    assert "Traceback" not in said
