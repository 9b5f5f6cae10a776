"""`knock run`: runs an answer's script, with the options of the script itself."""

import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace

from knock.errors import UserError

HELP = "run an answer: knock run ae --framework keras [options]"
TAKES_MORE = True
OWN_HELP = True


def add_arguments(parser: ArgumentParser) -> None:
    """Which answer; the rest are its options."""
    parser.add_argument("question", nargs="?", help="number or name")
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")


def run(found: Namespace, rest: list[str]) -> int:
    """Check the options, which needs no framework, then become the script."""
    from knock import frameworks
    from knock.questions import find
    from knock.training import look, options

    if found.question is None:
        if not {"-h", "--help"} & set(rest):
            raise UserError("which question? knock list shows them")
        print("usage: knock run QUESTION --framework FRAMEWORK [OPTIONS]")
        print("knock run QUESTION --help shows the question's options; knock list the questions")
        return 0
    question = find(found.question)
    framework = frameworks.find(question.framework(found.framework))
    program = f"knock run {question.name} --framework {framework.name}"
    if question.opens:
        look.parse(question, program, framework.name, rest)
    else:
        options.parse(question, program, rest)
    if framework.missing:
        raise UserError(frameworks.missing_line(framework))
    command = [sys.executable, str(question.answer(framework.name)), *rest]
    if os.name == "posix":
        os.execv(sys.executable, command)  # replaces this process, so that signals reach it
    return subprocess.run(command).returncode
