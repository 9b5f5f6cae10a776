"""`knock watch`: checks a learner's answer at every save."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file

HELP = "check your answer at every save; keys show a hint and what comes next"


def add_arguments(parser: ArgumentParser) -> None:
    """Which file is watched, and how."""
    parser.add_argument("question", help="number or name")
    parser.add_argument(
        "file", nargs="?", type=file, help="your answer (default: the one begun or checked last)"
    )
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument(
        "--poll", action="store_true", help="look more often, where saves cause no events"
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Watch until `q` is pressed."""
    from knock.learner.watch.loop import watch

    return watch(found.question, found.framework, found.file, found.poll)
