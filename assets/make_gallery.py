"""The gallery: the pages of this repository as a small web site, with a front page to look at.

    python assets/make_gallery.py                       # into the folder site
    python assets/make_gallery.py --explore runs/vae    # with its page of knock explore, too

It needs no server and loads nothing from elsewhere: open site/index.html, or put the folder on any
web server. The workflow gallery.yml does that with GitHub Pages.
"""

import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from knock import paths
from knock.arguments import OneLineParser
from knock.arguments import folder as folder_word
from knock.errors import UserError, exit_with
from knock.explore.write import FILE_NAME
from knock.explore.write import write as write_explorer
from knock.training import checkpoint as checkpoints
from knock.verify.markdown import source

from gallery import front, templates
from gallery.site import Site, explorer_of
from gallery.words import OF


def make(out: Path, repository: str, runs: Sequence[Path] = ()) -> None:
    """Write the gallery into a folder, with the pages of knock explore of these runs.

    Raises UserError where the folder holds something else, or a run cannot be opened.
    """
    refuse_what_is_not_ours(out)
    explorers = dict(map(explorer, runs))
    made = {explorer_of(question): text for question, text in explorers.items()}
    site = Site(repository.rstrip("/"), explorers=frozenset(explorers))
    for name, file in site.pages.items():
        if name in OF:
            made[file] = templates.front_page(site, name, front.read(paths.ROOT / name))
        else:
            made[file] = templates.page(site, name)
    site.write(out, made)


def explorer(run: Path) -> tuple[str, str]:
    """A run's question, and the page that `knock explore` makes of it. Raises UserError."""
    question = checkpoints.load(run).recipe.question
    with tempfile.TemporaryDirectory() as folder:
        return question, source(write_explorer(question, run, Path(folder) / FILE_NAME))


def refuse_what_is_not_ours(out: Path) -> None:
    """Raise UserError if a folder holds anything but a gallery."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is not a folder; choose another --out")
    if any(out.iterdir()) and templates.MARK not in source(out / "index.html"):
        raise UserError(f"{out} holds something else than a gallery; choose another --out")


def repository() -> str:
    """The address in pyproject.toml."""
    project = tomllib.loads(source(paths.ROOT / "pyproject.toml"))["project"]
    return project["urls"]["Repository"]


def main(words: list[str] | None = None) -> None:
    """Make the gallery and exit: 0 done, 2 bad input."""
    parser = OneLineParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--out", type=folder_word, default="site", metavar="FOLDER", help="where it goes (site)"
    )
    parser.add_argument(
        "--explore",
        type=folder_word,
        action="append",
        default=[],
        metavar="RUN",
        help="a run to walk through in a page of its own; several times, for several",
    )
    parser.add_argument(
        "--repository", default=repository(), metavar="ADDRESS", help="where the code is"
    )

    def do() -> int:
        found = parser.parse_args(words)
        make(found.out, found.repository, found.explore)
        print(f"{found.out / 'index.html'}")
        return 0

    exit_with(do)


if __name__ == "__main__":
    main()
