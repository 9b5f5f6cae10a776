"""`knock next`: which question comes next."""

from argparse import ArgumentParser, Namespace

HELP = "show which question comes next, and how to continue"


def add_arguments(parser: ArgumentParser) -> None:
    """In which framework."""
    parser.add_argument("--framework", "-f", help="only answers in this framework (default: any)")


def run(found: Namespace, rest: list[str]) -> int:
    """Print the question, and the command to begin or continue it."""
    from knock.learner import overview

    print(overview.following(found.framework))
    return 0
