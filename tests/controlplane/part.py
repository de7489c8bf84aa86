"""One process of a control plane."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


class StartError(Exception):
    """A part of the control plane did not come up. The message ends with what it logged last."""


@dataclass(slots=True)
class Part:
    """One process of the control plane, which may be stopped and started again with the same data."""

    name: str
    command: list[str | Path]
    log: Path
    group: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, into the group that ends with the control plane."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - the binaries are ours
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=self.group
            )

    def kill(self) -> None:
        """End the process by SIGKILL. Harmless when it has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def fail_if_ended(self) -> None:
        """Raise `StartError` if the process is not running."""
        if self.process is None or self.process.poll() is not None:
            raise StartError(f"{self.name} ended:\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the end of what the process logged."""
        return self.log.read_text(errors="replace")[-3000:]
