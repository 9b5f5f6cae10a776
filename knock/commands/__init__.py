"""The commands of `knock`: a module for each, which is named like its word on the command line.

A module has `HELP`, its line in `knock --help`; `add_arguments`, which adds its words to a parser;
and `run`, which does the work and returns an exit code. It imports within `run` what its command
needs, so that `knock --help`, which reads all of these modules, answers at once. Three more names
are needed by a few: `TAKES_MORE`, where words that the parser does not know are passed on to `run`;
`OWN_HELP`, where `--help` is among them; and `refused`, a function of the words and the UserError,
which is called for words that the command cannot take, before the error is reported as usual.
"""

from argparse import ArgumentParser, Namespace
from typing import Protocol


class Command(Protocol):
    """What a module of this package offers."""

    HELP: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of the command."""

    def run(self, found: Namespace, rest: list[str]) -> int:
        """Do it; 0 if done, 1 if a check or test failed. Raises UserError for bad input."""
