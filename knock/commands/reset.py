"""`knock reset`: an answer of one's own, begun again."""

from argparse import ArgumentParser, Namespace

from knock.commands import start

HELP = "begin it again; what you had is kept beside it"


def add_arguments(parser: ArgumentParser) -> None:
    """As for `knock start`, which keeps the old file with `--force` only."""
    start.add_which(parser)
    parser.set_defaults(force=True)


def run(found: Namespace, rest: list[str]) -> int:
    """Write the starter, and say what to do with it."""
    return start.run(found, rest)
