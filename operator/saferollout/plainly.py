"""Keeps what others wrote from forging lines of the log, or steering the terminal that shows it."""

from __future__ import annotations

import logging
import traceback

from saferollout.api.plain import plain


class PlainLines(logging.Filter):
    """Makes every record one plain line. A traceback keeps its lines, and an error's own words take one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        record.msg, record.args = plain(record.getMessage()), None
        if record.exc_info and record.exc_info[1] is not None:
            chunks = traceback.format_exception(record.exc_info[1])
            record.exc_text = "\n".join(line for chunk in chunks for line in _lines(chunk))
        return True


_PLAIN_LINES = PlainLines()


def log_plainly() -> None:
    """Have all that is logged from now on in plain lines. Doing it twice is doing it once."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_PLAIN_LINES)


def _lines(chunk: str) -> list[str]:
    """The lines of a frame, which are of our own code; anything else is one line."""
    whole = chunk.rstrip("\n")
    return [plain(line) for line in (whole.split("\n") if whole.startswith("  File ") else [whole])]
