"""The three levels of help with a question, one at a time."""

import re

from knock.errors import UserError
from knock.questions import Question, find

_LEVEL = re.compile(r"^## (\d+) · (.*)$", re.MULTILINE)


def show(word: str, wanted: int) -> str:
    """One level of a question's hints, as text for a terminal, and how to get the next.

    Raises UserError when there is no such level.
    """
    question = find(word)
    levels = _levels(question)
    if wanted not in levels:
        known = ", ".join(map(str, levels))
        raise UserError(f"no level {wanted} of hints for {question.label}; choose from: {known}")
    title, text = levels[wanted]
    return f"{question.label} · {title}\n\n{text}\n\n{_further(question, levels, wanted)}"


def _levels(question: Question) -> dict[int, tuple[str, str]]:
    """Each level's title and text."""
    _, *pieces = _LEVEL.split(question.hints_file.read_text(encoding="utf-8"))
    triples = zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)
    return {int(number): (title, text.strip()) for number, title, text in triples}


def _further(question: Question, levels: dict[int, tuple[str, str]], wanted: int) -> str:
    if wanted + 1 in levels:
        title = levels[wanted + 1][0]
        return f"Not enough? {title}: knock hint {question.name} --level {wanted + 1}"
    return f"That is all. Once your answer passes, ours is yours: knock solution {question.name}"
