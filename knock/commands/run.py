"""`knock run`: runs an answer's script, ours or a learner's, with the options of the script."""

import argparse
import os
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from knock.arguments import OneLineParser
from knock.errors import UserError

if TYPE_CHECKING:
    from knock.questions import Question

HELP = "run an answer, ours or --mine: knock run ae --framework keras [options]"
TAKES_MORE = True
OWN_HELP = True

_MOST_SEEDS = 1000


def add_arguments(parser: ArgumentParser) -> None:
    """Which answer; the rest are its options."""
    parser.add_argument("question", nargs="?", help="number or name")
    _add_own(parser)


def _add_own(parser: ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--framework", "-f", help="pytorch, tensorflow, keras or chainer (the first installed)"
    )
    parser.add_argument(
        "--mine",
        action="store_true",
        help="your own answer, as you began or checked it last; or name your file",
    )
    parser.add_argument(
        "--seeds",
        type=_count,
        metavar="N",
        help="N runs, one after the other, that differ in their seed: from --seed on (one run)",
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Check the options, which needs no framework, then become the script."""
    from knock import frameworks
    from knock.questions import find

    if found.question is None:
        if not {"-h", "--help"} & set(rest):
            raise UserError("which question? knock list shows them")
        print("usage: knock run QUESTION [FILE] [--framework FRAMEWORK] [OPTIONS]")
        print("knock run QUESTION --help shows the question's options; knock list the questions")
        return 0
    question = find(found.question)
    if {"-h", "--help"} & set(rest):
        _help(question)
        return 0
    file, words = _without_file(question, rest)
    name, script = _script(question, found, file)
    _check(question, name, words)
    if name is not None and (framework := frameworks.find(name)).missing:
        raise UserError(frameworks.missing_line(framework))
    if found.seeds is not None:
        return _several(question, name, script, words, found.seeds)
    command = [sys.executable, str(script), *words]
    if os.name == "posix":
        os.execv(sys.executable, command)  # replaces this process, so that signals reach it
    return subprocess.run(command).returncode


def _parser(question: "Question") -> OneLineParser:
    from knock.training import look, options

    program = f"knock run {question.name}"
    return look.parser(question, program) if question.opens else options.parser(question, program)


def _help(question: "Question") -> None:
    made = _parser(question)
    _add_own(made.add_argument_group("whose answer, and how often"))
    made.add_argument("file", nargs="?", metavar="FILE", help="your own answer")
    made.print_help()


def _check(question: "Question", framework: str | None, words: list[str]) -> None:
    """Raise UserError for options that the script would refuse, before a framework is imported."""
    from knock.training import look, options

    program = f"knock run {question.name}"
    if question.opens:
        look.parse(question, program, framework or "", words)
    else:
        options.parse(question, program, words)


def _without_file(question: "Question", rest: list[str]) -> tuple[Path | None, list[str]]:
    """The file among the words, if there is one, and the words without it."""
    _, left = _parser(question).parse_known_args(rest)
    if len(left) != 1 or left[0].startswith("-"):
        return None, rest
    place = 0 if rest[0] == left[0] else len(rest) - 1 - rest[::-1].index(left[0])
    return Path(left[0]), [*rest[:place], *rest[place + 1 :]]


def _script(question: "Question", found: Namespace, file: Path | None) -> tuple[str | None, Path]:
    """The framework, None where nothing says it, and the file that is to run."""
    from knock import frameworks
    from knock.learner import answers, trained

    name: str | None
    if found.mine and file is not None:
        raise UserError(f"either --mine or {file}, not both")
    if found.mine:
        name, file = answers.remembered(question, found.framework)
    elif file is not None:
        named = frameworks.in_name(file)
        name = found.framework or named
        if named not in (None, name):
            raise UserError(f"{file} is in {named}, not in {name}; leave --framework out")
    else:
        name = question.framework(found.framework)
        return name, question.answer(name)
    trained.require_trains(question, file)
    return name, file


def _several(
    question: "Question", framework: str | None, script: Path, words: list[str], count: int
) -> int:
    """Train with several seeds, one after the other; the exit code of the last run."""
    from knock.files import free
    from knock.paths import RUNS
    from knock.training import options, started, whose

    if question.opens:
        raise UserError(f"question {question.label} trains nothing, so --seeds is not for it")
    said = options.parse(question, f"knock run {question.name}", words)
    if said.test or (said.resume and (said.resume != options.LAST or not said.out)):
        raise UserError("--seeds goes with no --test, and with --resume only where --out says what")
    name = whose.folder_name(question.name, framework or "", whose.of_script(script))
    first, folders = said.seed or 0, []
    for seed in range(first, first + count):
        folder = said.out / f"seed_{seed}" if said.out else free(RUNS / name)
        code = started.run(script, [*words, "--seed", str(seed), "--out", str(folder)])
        if code:
            return code
        folders.append(str(folder))
    if count > 1:
        print(f"Side by side: {shlex.join(['knock', 'compare', *folders])}")
    return 0


def _count(word: str) -> int:
    if not (word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= _MOST_SEEDS):
        raise argparse.ArgumentTypeError(f"must be from 1 to {_MOST_SEEDS}, not {word!r}")
    return int(word)
