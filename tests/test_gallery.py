"""The gallery: whole, without anything from elsewhere, and readable by everyone."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from knock import paths, questions
from knock.verify.markdown import FENCE, source

import pytest
from PIL import Image

EMPTY = {"meta", "link", "img", "br", "hr", "input"}
LOADED = {("img", "src"), ("script", "src"), ("link", "href"), ("span", "data-film")}
REPOSITORY = "https://example.org/knock"


class Page(HTMLParser):
    """A page's tags, where it leads, what it loads; raises where a tag has no partner."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        """What is said outside of code."""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self._open, f"{path}: never closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        assert len(found) == len(attributes), f"an attribute twice: {attributes}"
        self.tags.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.loaded += [found[name] for kind, name in LOADED if kind == tag and name in found]
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in EMPTY:
            self._open.pop()

    def handle_data(self, data):
        self.text += "" if "code" in self._open else data

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, f"</{tag}> ends {self._open[-3:]}"
        self._open.pop()


@pytest.fixture(scope="module")
def maker():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(paths.ASSETS))
        import make_gallery

        yield make_gallery


@pytest.fixture(scope="module")
def gallery(maker, tmp_path_factory):
    out = tmp_path_factory.mktemp("gallery") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maker, "explorer", lambda run: (run.name, "a page"))
        maker.make(out, f"{REPOSITORY}/", [Path("runs/vae"), Path("runs/dcgan")])
    return out


@pytest.fixture(scope="module")
def pages(gallery):
    return {
        path: Page(path) for path in gallery.rglob("*.html") if not path.name.startswith("explore_")
    }


def test_every_link_leads_somewhere(pages, gallery):
    """Within the gallery to a file and a heading; outside to a file that the repository has."""
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if link.startswith(REPOSITORY):
                there = link.removeprefix(REPOSITORY)
                file = re.sub("^/(blob|tree)/main/", "", there)
                assert not there or (paths.ROOT / file).exists(), f"{path}: {link}"
            elif not parts.scheme:
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                assert target.is_file() and target.is_relative_to(gallery), f"{path}: {link}"
                if parts.fragment and target in pages:
                    assert parts.fragment in pages[target].ids, f"{path}: {link}"


def test_nothing_is_loaded_from_elsewhere(pages, gallery):
    for path, page in pages.items():
        for one in page.loaded:
            assert not urlsplit(one).scheme and not one.startswith("/"), one
            assert (path.parent / one).resolve().is_file(), f"{path}: {one}"
    for file in ("style.css", "films.js", "icon.svg"):
        text = (
            (gallery / file).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        )
        assert not re.search(r"url\(|@import|https?:|fetch\(", text), file


@pytest.mark.parametrize("front", ["index.html", "index.ja.html"])
def test_every_question_is_on_the_front_page(front, pages, gallery):
    page = pages[gallery / front]
    for question in questions.all_questions():
        assert f"questions/{question.folder.name}/index.html" in page.links
    cards = [found for tag, found in page.tags if tag == "li" and found.get("class") == "card"]
    assert len(cards) == len(questions.all_questions())
    assert {"explore_vae.html", "explore_dcgan.html"} <= {*page.links}


def test_everybody_can_use_it(pages):
    """A language, one heading of the first level, none left out, a text for each picture."""
    for path, page in pages.items():
        assert page.tags[0] == ("html", {"lang": "ja" if ".ja." in path.name else "en"})
        assert len(page.ids) == len(set(page.ids)), f"{path}: an id twice"
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1 and levels[0] == 1, path
        assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False)), path
        for tag, found in page.tags:
            if tag == "img":
                assert found["alt"] and found["width"] and found["height"], f"{path}: {found}"


def test_a_film_begins_as_its_last_picture(pages, gallery):
    front = pages[gallery / "index.html"]
    films = [
        found["data-film"] for tag, found in front.tags if tag == "span" and "data-film" in found
    ]
    assert len(films) >= 2
    shown = [found["src"] for tag, found in front.tags if tag == "img"]
    assert not any(one.endswith(".gif") for one in shown)
    for film in films:
        still = gallery / film.replace(".gif", ".still.png")
        with Image.open(gallery / film) as moving, Image.open(still) as last:
            moving.seek(moving.n_frames - 1)
            assert moving.convert("RGB").tobytes() == last.convert("RGB").tobytes()


def test_every_formula_is_one(pages, gallery):
    for question in questions.all_questions():
        text = source(question.page)
        wanted = sum(language == "math" for language, _ in FENCE.findall(text))
        made = pages[gallery / "questions" / question.folder.name / "index.html"]
        shown = [found for tag, found in made.tags if tag == "math" and "display" in found]
        assert len(shown) == wanted
        assert made.text and "$" not in made.text and "\\" not in made.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "file.txt"], "file.txt is not a folder; choose another --out"),
        (["--out", "mine"], "mine holds something else than a gallery; choose another --out"),
        (["--out", "new", "--explore", "nowhere"], "nowhere"),
        (["--out", ""], "--out: must not be empty"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    words, said, maker, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_bytes(b"mine")
    Path("mine").mkdir()
    Path("mine/index.html").write_bytes(b"mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as left:
        maker.main(words)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert sorted(tmp_path.rglob("*")) == before
    assert Path("mine/index.html").read_bytes() == Path("file.txt").read_bytes() == b"mine"


def test_a_gallery_is_written_over_an_older_one(maker, tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text(
        f'<meta name="generator" content="{maker.templates.MARK}">'
    )
    maker.refuse_what_is_not_ours(tmp_path)
