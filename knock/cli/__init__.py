"""The command line `knock`: finds the command, and parses its arguments.

Each command is a module of `knock.commands`, and only the needed one is imported.
"""

import argparse
import difflib
import importlib
import sys
import textwrap
from collections.abc import Sequence
from typing import NoReturn, cast

from knock import __version__
from knock.arguments import OneLineParser
from knock.commands import Command
from knock.errors import UserError, exit_with

COMMANDS = {
    "learn": [
        *("list", "start", "reset", "check", "watch", "hint"),
        *("next", "progress", "solution", "diff", "notebook"),
    ],
    "train": [
        *("run", "runs", "compare", "sweep", "score", "sample", "apply", "explore"),
        *("standalone", "data", "doctor"),
    ],
    "teach": ["grade"],
    "author": ["verify", "test"],
}
"""The commands, by their users."""

_FOR = {
    "learn": "Learn: write your own answers",
    "train": "Train: run the answers, and look at their pictures",
    "teach": "Teach: grade a class",
    "author": "Author: add a question, or change the project",
}
_WIDTH = 100
_BEGIN = "New here? knock next says what to do first."
_MEANT = {
    **dict.fromkeys(("train", "fit"), "run"),
    **dict.fromkeys(("ls", "history"), "runs"),
    **dict.fromkeys(("begin", "new", "init"), "start"),
    **dict.fromkeys(("eval", "evaluate", "measure"), "score"),
    **dict.fromkeys(("generate", "make"), "sample"),
    **dict.fromkeys(("questions", "show"), "list"),
    **dict.fromkeys(("answer", "solve"), "solution"),
}
"""Words of other programs, and the commands that do this here."""


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit: 0 done, 1 a check or test failed, 2 bad input, 130 stopped."""

    def do() -> int:
        command, found, rest = parse(sys.argv[1:] if words is None else words)
        return command.run(found, rest)

    exit_with(do)


def parse(words: Sequence[str]) -> tuple[Command, argparse.Namespace, list[str]]:
    """A command, its parsed arguments, and those that it passes on.

    Raises UserError for unknown commands and wrong arguments; exits after `--help` and `--version`,
    and without words, after all commands have been shown.
    """
    if not words:
        print(f"{overview()}\n\n{_BEGIN}", file=sys.stderr)
        raise SystemExit(2)
    name, *others = words
    if name in ("-h", "--help"):
        print(overview())
        raise SystemExit(0)
    if name == "--version":
        print(f"knock {__version__}")
        raise SystemExit(0)
    command = load(name)
    made = parser(name)
    try:
        if getattr(command, "TAKES_MORE", False):
            found, rest = made.parse_known_args(others)
        else:  # options may stand before a file, too
            found, rest = made.parse_known_intermixed_args(others)
            if rest:
                raise UserError(f"unknown option {rest[0]!r} (see knock {name} --help)")
    except UserError as error:
        if hasattr(command, "refused"):
            command.refused(others, error)
        raise
    return command, found, rest


def parser(name: str) -> OneLineParser:
    """The parser of one command. Raises UserError for an unknown one."""
    command = load(name)
    made = OneLineParser(
        prog=f"knock {name}",
        description=command.HELP,
        allow_abbrev=False,
        add_help=not getattr(command, "OWN_HELP", False),
    )
    command.add_arguments(made)
    return made


def names() -> list[str]:
    """Every command, in the order shown."""
    return [name for group in COMMANDS.values() for name in group]


def load(name: str) -> Command:
    """The module of a command. Raises UserError for an unknown one, with the one that is meant."""
    known = names()
    if name not in known:
        if name.startswith("-"):
            raise UserError(f"unknown option {name!r} (see knock --help)")
        near = [_MEANT.get(name), *difflib.get_close_matches(name, known, n=1)]
        guess = next((f"; did you mean {one!r}?" for one in near if one in known), "")
        raise UserError(f"no command {name!r}{guess} (see knock --help)")
    return cast(Command, importlib.import_module(f"knock.commands.{name}"))


def overview() -> str:
    """What `knock --help` prints: every command, in groups."""
    lines = [
        "usage: knock COMMAND [OPTIONS]",
        "",
        *textwrap.wrap(
            "Learn image generation by doing: numbered questions, answered in PyTorch, TensorFlow, "
            "Keras and Chainer.",
            _WIDTH,
        ),
    ]
    for group, commands in COMMANDS.items():
        lines += ["", _FOR[group], *(f"  {name:<10} {load(name).HELP}" for name in commands)]
    lines += [
        "",
        "knock COMMAND --help shows the options of one command; knock --version the version.",
    ]
    return "\n".join(lines)
