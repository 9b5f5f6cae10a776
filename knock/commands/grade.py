"""`knock grade`: the submissions of a class, as a table and as a page."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file, folder

HELP = "grade a folder or a zip file of submissions: knock grade FOLDER"


def add_arguments(parser: ArgumentParser) -> None:
    """Where the submissions are, how they are run, and where the table goes."""
    parser.add_argument(
        "folder",
        type=folder,
        help="a subfolder, a zip file or a file for each student; or a zip file",
    )
    parser.add_argument(
        "--out",
        type=file,
        metavar="FILE",
        help="the table, CSV (default: grades.csv, or grades-2.csv …)",
    )
    parser.add_argument(
        "--html", dest="page", type=file, metavar="FILE", help="also write a page for a browser"
    )
    parser.add_argument(
        "--each",
        type=folder,
        metavar="FOLDER",
        help="also write a page for each student, to give to that student",
    )
    parser.add_argument(
        "--roster",
        type=file,
        metavar="FILE",
        help="your list of the class (CSV): the table keeps its columns, and says who is missing",
    )
    parser.add_argument(
        "--roster-encoding",
        metavar="NAME",
        help="such as cp932 (default: UTF-8 or UTF-16 if it is, else cp1252)",
    )
    parser.add_argument(
        "--question", help="the question that all files answer (default: from each file's name)"
    )
    parser.add_argument(
        "--framework", "-f", help="the framework of all files (default: from each file's name)"
    )
    parser.add_argument(
        "--points", type=file, metavar="FILE", help="another table of points (TOML)"
    )
    parser.add_argument(
        "--hidden",
        type=folder,
        metavar="FOLDER",
        help="more checks, with other seeds and sizes (TOML files)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the seed of the open check (default: 0)"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="submissions at once (default: one per core)"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="grade on the workers of a Dask cluster")
    parser.add_argument(
        "--seconds",
        type=int,
        default=60,
        metavar="S",
        help="seconds of computing for each part (default: 60)",
    )
    parser.add_argument(
        "--memory",
        type=int,
        default=4096,
        metavar="MIB",
        help="memory for each part, in MiB (default: 4096)",
    )


def run(found: Namespace, rest: list[str]) -> int:
    """Grade all submissions."""
    from knock.grade.session import Options, grade

    return grade(Options(**vars(found)))
