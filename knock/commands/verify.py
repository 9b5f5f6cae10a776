"""`knock verify`: is a question complete, and are its mistakes named?"""

from argparse import ArgumentParser, Namespace

HELP = "is a question complete, and are its mistakes named?"


def add_arguments(parser: ArgumentParser) -> None:
    """Which questions, in which framework."""
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help="numbers or names (all)")
    parser.add_argument("--framework", "-f", help="only this one; else all that are installed")
    parser.add_argument("--table", action="store_true", help="only the mistakes, as Markdown")


def run(found: Namespace, rest: list[str]) -> int:
    """Print what is found."""
    from knock.verify.report import report

    return report(found.questions, found.framework, found.table)
