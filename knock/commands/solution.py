"""`knock solution`: shows our answer to those who have found their own, or give up."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from knock.arguments import file
from knock.errors import UserError, print_error

if TYPE_CHECKING:
    from knock.questions import Question

HELP = "show our answer, once yours passes"


def add_arguments(parser: ArgumentParser) -> None:
    """Which question, and the learner's own answer."""
    parser.add_argument(
        "question", nargs="?", help="number or name; without it, what you began or checked last"
    )
    parser.add_argument(
        "file", nargs="?", type=file, help="your answer (default: the one begun or checked last)"
    )
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument("--give-up", action="store_true", help="show ours without a check of yours")


def run(found: Namespace, rest: list[str]) -> int:
    """Print our answer once every part of the learner's passes, or at once with `--give-up`.

    A file that has not changed since it passed is not checked again. Without `--framework` it is
    the one in the file's name; without a file, it is the learner's last one. Returns 1 if something
    has not passed. Raises UserError if there is nothing to check.
    """
    from knock import frameworks
    from knock.learner import answers, in_hand

    question, framework, path = in_hand.meant(found.question, found.framework, found.file)
    if path is not None:
        framework = question.framework(framework or frameworks.of_file(path))
    elif (known := answers.known(question, framework)) is not None:
        framework, path = known
    else:
        framework = question.framework(framework)
        path = answers.file_of(question, framework)
    if not found.give_up:
        if not path.is_file():
            raise UserError(
                f"no file {path} to check; begin one with knock start {question.name}, or use "
                "--give-up to see our answer"
            )
        if failed := _failed(question, framework, path):
            why = answers.shortest_check(question, framework, path)
            print_error(
                f"{path} has not passed yet ({', '.join(failed)}); {why} says why, and --give-up "
                "shows our answer anyway"
            )
            return 1
    print(question.answer(framework).read_text(encoding="utf-8"), end="")
    return 0


def _failed(question: "Question", framework: str, path: Path) -> list[str]:
    """The names of the stages of a check that fail."""
    from knock.learner import progress

    if progress.passes(question, framework, path):
        return []
    from knock.check.judge import check  # a large import, which is not always needed

    return [one.name for one in check(question, framework, path) if one.status == "failed"]
