"""`knock grade`: the submissions of a class, as a table and as a page."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from knock.arguments import file

HELP = "grade a folder of submissions: knock grade FOLDER --out grades.csv"


def add_arguments(parser: ArgumentParser) -> None:
    """Whose answers, to what, how they are run, and where the table goes."""
    parser.add_argument("folder", type=Path, help="a subfolder or a file for each student")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the table (CSV)")
    parser.add_argument(
        "--html", dest="page", type=file, metavar="FILE", help="a page for a browser, too"
    )
    parser.add_argument("--question", help="what all answer; else read off the files' names")
    parser.add_argument("--framework", "-f", help="in which; else read off the files' names")
    parser.add_argument(
        "--points", type=Path, metavar="FILE", help="another table of points (TOML)"
    )
    parser.add_argument(
        "--hidden", type=Path, metavar="FOLDER", help="other seeds and sizes (TOML)"
    )
    parser.add_argument("--seed", type=int, default=0, help="that of knock check, which is 0")
    parser.add_argument("--jobs", type=int, metavar="N", help="so many at once (as many as cores)")
    parser.add_argument("--dask", metavar="ADDRESS", help="on the workers of a Dask cluster")
    parser.add_argument(
        "--seconds", type=int, default=60, metavar="S", help="of computing for each part (60)"
    )
    parser.add_argument(
        "--memory", type=int, default=4096, metavar="MIB", help="for each part (4096)"
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Grade all of them."""
    from knock.grade.session import Options, grade

    return grade(Options(**vars(found)))
