"""Text that others wrote, made safe to pass on: in Events, in a status, in a log, on a terminal."""

from __future__ import annotations

import unicodedata

MOST_BYTES = 1024
"""Bytes of an Event's or a condition's message: what Kubernetes takes as the note of an Event, and enough."""

MOST_ADVISED = 2048
"""Bytes of a condition's message that is the operator's own words, with names in it."""

MOST_QUOTED = 240
"""Characters that are quoted of what AWS says of one thing: it may write a thousand."""

_MORE = "…"
_BREAKS = frozenset({"Zl", "Zp"})


def plain(text: str) -> str:
    """Make it one line with nothing in it that a terminal or a reader of lines would obey.

    Control characters (line breaks and escapes are such), characters that turn the direction of writing or
    are not seen, surrogates, and what Unicode has not assigned (all of category C) are a space each; line and
    paragraph separators too.
    """
    if text.isascii() and text.isprintable():
        return text  # as nearly every one is, and there are many
    return "".join(" " if _is_obeyed(each) else each for each in text)


def shortened_to(most: int, text: str) -> str:
    """Cut text that has more than so many characters, and show that it was cut."""
    return text if len(text) <= most else text[: most - 1] + _MORE


def message(text: str, most: int = MOST_BYTES) -> str:
    """Make it plain, and so many bytes in UTF-8 at the most: what Kubernetes counts are bytes."""
    written = plain(text).encode()
    if len(written) <= most:
        return written.decode()
    return written[: most - len(_MORE.encode())].decode(errors="ignore") + _MORE


def quoted(text: str) -> str:
    """Make what AWS says of one thing plain, and `MOST_QUOTED` characters at the most."""
    return shortened_to(MOST_QUOTED, plain(text))


def _is_obeyed(each: str) -> bool:
    category = unicodedata.category(each)
    return category[0] == "C" or category in _BREAKS
