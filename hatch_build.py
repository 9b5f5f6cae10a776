"""What a wheel has besides `knock`: questions, answers, newts and pages, inside of the package.

In a clone they stand beside the package, and an editable installation leaves them there; so this
cannot be said in pyproject.toml, which knows no difference between the two. `knock/paths.py` finds
them in either place. What the answers produced (`answers_image`, 40 MB) and the tests stay out.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("questions", "answers", "Dataset", "assets")


class Shipped(BuildHookInterface[Any]):
    """Hatchling calls it before it packs a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folders and pages to what goes into the wheel."""
        if version == "editable":
            return
        pages = (page.name for page in Path(self.root).glob("*.md"))
        for name in (*FOLDERS, *pages, "LICENSE"):
            build_data["force_include"][name] = f"knock/shipped/{name}"
