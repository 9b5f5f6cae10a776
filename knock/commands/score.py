"""`knock score`: how good are the pictures that trained runs make, in numbers?"""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from knock.arguments import file, folder
from knock.errors import UserError, in_words

if TYPE_CHECKING:
    from knock.measure.scoring import Settings

HELP = "measure the pictures that trained runs make"


def add_arguments(parser: ArgumentParser) -> None:
    """Which runs, how many pictures, whose eyes, and how it is reported."""
    from knock.training.options import add_how

    parser.add_argument(
        "runs",
        nargs="+",
        type=file,
        metavar="RUN",
        help="a run's folder, of any question and framework, or a folder of runs",
    )
    parser.add_argument(
        "--n", type=_count, default=2000, metavar="N", help="pictures that each run makes (2000)"
    )
    parser.add_argument(
        "--features",
        type=file,
        metavar="FILE",
        help="features of your own instead of the examiner's: TorchScript, or a run of question 16",
    )
    parser.add_argument(
        "--data", type=folder, metavar="FOLDER", help="where the real pictures are (as in the run)"
    )
    add_how(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the scores as JSON, for programs (see GUIDE.md)"
    )


def refused(words: Sequence[str], error: UserError) -> None:
    """With `--json`, say as data too what is wrong with the words of the command line."""
    if "--json" in words:
        from knock.measure.table import Document, to_json

        print(to_json(Document(error=in_words(error))).decode(), end="")


def run(found: Namespace, rest: list[str]) -> int:
    """Measure the runs, and print a table for each data set; 0 when all were measured."""
    if found.json:
        return _as_data(found)
    from knock.measure import scoring, table

    tables = scoring.score(found.runs, _settings(found))
    for number, one in enumerate(tables):
        print("\n" * bool(number) + "\n".join(table.lines(one)))
    scoring.draw_comparisons(tables)
    return 0


def _as_data(found: Namespace) -> int:
    """The same, as one document of JSON, which also says why something could not be measured."""
    from knock.check import output
    from knock.measure import scoring
    from knock.measure.table import Document, to_json

    with output.kept_for_data() as write:
        try:
            tables = scoring.score(found.runs, _settings(found))
            scoring.draw_comparisons(tables)
        except Exception as error:
            write(to_json(Document(error=in_words(error))))
            raise
        except SystemExit as left:  # of an adapter that cannot be used here
            write(to_json(Document(error=str(left.__cause__ or left))))
            raise
        write(to_json(Document(tables=tables)))
    return 0


def _settings(found: Namespace) -> "Settings":
    from knock.measure.scoring import LEAST, MOST, Settings
    from knock.training.options import spare_cores

    if not LEAST <= found.n <= MOST:
        raise UserError(f"--n must be from {LEAST} to {MOST} pictures, not {found.n}")
    threads = found.threads or spare_cores()
    return Settings(found.n, found.device, threads, found.data, found.features)


def _count(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {word!r}") from None
