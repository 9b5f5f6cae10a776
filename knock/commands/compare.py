"""`knock compare`: several runs on one sheet, new ones of a question or such as there are."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from knock.arguments import at_home, folder
from knock.errors import UserError

HELP = "show runs on one sheet: of a question in every framework, or those you name"
TAKES_MORE = True


def add_arguments(parser: ArgumentParser) -> None:
    """Which question and frameworks, or which runs; the rest are options of a run."""
    parser.epilog = (
        "With a question it also takes the options of a run: knock run QUESTION --help. "
        "--resume goes on with a comparison that was stopped."
    )
    parser.add_argument(
        "what", nargs="+", metavar="QUESTION|RUN", help="number or name, or folders of runs"
    )
    parser.add_argument("--frameworks", metavar="A,B", help="only these, separated by commas")
    parser.add_argument(
        "--out",
        type=folder,
        metavar="FOLDER",
        help="where everything goes (default: runs/compare_NAME; with runs: runs/compare, and it "
        "may be a PNG file)",
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Train in each framework, or take the runs that were named; draw the sheet."""
    from knock.questions import find
    from knock.training import compare, folders

    if _are_runs(found.what):
        return _beside(found, rest)
    question = find(found.what[0])
    if found.what[1:]:
        raise UserError(
            f"either question {question.label} or runs, not {found.what[1]!r} beside it"
        )
    chosen = None
    if found.frameworks is not None or compare.RESUME not in rest:
        chosen = compare.choose(question, found.frameworks)
    last = folders.newest(f"compare_{question.name}") if compare.RESUME in rest else None
    try:
        print(compare.compare(question, chosen, found.out or last, rest))
    except compare.Stopped as stopped:
        return stopped.code
    return 0


def _are_runs(what: list[str]) -> bool:
    """Whether folders of runs are named, and not a question."""
    from knock.questions import find

    try:
        find(what[0])
    except UserError:
        return len(what) > 1 or Path(what[0]).name != what[0] or Path(what[0]).exists()
    return False


def _beside(found: Namespace, rest: list[str]) -> int:
    from knock.training import beside

    more = [word for word in rest if not word.startswith("-")]
    if len(more) < len(rest) or found.frameworks is not None:
        option = next((word for word in rest if word.startswith("-")), "--frameworks")
        raise UserError(f"{option}: runs are compared as they are; only --out goes with them")
    print(
        "\n".join(beside.compare([Path(at_home(one)) for one in [*found.what, *more]], found.out))
    )
    return 0
