"""`knock hint`: help with a question, level by level."""

from argparse import ArgumentParser, Namespace

HELP = "show help with a question, level by level"


def add_arguments(parser: ArgumentParser) -> None:
    """Help with what, and how much of it."""
    parser.add_argument(
        "question", nargs="?", help="number or name; without it, what you began or checked last"
    )
    parser.add_argument(
        "--level", type=int, default=1, metavar="N", help="from 1, a nudge, to 3 (default: 1)"
    )
    parser.add_argument(
        "--part", metavar="NAME", help="a part, or all (default: the part that you are working on)"
    )
    parser.add_argument(
        "--framework", "-f", help="pytorch, tensorflow, keras or chainer (default: as last time)"
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Print one level of help."""
    from knock.learner import hints, in_hand

    question, _, _ = in_hand.meant(found.question, found.framework)
    print(hints.show(question.name, found.level, found.part, found.framework))
    return 0
