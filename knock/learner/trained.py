"""Can a learner's file be trained? What is known before it runs."""

import re
from pathlib import Path

from knock.errors import UserError
from knock.questions import Question
from knock.scripts import starter
from knock.scripts.source import Source

_CALL = re.compile(r"\bmain\(\s*[\"'](\w+)[\"']")


def require_trains(question: Question, file: Path) -> None:
    """Raise UserError for a file that would train nothing, or another question.

    That is one that is missing, a notebook, no Python, without a call of `main`, or a starter with
    parts that are still to do.
    """
    if not file.is_file():
        raise UserError(f"no file {file} to run; knock start {question.name} begins an answer")
    if file.suffix == ".ipynb":
        raise UserError(f"{file} is a notebook: its last cells train what is in the others")
    text = Source.read(file).text
    left = starter.left(text, question.parts)
    if left:
        to_do = "; ".join(f"{part} ({', '.join(names)})" for part, names in left.items())
        raise UserError(f"{file} cannot be trained yet; still to do: {to_do}")
    called = _CALL.findall(text)
    if called and question.name not in called:
        raise UserError(f"{file} answers question {called[-1]}: knock run {called[-1]} {file}")
    if "knock.run" not in text and "knock.look" not in text:
        raise UserError(
            f"{file} never calls main of knock.run, so it would train nothing; write its last "
            "lines as in a file that knock start makes"
        )
