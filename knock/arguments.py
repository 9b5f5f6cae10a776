"""Reading a command line: a parser with one-line errors, and the types of its arguments."""

import argparse
import os
import re
from collections.abc import Callable
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
    return Path(at_home(word(text)))


def at_home(text: str) -> str:
    """A path in an argument, or a word: `~/x` becomes what it means.

    A shell does so too, but not after an equals sign or within quotes. A user without a home, as in
    some containers, keeps the text.
    """
    return os.path.expanduser(text) if text.startswith("~") else text


def place(text: str) -> str:
    """A run in an argument: its path, or a word that means one."""
    return at_home(printable(text))


def printable(text: str) -> str:
    """An argument that is printed, or written into a file. Refuses bytes that are not text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"must be text in UTF-8, not {text!r}") from None
    return word(text)


def file(text: str) -> Path:
    """A path in an argument that is printed, or written into a file."""
    return Path(at_home(printable(text)))


def positive(text: str) -> int:
    """A whole number of at least 1 in an argument."""
    value = int(text) if re.fullmatch("[+-]?[0-9]{1,18}", text) else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return value


def up_to(most: int) -> Callable[[str], int]:
    """The type of a whole number from 1 to `most` in an argument."""

    def count(text: str) -> int:
        value = positive(text)
        if value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}, not {text!r}")
        return value

    return count


def seed(text: str) -> int:
    """A seed in an argument: a whole number of at least 0."""
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, not {text!r}")
    return int(text)


def device(text: str) -> str:
    """What to compute on: `auto`, `cpu`, `cuda`, one of several as `cuda:1`, or `mps`."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"must be auto, cpu, cuda, cuda:1 or mps, not {text!r}")
    return text


def add_device(parser: argparse._ActionsContainer) -> None:
    """Add the option that says on what to compute."""
    parser.add_argument(
        "--device",
        type=device,
        default="auto",
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:1 … or, in PyTorch on a Mac, mps (auto: CUDA if there is one)",
    )
