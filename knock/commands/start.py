"""`knock start`: an answer of one's own, begun."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file

HELP = "begin an answer of your own: ours, with its parts left to you"


def add_arguments(parser: ArgumentParser) -> None:
    """What is begun, and where."""
    parser.add_argument("--force", action="store_true", help="keep the old file under a new name")
    add_which(parser)


def add_which(parser: ArgumentParser) -> None:
    """Which answer, and its file; `knock reset` takes the same."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument("--out", type=file, metavar="FILE", help="(my/NAME_FRAMEWORK.py)")


def run(found: Namespace, rest: list[str]) -> int:
    """Write the starter, and say what to do with it."""
    from knock.learner import answers

    print(answers.begin(found.question, found.framework, found.out, found.force))
    return 0
