"""Which files the gallery has, and how the links between them are written."""

import html
import io
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from knock import files, paths

from gallery.words import OF, Words
from PIL import Image, ImageSequence

HERE = Path(__file__).resolve().parent
OWN = ("style.css", "films.js", "icon.svg")
"""The files beside this one that go into the gallery as they are."""
FOLDERS = ("questions", "Dataset")
"""The folders whose pages are shown, besides the pages at the top."""
PICTURES = (".png", ".gif")
_MODEST = 760
"""Pixels: a smaller film is shown at twice its size."""


def pages() -> dict[str, str]:
    """The repository's pages that the gallery shows, and the file of each: GUIDE.md, GUIDE.html."""
    found = [*paths.ROOT.glob("*.md")]
    found += [page for folder in FOLDERS for page in (paths.ROOT / folder).rglob("*.md")]
    names = sorted(page.relative_to(paths.ROOT).as_posix() for page in found)
    return {name: _file_of(PurePosixPath(name)) for name in names}


def explorer_of(question: str) -> str:
    """The file with the page that `knock explore` made of a question's run."""
    return f"explore_{question}.html"


def _file_of(page: PurePosixPath) -> str:
    if page.stem.split(".")[0] == "README":
        return page.with_name(page.name.replace("README", "index")).with_suffix(".html").as_posix()
    return page.with_suffix(".html").as_posix()


@dataclass
class Site:
    """The files of a gallery, and what its pages turn out to need while they are made."""

    repository: str
    explorers: frozenset[str] = frozenset()
    """The questions of the runs that have a page of `knock explore` here."""
    pages: dict[str, str] = field(default_factory=pages)
    needed: set[str] = field(default_factory=set)
    """Pictures to copy, as paths in the repository and in the gallery."""
    stills: set[str] = field(default_factory=set)
    """Films whose last picture is needed, too."""

    def link(self, page: str, target: str) -> str:
        """A link of a page, as the page's file must have it.

        It leads to another file of the gallery, or to the repository for what is not shown here.
        """
        parts = urlsplit(target)
        if parts.scheme or not parts.path:
            return target
        found = os.path.normpath(PurePosixPath(page).parent / parts.path).replace(os.sep, "/")
        if f"{found}/README.md" in self.pages:
            found = f"{found}/README.md"
        if found in self.pages:
            return self.relative(page, self.pages[found]) + (
                f"#{parts.fragment}" if parts.fragment else ""
            )
        if found.endswith(PICTURES):
            self.needed.add(found)
            return self.relative(page, found)
        kind = "tree" if (paths.ROOT / found).is_dir() else "blob"
        return f"{self.repository}/{kind}/main/{found}"

    def relative(self, page: str, file: str) -> str:
        """The way from a page's file to another file of the gallery."""
        return os.path.relpath(file, PurePosixPath(self.pages[page]).parent).replace(os.sep, "/")

    def picture(self, page: str, target: str, alt: str, words: Words = OF["README.md"]) -> str:
        """A picture; a film as its last picture, and a button that plays it."""
        found = os.path.normpath(PurePosixPath(page).parent / target).replace(os.sep, "/")
        self.needed.add(found)
        with Image.open(paths.ROOT / found) as opened:
            width, height = opened.size
        film = found.endswith(".gif")
        if film:
            self.stills.add(found)
            if width < _MODEST // 2:
                width, height = 2 * width, 2 * height
        shown = still_of(found) if film else found
        tag = (
            f'<img src="{self.relative(page, shown)}" alt="{html.escape(alt)}" '
            f'width="{width}" height="{height}" loading="lazy" decoding="async">'
        )
        if not film:
            return tag
        return (
            f'<span class="film" data-film="{self.relative(page, found)}">{tag}'
            f'<button type="button" hidden data-stop="{words.stop}">{words.play}</button></span>'
        )

    def write(self, out: Path, made: dict[str, str]) -> None:
        """Write the pages, by their files, and what they need. Raises UserError if that fails."""
        for name in OWN:
            made[name] = (HERE / name).read_text(encoding="utf-8")
        for file, text in made.items():
            files.make_folder((out / file).parent)
            files.write_atomically(out / file, text)
        for name in self.needed:
            files.make_folder((out / name).parent)
            shutil.copyfile(paths.ROOT / name, out / name)
        for name in self.stills:
            files.write_atomically(out / still_of(name), _last_picture(paths.ROOT / name))


def still_of(film: str) -> str:
    """The file with a film's last picture."""
    return PurePosixPath(film).with_suffix(".still.png").as_posix()


def _last_picture(film: Path) -> bytes:
    with Image.open(film) as opened:
        for frame in ImageSequence.Iterator(opened):
            last = frame.convert("RGB")
    kept = io.BytesIO()
    last.save(kept, "PNG", optimize=True)
    return kept.getvalue()
