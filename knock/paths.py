"""Where things are in the repository."""

from pathlib import Path

from knock.errors import UserError

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
QUESTIONS = ROOT / "questions"
ANSWERS = ROOT / "answers"
ASSETS = ROOT / "assets"
DATASET = ROOT / "Dataset"
TESTS = ROOT / "tests"


def require_repository() -> None:
    """Raise UserError where the package was installed away from the questions and answers."""
    if not QUESTIONS.is_dir():
        raise UserError(
            f"no questions beside {PACKAGE}: work in a clone of the repository and install "
            "it with: pip install -e ."
        )
