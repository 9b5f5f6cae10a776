"""From a run to a file: which checkpoint is shown, with which data, and where the page goes."""

from pathlib import Path

from knock import data
from knock import recipe as recipes
from knock.errors import UserError
from knock.explore import page
from knock.files import refuse_foreign, write_atomically
from knock.questions import find
from knock.training import checkpoint as checkpoints
from knock.training import record
from knock.training.folders import newest_of

QUESTION = "vae"
FILE_NAME = "explore.html"
_MARK = "<!-- The page loads nothing: this policy makes the browser refuse it. -->"


def write(
    word: str, source: Path | None = None, out: Path | None = None, folder: Path | None = None
) -> Path:
    """Write the page of the checkpoint `source` (a run's folder, or a file), and return its path.

    Without `source` it is the newest run of the question in runs/; without `out` the page goes
    beside the checkpoint. `folder` has the data set's files, if they are not where the run found
    them. Raises UserError if any of them cannot be used.
    """
    question = find(word)
    if question.name != QUESTION:
        walks = not question.opens and recipes.load(question.recipe_file).from_noise
        instead = f"sample {question.name} --steps-between 10" if walks else f"explore {QUESTION}"
        raise UserError(
            f"question {question.label} has no page of its latent space; use knock {instead}"
        )
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out must name an HTML file, such as page.html, not {out}")
    source = source or newest_of(question.name)
    found, home = checkpoints.load_of(question.name, source)
    folder = folder or record.pictures_of(found, home)
    pictures = data.load(found.recipe.dataset, found.recipe.image_shape, "test", folder)
    path = out or home / FILE_NAME
    refuse_foreign(path, _MARK)
    write_atomically(path, page.make(found, pictures))
    return path
