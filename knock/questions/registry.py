"""The registry: which questions there are, and their files. It imports no answer."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from knock import frameworks, paths, recipe
from knock.errors import UserError


@dataclass(frozen=True)
class Question:
    """A question's folder, and what its recipe says about it."""

    number: int
    name: str
    title: str
    folder: Path
    opens: str | None = None
    """The question whose checkpoints this one opens, if it trains nothing itself."""

    @property
    def label(self) -> str:
        """How messages and tables call it: `01 ae`."""
        return f"{self.number:02d} {self.name}"

    @property
    def recipe_file(self) -> Path:
        """What every answer builds, and how it is trained."""
        return self.folder / "recipe.toml"

    @property
    def page(self) -> Path:
        """What a learner reads first: the idea, the layers, the formulas."""
        return self.folder / "README.md"

    @property
    def hints_file(self) -> Path:
        """Three levels of help, from a nudge to almost the code."""
        return self.folder / "hints.md"

    @property
    def reference_file(self) -> Path:
        """The NumPy answer, which not every question has."""
        return self.folder / "reference.py"

    @property
    def mistakes_file(self) -> Path:
        """What people get wrong in it, and how a check names that."""
        return self.folder / "mistakes.toml"

    @cached_property
    def parts(self) -> dict[str, list[str]]:
        """What a learner writes, in order: each part with its functions, classes and methods.

        Read once, from the recipe. Raises UserError where that is broken.
        """
        return recipe.parts(self.recipe_file)

    def answer(self, framework: str) -> Path:
        """Our script in `framework`."""
        return paths.ANSWERS / f"{self.name}_{framework}.py"

    @property
    def answered_in(self) -> list[str]:
        """The frameworks in which it has an answer, in the order in which they are listed."""
        return [f for f in frameworks.FRAMEWORKS if self.answer(f).is_file()]

    def framework(self, name: str | None) -> str:
        """`name`; for None, the first framework with an answer, an installed one if there is one.

        Raises UserError for an unknown framework, and for one without an answer.
        """
        answered = self.answered_in
        if not answered:
            raise UserError(f"question {self.label} has no answer yet")
        if name is None:
            return next((f for f in frameworks.installed() if f in answered), answered[0])
        if frameworks.find(name).name not in answered:
            raise UserError(f"question {self.label} has no answer in {name}")
        return name


def all_questions() -> list[Question]:
    """Every question, by number. Raises UserError if the head of a recipe is broken."""
    paths.require_questions()
    questions = []
    for file in sorted(paths.QUESTIONS.glob("[0-9][0-9]_*/recipe.toml")):
        head = recipe.head(file)
        number, name, title = (head.get(key) for key in ("number", "name", "title"))
        if not (isinstance(number, int) and isinstance(name, str) and isinstance(title, str)):
            raise UserError(
                f"{file}: number, name and title must be there, a whole number and texts"
            )
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise UserError(f"{file}: name must be a-z, 0-9 and _ as in wgan_gp, not {name!r}")
        questions.append(Question(number, name, title, file.parent, head.get("opens")))
    return sorted(questions, key=lambda q: q.number)


def find(word: str) -> Question:
    """A question by number or name: `1`, `01`, `ae`, `01_ae`. Raises UserError when unknown."""
    known = all_questions()
    for question in known:
        number = question.number
        if word.lower() in {question.name, question.folder.name, f"{number}", f"{number:02d}"}:
            return question
    raise UserError(f"no question {word!r}; there are: {', '.join(q.label for q in known)}")
