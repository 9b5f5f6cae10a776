"""`knock progress`: shows what a learner has reached."""

from argparse import ArgumentParser, Namespace

HELP = "show what you have reached, by question and framework"


def add_arguments(parser: ArgumentParser) -> None:
    """It has none."""


def run(found: Namespace, rest: list[str]) -> int:
    """Print the table."""
    from knock.learner import overview

    print(overview.show())
    return 0
