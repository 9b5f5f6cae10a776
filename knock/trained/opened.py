"""The runs that were named, each with its checkpoint and the framework that opens it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from knock import frameworks, questions
from knock import recipe as recipes
from knock.errors import UserError
from knock.frameworks import FRAMEWORKS
from knock.questions import Question
from knock.recipe import Recipe
from knock.training import checkpoint as checkpoints
from knock.training import record
from knock.training.checkpoint import Checkpoint
from knock.training.folders import is_run, newest_of, runs_in


@dataclass(frozen=True)
class Opened:
    """A trained run.

    `framework` is the one that opens it: the one asked for, or that of the run where it is
    installed. `data` is the folder with the run's pictures, if that was said.
    """

    folder: Path
    question: Question
    checkpoint: Checkpoint
    framework: str
    data: Path | None

    @property
    def recipe(self) -> Recipe:
        """The recipe that the checkpoint was trained by."""
        return self.checkpoint.recipe

    @property
    def told(self) -> str:
        """In a few words whose pictures they are."""
        return (
            f"{self.question.label} after step {self.checkpoint.step}, in {title(self.framework)}"
        )

    @property
    def classes(self) -> int:
        """How many classes its pictures can be asked for by; 0 if they cannot."""
        count = self.recipe.constants.get("classes")
        asked = "labels" in self.recipe.methods.get("generate", [])
        return count if asked and isinstance(count, int) else 0


def find(named: Sequence[Path], method: str) -> list[Path]:
    """The folders of the runs: each that was named, or those in it if it is a folder of runs.

    In a folder of runs, those of questions without this method are left out. Raises UserError for
    what is no run.
    """
    found: dict[Path, Path] = {}  # by where it is: one that is named twice comes once
    for path in named:
        for folder in _in(path, method):
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _in(path: Path, method: str) -> list[Path]:
    if path.is_file() and path.name == checkpoints.FILE_NAME:
        path = path.parent
    if not path.exists():
        raise UserError(f"no folder {path}")
    if is_run(path):
        return [path]
    below = runs_in(path) if path.is_dir() else []
    if not below:
        raise UserError(_no_run(path))
    making = [folder for folder in below if _has(folder, method)]
    if not making:
        raise UserError(f"no run in {path} makes pictures: of none the question has {method}")
    return making


def _no_run(path: Path) -> str:
    return (
        f"{path} is no run: there is neither {record.FILE_NAME} nor {checkpoints.FILE_NAME} in "
        "it; name a run's folder, such as runs/dcgan_pytorch"
    )


def place(word: str) -> Path:
    """The run that a word means: a run's folder, a checkpoint, or the newest run of a question.

    Raises UserError where it is none of these, and where the question has no run.
    """
    path = Path(word)
    if path.is_file() or is_run(path):
        return path
    try:
        question = questions.find(word)
    except UserError:
        if path.is_dir():
            raise UserError(_no_run(path)) from None
        raise UserError(
            f"no run {word!r}; name a run's folder, such as runs/dcgan_pytorch, a checkpoint, or "
            "a question, whose newest run is then taken"
        ) from None
    return newest_of(question.opens or question.name)


def _has(folder: Path, method: str) -> bool:
    """Whether a run has a method; what cannot be read is refused later, with its own words."""
    try:
        recipe = record.read_run(folder).get("recipe")
    except UserError:
        return True
    return not isinstance(recipe, dict) or method in recipe.get("methods", {method: []})


def open_run(place: Path, data: Path | None = None, framework: str | None = None) -> Opened:
    """A run's checkpoint, and the framework to open it in; `place` is its folder or a checkpoint.

    `data` is another folder of pictures. Raises UserError for a run without a checkpoint, a damaged
    one, one of a question that is not known here, a framework that is missing or has no answer, and
    where none is installed.
    """
    if not place.is_file() and not (place / checkpoints.FILE_NAME).is_file():
        raise UserError(
            f"{place} has no {checkpoints.FILE_NAME}: nothing was trained there yet; go on with "
            "knock run … --resume, or name another run"
        )
    folder = place.parent if place.is_file() else place
    found = checkpoints.load(place)
    name = found.recipe.question
    try:
        question = questions.find(name)
    except UserError:
        raise UserError(f"{place} is a run of question {name!r}, which is not here") from None
    recipe = recipes.without_retired(found.recipe, question.recipe_file)
    found = replace(found, recipe=recipe)
    checkpoints.require_fit(found, recipe, place)
    return Opened(
        folder,
        question,
        found,
        _framework(question, found.framework, framework),
        data or record.pictures_of(found, folder),
    )


def _framework(question: Question, trained_in: str, asked: str | None) -> str:
    """The framework asked for; else that of the run, or another where it is not installed."""
    if asked is not None:
        one = frameworks.find(question.framework(asked))
        if one.missing:
            raise UserError(frameworks.missing_line(one))
        return one.name
    here = [name for name in frameworks.installed() if name in question.answered_in]
    if not here:
        raise UserError("no framework is installed; knock doctor says how to get one")
    return trained_in if trained_in in here else here[0]


def title(framework: str) -> str:
    """How a table calls a framework, also one that is not known here."""
    known = FRAMEWORKS.get(framework)
    return known.title if known else framework
