"""The classes that a run's pictures are asked for by, with their names."""

from collections.abc import Sequence

from knock import data
from knock.errors import UserError
from knock.trained.opened import Opened
from knock.training import record

_MOST = 20
"""Of more classes than these, a message does not list the names."""


def names(run: Opened) -> tuple[str, ...]:
    """Their names, by number, as the run wrote them down or the data set has them.

    Where nobody knows them, they are numbers.
    """
    known = record.read_run(run.folder).get("classes") or data.classes(run.recipe.dataset)
    if isinstance(known, list | tuple) and len(known) == run.classes:
        return tuple(map(str, known))
    return tuple(map(str, range(run.classes)))


def asked(run: Opened, words: Sequence[str]) -> list[int]:
    """The numbers of the classes that words mean: names, numbers, or several with commas between.

    Without words, all classes. A word that is one class's name and another's number means the
    name. Raises UserError for what is neither, and for a run whose pictures have no classes.
    """
    if not run.classes:
        if words:
            raise UserError(f"{run.folder} ({run.question.label}) knows no classes: {_why(run)}")
        return []
    known = names(run)
    found = [_number(run, part, known) for word in words for part in _parts(word, known)]
    return list(dict.fromkeys(found)) or list(range(run.classes))


def _why(run: Opened) -> str:
    if "classes" in run.recipe.constants:
        return f"train one that does, with knock run {run.question.name} --classes N"
    return "leave --class out; question 07 cgan makes pictures by class"


def _parts(word: str, known: Sequence[str]) -> list[str]:
    return [word] if word in known else [part.strip() for part in word.split(",")]


def _number(run: Opened, word: str, known: Sequence[str]) -> int:
    alike = [number for number, name in enumerate(known) if name.casefold() == word.casefold()]
    if word in known:
        return known.index(word)
    if len(alike) == 1:
        return alike[0]
    if word.isascii() and word.isdigit() and int(word) < run.classes:
        return int(word)
    numbers = f"0 to {run.classes - 1}"
    named = list(known) != [str(number) for number in range(run.classes)]
    choices = f"{', '.join(known)}, or {numbers}" if named and len(known) <= _MOST else numbers
    raise UserError(f"no class {word!r} in {run.folder}; choose from: {choices}")
