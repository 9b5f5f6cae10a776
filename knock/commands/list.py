"""`knock list`: the questions, and the frameworks of their answers."""

from argparse import ArgumentParser, Namespace

HELP = "list the questions, and the frameworks of their answers"


def add_arguments(parser: ArgumentParser) -> None:
    """It has none."""


def run(found: Namespace, rest: list[str]) -> int:
    """Print a line for each question."""
    from knock.questions import all_questions

    known = all_questions()
    label, title = max(len(q.label) for q in known), max(len(q.title) for q in known)
    for one in known:
        print(f"{one.label:<{label}}  {one.title:<{title}}  {', '.join(one.answered_in)}")
    return 0
