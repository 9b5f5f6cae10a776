"""`knock verify`: tests whether a question is complete and its mistakes are named."""

from argparse import ArgumentParser, Namespace

HELP = "test whether a question is complete and its mistakes are named"


def add_arguments(parser: ArgumentParser) -> None:
    """Which questions, in which framework."""
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help="numbers or names (default: all)"
    )
    parser.add_argument(
        "--framework", "-f", help="only this framework (default: all that are installed)"
    )
    parser.add_argument("--table", action="store_true", help="show only the mistakes, as Markdown")


def run(found: Namespace, rest: list[str]) -> int:
    """Print what it finds."""
    from knock.verify.report import report

    return report(found.questions, found.framework, found.table)
