"""`knock progress`: what a learner has reached."""

from argparse import ArgumentParser, Namespace

HELP = "what you have reached, by question and framework"


def add_arguments(parser: ArgumentParser) -> None:
    """None."""


def run(found: Namespace, rest: list[str]) -> int:
    """Print the table."""
    from knock.learner import overview

    print(overview.show())
    return 0
