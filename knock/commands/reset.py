"""`knock reset`: starts a learner's own answer over."""

from argparse import ArgumentParser, Namespace

from knock.commands import start

HELP = "start your own answer over; the old file is kept"


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `knock start`, but as if with `--force`."""
    start.add_which(parser)
    parser.set_defaults(force=True)


def run(found: Namespace, rest: list[str]) -> int:
    """Write the starter, and print what to do with it."""
    return start.run(found, rest)
