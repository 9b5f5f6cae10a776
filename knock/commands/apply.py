"""`knock apply`: what a trained run makes of pictures of one's own."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file, seed
from knock.errors import print_error

HELP = "give a trained run pictures of your own: knock apply convae photo.jpg"


def add_arguments(parser: ArgumentParser) -> None:
    """Which run, which pictures, and where the results go."""
    from knock.trained.options import add_run, add_where

    add_run(parser)
    parser.add_argument(
        "pictures",
        nargs="+",
        type=file,
        metavar="PICTURE|FOLDER",
        help="of any size; they are fitted to the run's as its own pictures are",
    )
    parser.add_argument(
        "--invert", action="store_true", help="black on white becomes white on black: for digits"
    )
    parser.add_argument(
        "--back", action="store_true", help="the other way round, for cyclegan: from y to x"
    )
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="another dropout, for pix2pix (0)"
    )
    parser.add_argument(
        "--separate", action="store_true", help="a folder with the results alone, not enlarged"
    )
    add_where(parser)


def run(found: Namespace, rest: list[str]) -> int:
    """Write what the run makes of the pictures; 2 if some could not be read. Raises UserError."""
    from knock.trained import opened
    from knock.trained.apply import Wish, apply
    from knock.training.options import spare_cores

    trained = opened.open_run(opened.place(found.run), framework=found.framework)
    wish = Wish(
        found.pictures, found.seed, found.invert, found.separate, found.out, back=found.back
    )
    done = apply(trained, wish, found.device, found.threads or spare_cores())
    for error in done.failed:
        print_error(error)
    if done.told:
        print(done.told)
    return 2 if done.failed else 0
