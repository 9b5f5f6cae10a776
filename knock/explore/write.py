"""From a run to a file: which checkpoint is shown, with which data, and where the page goes."""

from pathlib import Path

from knock import data
from knock import recipe as recipes
from knock.errors import UserError
from knock.explore import generator, latent
from knock.files import refuse_foreign, write_atomically
from knock.questions import Question, find
from knock.trained import classes, directions
from knock.trained.opened import Opened, place
from knock.training import checkpoint as checkpoints
from knock.training import record
from knock.training.checkpoint import Checkpoint
from knock.training.folders import newest_of

LATENT = "vae"
"""The question with the page of a latent plane."""
FILE_NAME = "explore.html"
_MARK = "<!-- The page loads nothing: this policy makes the browser refuse it. -->"


def write(
    word: str, source: Path | None = None, out: Path | None = None, folder: Path | None = None
) -> Path:
    """Write the page of a run, and return its path.

    `word` names a question, and `source` a run of it (its folder, or a checkpoint), without which
    it is the newest one in runs/; or `word` is a run itself. Without `out` the page goes
    beside the checkpoint. `folder` has the data set's files, if they are not where the run found
    them; only the page of a latent plane needs them. Raises UserError if any of them cannot be
    used.
    """
    question, source = _meant(word, source)
    refuse_without_page(question)
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out must name an HTML file, such as page.html, not {out}")
    if folder is not None and question.name != LATENT:
        raise UserError(f"--data: the page of {question.name} shows no data set; leave it out")
    source = source or newest_of(question.name)  # a question without a page is refused first
    found, home = checkpoints.load_of(question.name, source)
    path = out or home / FILE_NAME
    refuse_foreign(path, _MARK)
    of = _of_latent if question.name == LATENT else _of_generator
    write_atomically(path, of(question, found, home, folder))
    return path


def _meant(word: str, source: Path | None) -> tuple[Question, Path | None]:
    """The question, and which run of it, if that was said."""
    path = Path(word)
    try:
        return find(word), source
    except UserError:
        if source is not None or not (path.exists() or path.name != word):
            raise  # a mistyped question: the line has those that there are
    run = place(word)
    return find(checkpoints.load(run).recipe.question), run


def refuse_without_page(question: Question) -> None:
    """Raise UserError for a question whose runs have neither a latent plane nor a generator."""
    recipe = recipes.load(question.recipe_file)
    if question.name == LATENT or (generator.noise_of(recipe) and not question.opens):
        return
    if question.opens:
        why = f"looks into runs of {question.opens}; use knock explore {question.opens}"
    elif recipe.from_noise:
        why = (
            "has no page: its pictures are made step by step; use knock sample "
            f"{question.name} --steps-between 10"
        )
    else:
        why = (
            "makes no pictures from noise; knock explore has a page for questions that do, such as "
            f"dcgan, and for {LATENT}"
        )
    raise UserError(f"question {question.label} {why}")


def _of_latent(question: Question, found: Checkpoint, home: Path, folder: Path | None) -> str:
    folder = folder or record.pictures_of(found, home)
    pictures = data.load(found.recipe.dataset, found.recipe.image_shape, "test", folder)
    return latent.make(found, pictures)


def _of_generator(question: Question, found: Checkpoint, home: Path, folder: Path | None) -> str:
    run = Opened(home, question, found, found.framework, None)
    return generator.make(found, classes.names(run), directions.read(home, found))
