"""Where things are: in the repository, and in the folder that somebody works in."""

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
"""Where runs go without `--out`: in the folder that one works in."""

MY = Path("my")
"""Where a learner's answers are unless they said otherwise: in the folder that one works in."""


def require_repository() -> None:
    """Raise UserError where the package was installed away from the questions and answers."""
    if not QUESTIONS.is_dir():
        raise UserError(
            f"no questions beside {PACKAGE}: work in a clone of the repository and install "
            "it with: pip install -e ."
        )
