"""The package as a submission sees it: what an answer needs, without those who judge it.

It is a copy in a folder of its own, made for each grading. There are neither our answers nor the
NumPy ones in it, nor the layers that these are made of.
"""

import shutil
from pathlib import Path

from knock import paths

_INSIDE = {
    "check": {"trace.py"},
    "grade": {
        "__init__.py",
        "messages.py",
        "plain_text.py",
        "sandbox.py",
        "scratch.py",
        "worker.py",
    },
}
"""What runs beside a submission; of all that is not named here, everything does."""
_OUTSIDE = {
    "": {"cli.py", "commands", "explore", "learner", "verify"},
    "frameworks": {"numpy"},
}
"""What does not, by the folder that it is in: among it all that knows the right numbers."""

_NO_ANSWERS = '''"""Where our answers would be."""

raise ImportError("a submission cannot import our answers")
'''


def build(folder: Path) -> Path:
    """Make the copy under `folder`; what to put on the path of Python."""
    root = folder / "exam"

    def left_out(place: str, names: list[str]) -> set[str]:
        here = Path(place).relative_to(paths.PACKAGE).as_posix()
        here = "" if here == "." else here
        if here in _INSIDE:
            return set(names) - _INSIDE[here]
        return {"__pycache__"} | _OUTSIDE.get(here, set())

    shutil.copytree(paths.PACKAGE, root / "knock", ignore=left_out)
    (root / "knock" / "check" / "__init__.py").write_text('"""What is taken of an answer."""\n')
    (root / "answers").mkdir()
    (root / "answers" / "__init__.py").write_text(_NO_ANSWERS)
    for recipe in paths.QUESTIONS.glob("*/recipe.toml"):
        copy = root / "questions" / recipe.parent.name
        copy.mkdir(parents=True)
        shutil.copy(recipe, copy)
    return root
