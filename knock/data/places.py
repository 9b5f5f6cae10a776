"""Where data sets are: the user's folder, `$KNOCK_DATA`, then the cache folder."""

import os
from pathlib import Path

from knock import paths
from knock.errors import UserError

VARIABLE = "KNOCK_DATA"
DOWNLOADS = "downloads"
"""Downloaded files have a folder of their own, so that they never replace a user's own files."""


def homes() -> list[Path]:
    """The folders of data sets: `$KNOCK_DATA` if it is set, then the cache folder."""
    named = os.environ.get(VARIABLE)
    theirs = [Path(os.path.expanduser(named))] if named else []
    return [*theirs, *([paths.cache()] if paths.has_home() else [])]


def require() -> None:
    """Raise UserError where there is no folder that could hold data sets."""
    if not homes():
        raise UserError(
            f"you have no home folder that could hold data sets; set {VARIABLE} to a folder"
        )


def _roots() -> list[Path]:
    """The same, never empty: without any there is a place where nothing can be."""
    return homes() or [paths.cache()]


def candidates(name: str, folder: Path | None) -> list[Path]:
    """Where the files of the set `name` may be, best first: in a subfolder `name`, or directly.

    With `folder`, only that folder is searched.
    """
    roots = [folder] if folder is not None else homes()
    return [place for root in roots for place in (root / name, root)]


def by_hand(name: str) -> Path:
    """The folder into which users put the files of a set that could not be downloaded."""
    return _roots()[0] / name


def downloads(name: str, file: str) -> Path:
    """The folder of a set's downloads: the first that has `file`, else the first of all."""
    places = [home / DOWNLOADS / name for home in _roots()]
    return next((place for place in places if (place / file).is_file()), places[0])
