"""The one way down for a control plane: standard input ends, everything ends.

Run as a program, with a folder as its argument, it leads a process group that the parts of a control plane
are started into. When its standard input is closed, on purpose or because whoever held it is gone (an error,
Ctrl-C, even SIGKILL), the group is killed and the folder removed. Standard output is closed after that.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

PATIENCE = 10.0
"""Seconds in which a killed process must have stopped writing into the folder."""


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)


def main() -> None:
    """Wait for the end, and bring it to the others."""
    group = os.getpgrp()
    for nuisance in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(nuisance, signal.SIG_IGN)
    sys.stdin.read()
    if os.fork() == 0:
        os.setsid()  # out of the group that is about to be killed
        os.killpg(group, signal.SIGKILL)
        _remove(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
