"""What a student wrote, before a teacher's terminal, table or page shows it."""

import unicodedata

_LONGEST = 600
"""Signs: ours have two hundred, and a student's could have millions."""

_JOINERS = "\u200c\u200d"
"""Invisible, but part of names in Persian and Hindi."""


def plain(text: str) -> str:
    """The text with every sign escaped that is not to be seen, but obeyed: by a terminal, say.

    It is in the form in which one sign has one code: macOS and Windows spell an é differently.
    """
    return "".join(
        sign if sign.isprintable() or sign in _JOINERS else sign.encode("unicode_escape").decode()
        for sign in unicodedata.normalize("NFC", text)
    )


def message(text: str) -> str:
    """The same for a message: in one line, and not too long."""
    line = plain(" ".join(text[: 2 * _LONGEST].split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
