"""Where things are: in a clone or an installed package, and in the current folder."""

import os
from pathlib import Path

from knock.errors import UserError

PACKAGE = Path(__file__).resolve().parent
SHIPPED = PACKAGE / "shipped"
"""Where a wheel has what stands beside the package in a clone; hatch_build.py puts it there."""

IN_CLONE = not SHIPPED.is_dir()
ROOT = PACKAGE.parent if IN_CLONE else SHIPPED
QUESTIONS = ROOT / "questions"
ANSWERS = ROOT / "answers"
ANSWERS_IMAGE = ROOT / "answers_image"
ASSETS = ROOT / "assets"
DATASET = ROOT / "Dataset"

WHOLE = ROOT if IN_CLONE else PACKAGE
"""The folder that holds all of the project, and with it the answers."""

RUNS = Path("runs")
"""The default folder of runs, in the current folder."""

PROGRESS = "progress.jsonl"
"""The file with a learner's progress, in the folder of their answers."""


def my() -> Path:
    """The default folder of a learner's answers, as seen from the current folder.

    It is `my` in the current folder or, where that has none, in the nearest folder above in which
    somebody has begun: with `cd my`, too, the same answers are meant.
    """
    here = Path("my")
    if here.is_dir():
        return here
    above = (folder for folder in Path.cwd().parents if (folder / here / PROGRESS).is_file())
    return Path(os.path.relpath(next(above, Path.cwd()))) / here


def cache() -> Path:
    """The user's folder for what can be downloaded or computed again: on Linux `~/.cache/knock`.

    It is `knock` in the operating system's folder for caches, which `$XDG_CACHE_HOME` names there.
    """
    if not has_home():
        return Path(os.devnull, "knock")  # where nothing is, and nothing can be made
    import pooch

    return Path(pooch.os_cache("knock"))


def has_home() -> bool:
    """Whether the user has a place for caches: one who is only a number (in Docker) has none."""
    return "XDG_CACHE_HOME" in os.environ or os.path.expanduser("~") != "~"


def modules() -> list[Path]:
    """The package's own Python files, in order, without the answers that a wheel has in it."""
    return sorted(path for path in PACKAGE.rglob("*.py") if SHIPPED not in path.parents)


def shown(page: Path) -> str:
    """How texts name a page of the project: as in a clone, or by its whole path without one."""
    return page.relative_to(ROOT).as_posix() if IN_CLONE else str(page)


def require_questions() -> None:
    """Raise UserError if the questions are neither in the package nor beside it."""
    if not QUESTIONS.is_dir():
        raise UserError(
            f"no questions in or beside {PACKAGE}; install the whole project: pip install . in a "
            "clone of its repository"
        )


def require_clone(what: str) -> None:
    """Raise UserError if `what` is asked of an installed package, which has no such files."""
    if not IN_CLONE:
        raise UserError(f"{what} only in a clone of the repository; this package is in {PACKAGE}")
