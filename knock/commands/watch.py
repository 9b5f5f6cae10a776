"""`knock watch`: a learner's answer is checked again at every save."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file

HELP = "check your answer again at every save; keys for a hint and for more"


def add_arguments(parser: ArgumentParser) -> None:
    """What is watched, and how."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("file", nargs="?", type=file, help="else what you began or checked last")
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument("--poll", action="store_true", help="look often: no file events come here")


def run(found: Namespace, rest: list[str]) -> int:
    """Watch until `q` is pressed."""
    from knock.learner.watch.loop import watch

    return watch(found.question, found.framework, found.file, found.poll)
