"""`knock watch`: checks a learner's answer at every save."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file

HELP = "check your answer at every save; keys give a hint and more"


def add_arguments(parser: ArgumentParser) -> None:
    """Which file is watched, and how."""
    parser.add_argument(
        "question", nargs="?", help="number or name; without it, what you began or checked last"
    )
    parser.add_argument(
        "file", nargs="?", type=file, help="your answer (default: the one begun or checked last)"
    )
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument(
        "--poll", action="store_true", help="look more often, where saves cause no events"
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Watch until `q` is pressed."""
    from knock.learner import in_hand
    from knock.learner.watch.loop import watch

    question, framework, path = in_hand.meant(found.question, found.framework, found.file)
    return watch(question, framework, path, found.poll)
