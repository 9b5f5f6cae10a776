"""What may come next on a command line, for a shell that completes words with the Tab key.

The shell calls `knock` with the line so far in environment variables; argcomplete reads them and
answers, from a parser. It gets one that fits the words which are there, so that no more is imported
than they need, and never a framework.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from knock import cli, frameworks, recipe
from knock.arguments import OneLineParser
from knock.errors import UserError
from knock.paths import RUNS
from knock.questions import Question, all_questions, find
from knock.recipe import settings
from knock.scripts import notebook

import argcomplete
from argcomplete.completers import BaseCompleter
from argcomplete.lexers import split_line

ASKED = "_ARGCOMPLETE"
"""The variable that a shell sets to ask: the number of the word with which the parser begins."""

_RECORD = "run.json"  # of training.record, which takes too long to import


def answer(**more: Any) -> None:
    """Tell the shell what may come next, and exit. `more` is for `argcomplete.autocomplete`."""
    words = split_line(os.environ["COMP_LINE"], int(os.environ["COMP_POINT"]))[3]
    _program, *finished = words
    if finished and finished[0] in cli.names():
        os.environ[ASKED] = "2"
        made = _of_command(*finished)
    else:
        made = _of_all()
    argcomplete.autocomplete(
        made, always_complete_options=False, default_completer=_Files(), **more
    )


def _of_all() -> OneLineParser:
    """The parser of the first word: which commands there are, and what each does."""
    made = OneLineParser(prog="knock")
    made.add_argument("--version", action="store_true", help="say the version")
    commands = made.add_subparsers()
    for name in cli.names():
        commands.add_parser(name, help=cli.load(name).HELP)
    return made


def _of_command(name: str, *words: str) -> OneLineParser:
    """The parser of a command; where it takes the options of a run, those of its question, too."""
    made = cli.parser(name)
    question = _question_in(words)
    if question is not None and getattr(cli.load(name), "TAKES_MORE", False):
        if question.opens:
            from knock.training.look import parser
        else:
            from knock.training.options import parser  # quicker than `look`, which needs NumPy
        there = {option for action in made._actions for option in action.option_strings}
        for action in parser(question, name)._actions:
            if there.isdisjoint(action.option_strings):
                made._add_action(action)
    _name_the_values(made, question)
    return made


def _question_in(words: Iterable[str]) -> Question | None:
    """The first word that names a question."""
    for word in words:
        try:
            return find(word)
        except UserError:
            continue
    return None


def _name_the_values(parser: OneLineParser, question: Question | None) -> None:
    """Give each argument with known values a completer, by the name of the argument."""
    values: dict[str, Callable[[], Iterable[str]]] = {
        "question": _questions,
        "what": lambda: [*_questions(), *_runs()],
        "questions": _questions,
        "framework": lambda: frameworks.FRAMEWORKS,
        "A": lambda: frameworks.FRAMEWORKS,
        "B": lambda: frameworks.FRAMEWORKS,
        "dataset": lambda: _tables(question, "data"),
        "preset": lambda: _tables(question, "presets"),
        "device": lambda: ("auto", "cpu", "cuda", "mps"),
        "part": lambda: _parts(question),
        "set": lambda: _keys(question),
        "level": lambda: "123",
        **dict.fromkeys(("run", "runs", "resume", "test", "init", "checkpoint"), _runs),
    }
    for action in parser._actions:
        if action.dest == "file":
            action.completer = _Files(".py", notebook.SUFFIX)  # type: ignore[attr-defined]
        elif action.dest == "frameworks":
            action.completer = _several  # type: ignore[attr-defined]
        elif action.dest in values and not action.choices:
            action.completer = _giving(values[action.dest])  # type: ignore[attr-defined]


def _giving(values: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    return lambda **_: list(values())


def _several(prefix: str, **_: Any) -> list[str]:
    """One more framework after those that stand before the last comma."""
    given, comma, _begun = prefix.rpartition(",")
    rest = [name for name in frameworks.FRAMEWORKS if name not in given.split(",")]
    return [f"{given}{comma}{name}" for name in rest]


class _Files(BaseCompleter):
    """Files, and folders with a slash. argcomplete's own way needs bash, which Windows has not."""

    def __init__(self, *endings: str) -> None:
        """All files, or only those with certain endings."""
        self.endings = endings

    def __call__(self, prefix: str, **_: Any) -> list[str]:
        """Those that begin with `prefix`."""
        folder, begun = os.path.split(prefix)
        try:
            found = sorted(Path(folder or ".").expanduser().iterdir())
        except OSError:
            return []
        return [
            os.path.join(folder, one.name) + ("/" if one.is_dir() else "")
            for one in found
            if one.name.startswith(begun) and (begun or not one.name.startswith("."))
            if one.is_dir() or not self.endings or one.suffix in self.endings
        ]


def _questions() -> list[str]:
    return [question.name for question in all_questions()]


def _parts(question: Question | None) -> list[str]:
    """The parts of a question, or of the one in hand."""
    if question is None:
        from knock.learner import in_hand

        try:
            question, _, _ = in_hand.last(None)
        except UserError:
            return ["all"]
    return [*question.parts, "all"]


def _keys(question: Question | None) -> list[str]:
    """What `--set` may change in a question's recipe, each with the sign before its value."""
    if question is None:
        return []
    return [f"{key}=" for key in settings.names(recipe.read(question.recipe_file))]


def _runs() -> list[str]:
    """The folders of runs, also those of `knock compare`, which are one level further down."""
    found = [file.parent for depth in ("*", "*/*") for file in RUNS.glob(f"{depth}/{_RECORD}")]
    return [str(folder) for folder in sorted(found)]


def _tables(question: Question | None, key: str) -> Iterable[str]:
    """The names of a recipe's data sets or presets; without a question, those of all recipes."""
    asked = [question] if question else all_questions()
    return dict.fromkeys(
        name for one in asked for name in recipe.read(one.recipe_file).get(key, {})
    )
