"""`knock compare`: the same run in every framework, shown on one sheet."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "do the same run in every framework, and show all on one sheet"
TAKES_MORE = True


def add_arguments(parser: ArgumentParser) -> None:
    """Which question and frameworks; the rest are options of a run."""
    parser.epilog = "It also takes the options of a run: knock run QUESTION --help lists them."
    parser.add_argument("question", help="number or name")
    parser.add_argument("--frameworks", metavar="A,B", help="only these, separated by commas")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where everything goes (default: runs/compare_NAME)",
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Train in each framework, and draw the sheet."""
    from knock.files import free
    from knock.paths import RUNS
    from knock.questions import find
    from knock.training import compare

    question = find(found.question)
    chosen = compare.choose(question, found.frameworks)
    folder = found.out or free(RUNS / f"compare_{question.name}")
    try:
        print(compare.compare(question, chosen, folder, rest))
    except compare.Stopped as stopped:
        return stopped.code
    return 0
