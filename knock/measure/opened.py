"""The runs that were named, each with its checkpoint and the framework that opens it."""

from collections.abc import Sequence
from dataclasses import dataclass
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

_METHOD = "generate"
_DEPTH = 2
"""How many folders below a named one runs are looked for."""


@dataclass(frozen=True)
class Opened:
    """A trained run that makes pictures.

    `framework` is the one that makes them: that of the run where it is installed. `data` is the
    folder with the run's pictures, if that was said.
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
    def needs(self) -> list[str]:
        """What its method is given: names of a batch's entries."""
        return self.recipe.methods[_METHOD]

    @property
    def conditional(self) -> bool:
        """Whether a class can be asked for."""
        return "labels" in self.needs and self.recipe.constants.get("classes", 0) != 0


def find(named: Sequence[Path]) -> list[Path]:
    """The folders of the runs: each that was named, or those in it if it is a folder of runs.

    In a folder of runs, those that make nothing are left out. Raises UserError for what is no run.
    """
    found: dict[Path, Path] = {}  # by where it is: one that is named twice comes once
    for path in named:
        for folder in _in(path):
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _in(path: Path) -> list[Path]:
    if path.is_file() and path.name == checkpoints.FILE_NAME:
        path = path.parent
    if not path.exists():
        raise UserError(f"no folder {path}")
    if _is_run(path):
        return [path]
    below: list[Path] = []
    if path.is_dir():
        places = ("/".join("*" * depth) for depth in range(1, _DEPTH + 1))
        below = sorted(one for place in places for one in path.glob(place) if _is_run(one))
    if not below:
        raise UserError(
            f"{path} is no run: there is neither {record.FILE_NAME} nor {checkpoints.FILE_NAME} in "
            "it; name a run's folder, such as runs/dcgan_pytorch"
        )
    making = [folder for folder in below if _makes(folder)]
    if not making:
        raise UserError(f"no run in {path} makes pictures: of none the question has {_METHOD}")
    return making


def _is_run(path: Path) -> bool:
    return any((path / name).is_file() for name in (checkpoints.FILE_NAME, record.FILE_NAME))


def _makes(folder: Path) -> bool:
    """Whether a run makes pictures; what cannot be read is refused later, with its own words."""
    try:
        recipe = record.read_run(folder).get("recipe")
    except UserError:
        return True
    return not isinstance(recipe, dict) or _METHOD in recipe.get("methods", {_METHOD: []})


def open_run(folder: Path, data: Path | None = None) -> Opened:
    """A run's checkpoint, and the framework to open it in; `data` is another folder of pictures.

    Raises UserError for a run without a checkpoint, a damaged one, one of a question that makes
    nothing or is not known here, and where no framework is installed.
    """
    if not (folder / checkpoints.FILE_NAME).is_file():
        raise UserError(
            f"{folder} has no {checkpoints.FILE_NAME}: nothing was trained there yet; go on with "
            "knock run … --resume, or name another run"
        )
    found = checkpoints.load(folder)
    name = found.recipe.question
    try:
        question = questions.find(name)
    except UserError:
        raise UserError(f"{folder} is a run of question {name!r}, which is not here") from None
    if _METHOD not in found.recipe.methods:
        raise UserError(
            f"{folder} is a run of question {question.label}, which makes no pictures of its own; "
            f"knock run {name} --test {folder} shows what it learnt"
        )
    recipe = recipes.without_retired(found.recipe, question.recipe_file)
    found = Checkpoint(recipe, found.step, found.state, found.framework, found.versions)
    checkpoints.require_fit(found, recipe, folder)
    return Opened(
        folder,
        question,
        found,
        _framework(question, found.framework),
        data or record.data_folder(record.read_run(folder)),
    )


def _framework(question: Question, trained_in: str) -> str:
    """The framework that a run was trained in; where it is not installed, another one."""
    here = [name for name in frameworks.installed() if name in question.answered_in]
    if not here:
        raise UserError("no framework is installed; knock doctor says how to get one")
    return trained_in if trained_in in here else here[0]


def title(framework: str) -> str:
    """How a table calls a framework, also one that is not known here."""
    known = FRAMEWORKS.get(framework)
    return known.title if known else framework
