"""`knock diff`: two answers side by side."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file, printable

HELP = "two answers side by side: knock diff dcgan keras pytorch"


def add_arguments(parser: ArgumentParser) -> None:
    """Which two, and where to."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("A", type=printable, help="a framework, for our answer in it, or a file")
    parser.add_argument("B", type=printable, help="another")
    parser.add_argument("--html", type=file, metavar="FILE", help="as a page for a browser")


def run(found: Namespace, rest: list[str]) -> int:
    """Print two columns, or write the page."""
    from knock.scripts import side_by_side

    print(side_by_side.show(found.question, found.A, found.B, found.html))
    return 0
