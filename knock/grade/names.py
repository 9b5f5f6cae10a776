"""What names say: of a file, which question it answers; of a folder or a file, whose it is."""

import re
from functools import cache
from typing import NamedTuple

from knock import frameworks
from knock.questions import all_questions

_BETWEEN = re.compile(r"[\W_]+")

_MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<rest>.*)", re.S)
"""Of Moodle: `Anna Kato_1234567_assignsubmission_file_`, a folder, or that before a file's name."""

_CANVAS = re.compile(
    r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<number>\d{3,})_(?:\d{3,}_)?(?P<rest>.+)", re.S
)
"""Of Canvas, always before a file's name: `katoanna_12345_678901_`, `katoanna_LATE_12345_678901_`,
where the first number is the student's and the second the file's."""


class Owner(NamedTuple):
    """Whose a folder or a file is: the name and the number that a learning platform gives a person.

    `rest` is what is left of a file's name. Name and number are empty where it says none.
    """

    name: str
    number: str
    rest: str
    late: bool = False


def owner(name: str) -> Owner:
    """The owner in the name of a folder, or of a file without its ending."""
    if found := _MOODLE.fullmatch(name):
        return Owner(found["name"].strip(), found["number"], found["rest"])
    if found := _CANVAS.fullmatch(name):
        return Owner(found["name"], found["number"], found["rest"], bool(found["late"]))
    return Owner("", "", name)


def asked(stem: str) -> tuple[str | None, str | None, str]:
    """The question and the framework in a file's name, and the rest of the name.

    The longest question that fits wins: `wgan_gp`, not `wgan`.
    """
    words = [word for word in _BETWEEN.split(stem.lower()) if word]
    question, words = _taken(words, _questions())
    framework, words = _taken(words, list(frameworks.FRAMEWORKS))
    return question, framework, "_".join(words)


@cache
def _questions() -> list[str]:
    return [question.name for question in all_questions()]


def _taken(words: list[str], names: list[str]) -> tuple[str | None, list[str]]:
    """The longest of these names that is among the words, and the other words."""
    for name in sorted(names, key=len, reverse=True):
        wanted = name.split("_")
        for place in range(len(words) - len(wanted) + 1):
            if words[place : place + len(wanted)] == wanted:
                return name, words[:place] + words[place + len(wanted) :]
    return None, words
