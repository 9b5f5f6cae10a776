"""The commands that install a part of this project: in a clone, beside a wheel, in a notebook.

What a part needs is said in pyproject.toml only, under its name as an "extra".
"""

import importlib.metadata
import re
import tomllib

from knock import paths

NAME = "image-generation-knock"
_URL = "Repository, "


def command(extra: str) -> str:
    """The line that installs an extra here.

    Beside an installed package it names the packages that the extra stands for: pip would look for
    ours by name in an index, and could find somebody else's there.
    """
    if paths.IN_CLONE:
        return f'pip install -e ".[{extra}]"'
    return " ".join(["pip install", *(f'"{package}"' for package in _packages(extra))])


def from_anywhere(extra: str = "") -> str:
    """The line that installs the project and an extra of it where there is no clone."""
    name = f"{NAME}[{extra}]" if extra else NAME
    return f'pip install "{name} @ git+{address()}"'


def address() -> str:
    """The address of the project's repository."""
    if paths.IN_CLONE:
        text = (paths.ROOT / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["urls"]["Repository"])
    urls = importlib.metadata.metadata(NAME).get_all("Project-URL") or []
    return next(str(url)[len(_URL) :] for url in urls if url.startswith(_URL))


def _packages(extra: str) -> list[str]:
    """What an extra needs, as it was when this package was installed: `torch<3,>=2.3`."""
    needed = (line.partition(";") for line in importlib.metadata.requires(NAME) or [])
    ours = re.compile(rf"""extra *== *["']{extra}["']""")
    return [package.strip() for package, _, condition in needed if ours.search(condition)]
