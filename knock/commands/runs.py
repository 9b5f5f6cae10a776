"""`knock runs`: which runs there are, and how far each has come."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from knock.arguments import file
from knock.errors import UserError, in_words
from knock.paths import RUNS

HELP = "list the runs: of which answer, how far, and how good"


def add_arguments(parser: ArgumentParser) -> None:
    """Where they are, and how they are listed."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=file,
        metavar="FOLDER",
        help=f"the folder that they are in, or one of them ({RUNS})",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the list as JSON, for programs (see GUIDE.md)"
    )


def refused(words: Sequence[str], error: UserError) -> None:
    """With `--json`, say as data too what is wrong with the words of the command line."""
    if "--json" in words:
        from knock.training.listing import Document, to_json

        print(to_json(Document(error=in_words(error))).decode(), end="")


def run(found: Namespace, rest: list[str]) -> int:
    """Print a line for each run, the newest last."""
    from knock.training import listing

    try:
        if found.folder is not None and not found.folder.is_dir():
            raise UserError(f"no folder {found.folder}; runs are in {RUNS}/ unless --out was given")
        runs = listing.find(found.folder or RUNS)
    except UserError as error:
        refused(["--json"] if found.json else [], error)
        raise
    if found.json:
        print(listing.to_json(listing.Document(runs=runs)).decode(), end="")
    elif runs:
        print("\n".join(listing.lines(runs)))
    else:
        print(f"no runs in {found.folder or RUNS}; knock run ae trains the first question")
    return 0
