"""Reading a command line: a parser with one-line errors, and the types of its arguments."""

import argparse
from pathlib import Path
from typing import NoReturn

from knock.errors import UserError


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others here."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError; argparse itself would print the usage and exit."""
        raise UserError(f"{message} (see --help)")


def word(text: str) -> str:
    """The text of an argument. Refuses an empty one."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def folder(text: str) -> Path:
    """The path in an argument. Refuses an empty one, which would mean the current folder."""
    return Path(word(text))


def printable(text: str) -> str:
    """An argument that is printed, or written into a file. Refuses bytes that are not text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"must be text in UTF-8, not {text!r}") from None
    return word(text)


def file(text: str) -> Path:
    """A path in an argument that is printed, or written into a file."""
    return Path(printable(text))
