"""The package as a submission sees it: what an answer needs, without the judge.

It is a copy in a temporary folder, made for each grading. It has neither our answers nor the NumPy
ones, nor the NumPy layers.
"""

import shutil
from pathlib import Path

from knock import paths

FOLDER = "exam"
"""The name of the copy, in the folder that it is made in."""

_ONLY = {
    "check": {"difference.py", "forks.py", "trace.py"},
    "grade": {
        "__init__.py",
        "calls.py",
        "messages.py",
        "plain_text.py",
        "sandbox.py",
        "scratch.py",
        "worker.py",
    },
}
"""The folders of which only these files are copied; all others are copied whole, but for `_NOT`."""
_NOT = {
    "": {
        *("cli", "commands", "explore", "learner", "measure"),
        *("shipped", "standalone", "trained", "verify"),
    },
    "frameworks": {"numpy"},
}
"""What is left out, by folder. With the rest of `_ONLY` it covers all that knows the numbers."""

_NO_CHECKS = '"""An answer\'s numbers."""\n'
_NO_ANSWERS = '''"""Where our answers would be."""

raise ImportError("a submission cannot import our answers")
'''


def build(folder: Path) -> Path:
    """Make the copy under `folder`. Returns what to put on Python's path."""
    root = folder / FOLDER

    def left_out(place: str, names: list[str]) -> set[str]:
        here = Path(place).relative_to(paths.PACKAGE).as_posix()
        here = "" if here == "." else here
        if here in _ONLY:
            return set(names) - _ONLY[here]
        return {"__pycache__"} | _NOT.get(here, set())

    shutil.copytree(paths.PACKAGE, root / "knock", ignore=left_out)
    (root / "knock" / "check" / "__init__.py").write_text(_NO_CHECKS, encoding="utf-8")
    (root / "answers").mkdir()
    (root / "answers" / "__init__.py").write_text(_NO_ANSWERS, encoding="utf-8")
    for recipe in paths.QUESTIONS.glob("*/recipe.toml"):
        copy = root / "questions" / recipe.parent.name
        copy.mkdir(parents=True)
        shutil.copy(recipe, copy)
    return root
