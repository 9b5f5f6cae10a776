"""Makes a student's text safe to show in a teacher's terminal, table or page."""

import unicodedata

_LONGEST = 600
"""Characters: our own messages have about two hundred, a student's could have millions."""

_LONGEST_NAME = 255
"""Characters: file systems have no longer names."""

_JOINERS = "\u200c\u200d"
"""Invisible, but part of names in Persian and Hindi."""


def plain(text: str) -> str:
    """The text with control characters escaped: a terminal would act on them.

    It is normalised (NFC), so that a letter has one code: macOS and Windows store an é differently.
    """
    return "".join(
        letter
        if letter.isprintable() or letter in _JOINERS
        else letter.encode("unicode_escape").decode()
        for letter in unicodedata.normalize("NFC", text)
    )


def name(text: str) -> str:
    """The same for a student's or a file's name, which in a zip file may be as long as a book."""
    line = plain(text[: 2 * _LONGEST_NAME])
    return line if len(line) <= _LONGEST_NAME else f"{line[:_LONGEST_NAME]}…"


def message(text: str) -> str:
    """The same for a message: one line, and not too long."""
    line = plain(" ".join(text[: 2 * _LONGEST].split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
