"""`knock check`: is an answer right, part by part?"""

import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, NoReturn

from knock import paths
from knock.arguments import file
from knock.errors import UserError

if TYPE_CHECKING:
    from knock.questions import Question

HELP = "check an answer part by part, on small sizes"


def add_arguments(parser: ArgumentParser) -> None:
    """Which answer, whose, with which numbers."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("file", nargs="?", type=file, help="else what you began or checked last")
    parser.add_argument("--framework", "-f", help="in this one; else read off the file's name")
    parser.add_argument("--ours", action="store_true", help="our answer, in one framework or all")
    parser.add_argument("--seed", type=int, default=0, help="other weights and batches")


def run(found: Namespace, rest: list[str]) -> int:
    """Check one answer; 0 when all of it passed, 1 otherwise.

    Without a file it is the learner's own, which `knock start` or an earlier check knows; where
    there is none, or with `--ours`, it is ours in every installed framework.
    """
    from unittest import mock

    from knock import check, frameworks
    from knock.check import parts, report
    from knock.learner import answers, progress
    from knock.questions import find

    question, framework, file, seed = find(found.question), found.framework, found.file, found.seed
    if found.ours and file is not None:
        raise UserError(f"either --ours or {file}, not both")
    if not found.ours and file is None:
        framework, file = answers.known(question, framework) or (framework, None)
    if framework is None and file is not None:
        framework = frameworks.of_file(file)
    if framework is None:
        return _all(question, seed)
    title = f"{question.label} in {frameworks.find(framework).title}: "
    if file is None or file.resolve().parent == paths.ANSWERS:
        results = check.check(question, framework, file, seed)
        shown = file or question.answer(framework).name
        print(f"{title}{shown}", report.table(results), sep="\n")
        return 0 if all(one.status != "failed" for one in results) else 1
    before = progress.digest(file)  # it may be saved again while it is being checked
    with mock.patch.object(os, "_exit", _leave):
        seen = parts.look(question, framework, file, seed)
    print(f"{title}{file}", report.lines(seen), sep="\n")
    if seen.results is not None:
        print("", report.table(seen.results), sep="\n")
    passed = before if seen.passed else ""
    progress.checked(question, framework, file, seen.done, passed, *seen.at)
    return 0 if seen.passed else 1


def _leave(code: int) -> NoReturn:
    """In the place of `os._exit`, with which a file would end its check, and choose its result."""
    raise SystemExit(code)


def _all(question: "Question", seed: int) -> int:
    """Every installed framework, each in a process of its own, as a user would run it."""
    from knock import frameworks

    names = [name for name in frameworks.installed() if name in question.answered_in]
    if not names:
        raise UserError("no framework is installed; knock doctor says how to get one")
    codes = []
    for name in names:
        words = ["check", question.name, "--ours", "--framework", name, "--seed", str(seed)]
        codes.append(subprocess.run([sys.executable, "-P", "-m", "knock", *words]).returncode)
    return max(codes)
