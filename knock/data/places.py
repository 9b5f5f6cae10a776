"""Where data sets are: the user's folder, `$KNOCK_DATA`, then the cache folder."""

import os
from pathlib import Path

from knock import paths

VARIABLE = "KNOCK_DATA"
DOWNLOADS = "downloads"
"""Downloaded files have a folder of their own, so that they never replace a user's own files."""


def homes() -> list[Path]:
    """The folders of data sets: `$KNOCK_DATA` if it is set, then the cache folder."""
    named = os.environ.get(VARIABLE)
    return [Path(named).expanduser(), paths.cache()] if named else [paths.cache()]


def candidates(name: str, folder: Path | None) -> list[Path]:
    """Where the files of the set `name` may be, best first: in a subfolder `name`, or directly.

    With `folder`, only that folder is searched.
    """
    roots = [folder] if folder is not None else homes()
    return [place for root in roots for place in (root / name, root)]


def by_hand(name: str) -> Path:
    """The folder into which users put the files of a set that could not be downloaded."""
    return homes()[0] / name


def downloads(name: str, file: str) -> Path:
    """The folder of a set's downloads: the first that has `file`, else the first of all."""
    places = [home / DOWNLOADS / name for home in homes()]
    return next((place for place in places if (place / file).is_file()), places[0])
