"""`knock hint`: help with a question, level by level."""

from argparse import ArgumentParser, Namespace

HELP = "help with a question, level by level"


def add_arguments(parser: ArgumentParser) -> None:
    """Help with what, and how much of it."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("--level", type=int, default=1, metavar="N", help="1, a nudge, to 3")
    parser.add_argument("--part", metavar="NAME", help="of this part, or all; else where you are")
    parser.add_argument("--framework", "-f", help="in this one; else in the one you used last")


def run(found: Namespace, rest: list[str]) -> int:
    """Print one level of help."""
    from knock.learner import hints

    print(hints.show(found.question, found.level, found.part, found.framework))
    return 0
