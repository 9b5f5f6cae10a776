"""`knock start`: begins a learner's own answer."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file

HELP = "begin your own answer: our file, with its parts left for you to write"


def add_arguments(parser: ArgumentParser) -> None:
    """Which answer, where it goes, and what happens to an old file."""
    parser.add_argument("--force", action="store_true", help="keep the old file under a new name")
    add_which(parser)


def add_which(parser: ArgumentParser) -> None:
    """Which answer, and its file; `knock reset` has the same arguments."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument(
        "--out", type=file, metavar="FILE", help="the new file (default: my/NAME_FRAMEWORK.py)"
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Write the starter, and print what to do with it."""
    from knock.learner import answers

    print(answers.begin(found.question, found.framework, found.out, found.force))
    return 0
