"""The options that `knock sample` and `knock apply` share."""

import argparse

from knock.arguments import file, place
from knock.training.options import add_how


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the run that is opened."""
    parser.add_argument(
        "run",
        metavar="RUN",
        type=place,
        help="a run's folder or checkpoint; or a question, for its newest run",
    )


def add_where(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add where the pictures go, and what makes them."""
    group.add_argument(
        "--out", type=file, metavar="FILE|FOLDER", help="where they go (the run's folder)"
    )
    group.add_argument("--framework", "-f", help="the one that makes them (the run's own)")
    add_how(group)
