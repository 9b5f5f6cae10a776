"""Reading a command line: a parser whose errors are one line, and the types of its words."""

import argparse
from pathlib import Path
from typing import NoReturn

from knock.errors import UserError


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, like everybody else's here."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError; argparse would print the usage and leave."""
        raise UserError(f"{message} (see --help)")


def word(text: str) -> str:
    """An option's text. Refuses an empty one."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def folder(text: str) -> Path:
    """An option's path. Refuses an empty one, which would mean the folder one is in."""
    return Path(word(text))


def printable(text: str) -> str:
    """An option's text that is printed, or written into a file. Refuses bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"must be text in UTF-8, not {text!r}") from None
    return word(text)


def file(text: str) -> Path:
    """An option's path that is printed, or written into a file."""
    return Path(printable(text))
