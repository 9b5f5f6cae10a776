"""Where things are: in the repository, and in the current folder."""

from pathlib import Path

from knock.errors import UserError

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
QUESTIONS = ROOT / "questions"
ANSWERS = ROOT / "answers"
ANSWERS_IMAGE = ROOT / "answers_image"
ASSETS = ROOT / "assets"
DATASET = ROOT / "Dataset"

RUNS = Path("runs")
"""The default folder of runs, in the current folder."""

MY = Path("my")
"""The default folder of a learner's answers, in the current folder."""


def cache() -> Path:
    """The user's folder for what can be downloaded or computed again: on Linux `~/.cache/knock`.

    It is `knock` in the operating system's folder for caches, which `$XDG_CACHE_HOME` names there.
    """
    import pooch

    return Path(pooch.os_cache("knock"))


def require_repository() -> None:
    """Raise UserError if the package was installed without the questions and answers."""
    if not QUESTIONS.is_dir():
        raise UserError(
            f"no questions beside {PACKAGE}; work in a clone of the repository, installed with "
            "pip install -e ."
        )
