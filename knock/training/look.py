"""What a script calls that trains nothing: it opens another question's checkpoint and shows it.

Any framework's checkpoint will do. The pictures go into a folder of their own, in `runs`
unless `--out` names another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock import data
from knock import recipe as recipes
from knock.arguments import OneLineParser, folder
from knock.data.batches import to_pixels, to_unit
from knock.data.imageset import Pixels
from knock.files import make_folder, make_new_folder
from knock.frameworks.adapter import Adapter
from knock.paths import RUNS
from knock.questions import Question
from knock.training import charts, pictures, record
from knock.training import checkpoint as checkpoints
from knock.training.folders import newest_of
from knock.training.options import add_how, spare_cores

from numpy.typing import NDArray


@dataclass(frozen=True)
class Options:
    """The command line of such a script."""

    checkpoint: Path
    data: Path | None
    device: str
    threads: int
    out: Path | None


def parser(question: Question, program: str) -> OneLineParser:
    """The parser of a question that opens another one's checkpoint, by an option of its name."""
    made = OneLineParser(
        prog=program,
        allow_abbrev=False,
        description=f"Question {question.label}: {question.title}. It opens a checkpoint of "
        f"question {question.opens}, made in any framework.",
    )
    made.add_argument(
        f"--{question.opens}",
        dest="checkpoint",
        type=folder,
        metavar="RUN",
        help=f"a run of {question.opens}, or its checkpoint (the newest in {RUNS}/)",
    )
    made.add_argument("--data", type=folder, metavar="FOLDER", help="where the test pictures are")
    add_how(made)
    made.add_argument("--out", type=folder, metavar="FOLDER", help="where the pictures go (runs/…)")
    return made


def parse(question: Question, program: str, framework: str, words: Sequence[str]) -> Options:
    """Read a command line. Raises UserError for what cannot be meant, or when there is no run."""
    said = vars(parser(question, program).parse_args(words))
    said["checkpoint"] = said["checkpoint"] or newest_of(str(question.opens))
    said["threads"] = said["threads"] or spare_cores()
    return Options(**said)


class Look:
    """A trained model's recipe and test set, and pictures to draw of what it makes of them.

    `images` are the whole test set on the framework's side.
    """

    def __init__(self, question: Question, adapter: Adapter, options: Options) -> None:
        found, home = checkpoints.load_of(str(question.opens), options.checkpoint)
        trained = found.recipe
        self.recipe = recipes.load(
            question.recipe_file,
            trained.dataset,
            trained.preset,
            {"constants": trained.constants, "image": trained.image_shape},
            trained.seed,
            trained.dtype,
        )
        folder = options.data or record.pictures_of(found, home)
        adapter.setup(options.device, self.recipe.dtype, options.threads)
        self._found, self._home, self._folder = found, home, folder
        self._state = {k: v for k, v in found.state.items() if k.split(".")[0] in trained.networks}
        checkpoints.require_fit(
            checkpoints.Checkpoint(self.recipe, found.step, self._state, found.framework, {}),
            self.recipe,
            options.checkpoint,
        )
        self._test = data.load(self.recipe.dataset, self.recipe.image_shape, "test", folder)
        self._adapter = adapter
        self._chosen = options.out is not None
        self.folder = options.out or RUNS / f"{question.name}_{adapter.NAME}"
        self.images = self._given(self._test.images)

    def make(self, model_class: Callable[..., Any]) -> Any:
        """The model with the checkpoint's weights."""
        model = model_class(self.recipe)
        self._adapter.build(model, self.recipe)
        self._adapter.write(model, self.recipe, self._state)
        if not self._chosen:
            self.folder = make_new_folder(self.folder)  # another may have taken the name
        make_folder(self.folder)
        return model

    def scatter(self, name: str, points: Any) -> None:
        """Draw the test set's points (N×z, the first two are drawn), coloured by class."""
        drawn = self._adapter.to_numpy(points)
        charts.scatter(self._path(name), drawn, self._test.labels, self._test.classes)

    def grid(self, name: str, images: Any, columns: int) -> None:
        """Draw N pictures (values in [-1, 1]), `columns` of them a row."""
        pixels = to_pixels(self._adapter.to_numpy(images))
        rows = [pixels[i : i + columns] for i in range(0, len(pixels), columns)]
        enlarge = pictures.enlargement(self.recipe.image_shape[1]) if len(rows) == 1 else 1
        pictures.write_png(self._path(name), pictures.grid(rows), enlarge)

    def _given(self, pixels: Pixels) -> Any:
        """Pictures, uint8 N×H×W×C, as the model takes them."""
        return self._tensor(to_unit(pixels, self.recipe.dtype))

    def _tensor(self, array: NDArray[Any]) -> Any:
        return self._adapter.to_device({"x": array.astype(self.recipe.dtype)})["x"]

    def _path(self, name: str) -> Path:
        path = self.folder / f"{name}.png"
        print(path)
        return path
