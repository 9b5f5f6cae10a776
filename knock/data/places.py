"""Where data sets lie: the reader's folder, `$KNOCK_DATA`, then the cache folder."""

import os
from pathlib import Path

VARIABLE = "KNOCK_DATA"
DOWNLOADS = "downloads"
"""Downloaded files have a folder of their own, so that nobody's own files are ever replaced."""


def homes() -> list[Path]:
    """The folders that hold sets: `$KNOCK_DATA` where it is set, then the cache folder.

    The cache folder is `knock` in the place that the operating system has for caches: under
    Linux `$XDG_CACHE_HOME` or `~/.cache`.
    """
    import pooch

    named = os.environ.get(VARIABLE)
    cache = Path(pooch.os_cache("knock"))
    return [Path(named).expanduser(), cache] if named else [cache]


def candidates(name: str, folder: Path | None) -> list[Path]:
    """Where the files of the set `name` may lie, best first: a subfolder of its name, or directly.

    With `folder` nothing but that folder is searched.
    """
    roots = [folder] if folder is not None else homes()
    return [place for root in roots for place in (root / name, root)]


def by_hand(name: str) -> Path:
    """Where to put the files of a set that could not be downloaded."""
    return homes()[0] / name


def downloads(name: str, file: str) -> Path:
    """The folder of a set's downloads: the first that has `file`, else the first home's."""
    places = [home / DOWNLOADS / name for home in homes()]
    return next((place for place in places if (place / file).is_file()), places[0])
