"""`knock diff`: two answers side by side."""

from argparse import ArgumentParser, Namespace

from knock.arguments import file, printable

HELP = "show two answers side by side: knock diff dcgan keras pytorch"


def add_arguments(parser: ArgumentParser) -> None:
    """Which two answers, and where the page goes."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("A", type=printable, help="a file, or a framework for our answer in it")
    parser.add_argument("B", type=printable, help="the other file or framework")
    parser.add_argument("--html", type=file, metavar="FILE", help="write a page for a browser")


def run(found: Namespace, rest: list[str]) -> int:
    """Print two columns, or write the page."""
    from knock.scripts import side_by_side

    print(side_by_side.show(found.question, found.A, found.B, found.html))
    return 0
