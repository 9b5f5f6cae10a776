"""`knock sample`: pictures that a trained run makes from noise."""

import argparse
from argparse import ArgumentParser, Namespace

from knock.arguments import positive, printable, seed, up_to

HELP = "let a trained run make pictures: knock sample dcgan --n 64 --seed 3"

_MOST = 10_000  # pictures
_LONGEST = 100  # pictures of a walk


def add_arguments(parser: ArgumentParser) -> None:
    """Which run, which pictures, and where they go."""
    from knock.trained.options import add_run, add_where

    add_run(parser)
    what = parser.add_argument_group("which pictures")
    what.add_argument(
        "--n", type=up_to(_MOST), metavar="N", help="how many (64; where there are classes, 8 each)"
    )
    what.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="another seed, other pictures (0)"
    )
    what.add_argument(
        "--class",
        dest="classes",
        type=printable,
        action="append",
        default=[],
        metavar="NAME",
        help="a class's name or number, or several with commas between (all of them)",
    )
    what.add_argument(
        "--steps-between",
        type=_between,
        metavar="N",
        help="the way from one noise to another in N pictures, and in motion; --n: so many ways",
    )
    how = parser.add_argument_group("how and where")
    one = how.add_mutually_exclusive_group()
    one.add_argument("--grid", action="store_true", help="all in one picture (the default)")
    one.add_argument(
        "--separate", action="store_true", help="a folder of single pictures, not enlarged"
    )
    add_where(how)


def run(found: Namespace, rest: list[str]) -> int:
    """Make the pictures, write them, and say where they are. Raises UserError for bad input."""
    from knock.trained import opened
    from knock.trained.sample import Wish, sample
    from knock.training.options import spare_cores

    trained = opened.open_run(opened.place(found.run), framework=found.framework)
    wish = Wish(found.seed, found.n, found.classes, found.steps_between, found.separate, found.out)
    print(sample(trained, wish, found.device, found.threads or spare_cores()))
    return 0


def _between(word: str) -> int:
    value = positive(word)
    if not 2 <= value <= _LONGEST:
        raise argparse.ArgumentTypeError(f"must be from 2 to {_LONGEST} pictures, not {word!r}")
    return value
