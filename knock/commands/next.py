"""`knock next`: which question comes next."""

from argparse import ArgumentParser, Namespace

HELP = "which question comes next, and how to go on"


def add_arguments(parser: ArgumentParser) -> None:
    """In which framework."""
    parser.add_argument("--framework", "-f", help="in this one; else in the one you used last")


def run(found: Namespace, rest: list[str]) -> int:
    """Print the question, and the command to begin or go on with it."""
    from knock.learner import overview

    print(overview.following(found.framework))
    return 0
