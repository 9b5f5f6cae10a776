"""What the front page shows, read off README.md or a translation of it: nothing is typed twice."""

import re
from dataclasses import dataclass
from pathlib import Path

from knock import paths, questions
from knock.verify.markdown import parts, source

from PIL import Image

_ROW = re.compile(
    r"^\| \d+ \| \*\*\[(?P<title>[^]]+)\]\((?P<page>[^)]+)\)\*\*: (?P<idea>.*?) "
    r'\| <img src="(?P<picture>[^"]+)".* alt="(?P<alt>[^"]*)"> \|$',
    re.MULTILINE,
)
_SHAPE = 8 / 5
"""Width over height of the pictures on the front page; style.css crops them to it."""
_CROPPED = 2
"""How many times wider or higher a picture may be."""
_TABLE = 1500
"""Pixels: no sheet of pictures is so wide, only the tables that runs draw are."""


@dataclass(frozen=True)
class Card:
    """A question on the front page. The paths are those in the repository."""

    number: int
    name: str
    title: str
    idea: str
    """In Markdown."""
    page: str
    picture: str
    """A film of the training, if one is kept; else the picture that fits a card best."""
    alt: str

    @property
    def is_table(self) -> bool:
        """Whether the picture is a table of numbers with pictures on its left."""
        with Image.open(paths.ROOT / self.picture) as opened:
            return opened.width >= _TABLE


@dataclass(frozen=True)
class Front:
    """The texts of a README, in Markdown, in the order in which they are shown."""

    title: str
    lead: str
    start: tuple[str, str]
    """The section before the questions: its heading and its text. Likewise the others."""
    questions: tuple[str, str]
    """Its text without the table."""
    cards: list[Card]
    film: Card | None
    """The question whose film is in the table."""
    first: tuple[str, str]


def read(readme: Path) -> Front:
    """The front page that a README describes."""
    text = source(readme)
    head = text.split("\n## ")[0]
    _, *paragraphs = head.strip().split("\n\n")
    sections = parts(readme, 2)
    here = next(i for i, (_, told) in enumerate(sections) if _ROW.search(told))
    heading, told = sections[here]
    cards = [_card(row) for row in _ROW.finditer(told)]
    films = {row["page"] for row in _ROW.finditer(told) if row["picture"].endswith(".gif")}
    return Front(
        title=head.splitlines()[0].removeprefix("# "),
        lead=max((one for one in paragraphs if not one.startswith("![")), key=len),
        start=sections[here - 1],
        questions=(heading, re.sub(r"^\|.*\n", "", told, flags=re.MULTILINE)),
        cards=cards,
        film=next((card for card in cards if card.page in films), None),
        first=sections[here + 1],
    )


def _card(row: re.Match[str]) -> Card:
    question = questions.find(Path(row["page"]).parent.name)
    kept = [row["picture"], *_kept_on(question.page)]
    films = [one for one in kept if one.endswith(".gif")]
    return Card(
        number=question.number,
        name=question.name,
        title=row["title"],
        idea=row["idea"],
        page=row["page"],
        picture=films[0] if films else _best(kept),
        alt=row["alt"],
    )


def _kept_on(page: Path) -> list[str]:
    """The results on a question's page: films and pictures, but not the sheets of comparisons."""
    found = re.findall(r"\.\./\.\./(answers_image/[\w.]+)", source(page))
    return [one for one in found if not one.endswith("_compare.png")]


def _best(pictures: list[str]) -> str:
    """The first picture, if a card can show most of it; else the one with the most pixels."""
    sizes = {}
    for picture in pictures:
        with Image.open(paths.ROOT / picture) as opened:
            sizes[picture] = opened.size
    width, height = sizes[pictures[0]]
    if 1 / _CROPPED < width / height / _SHAPE < _CROPPED:
        return pictures[0]
    return max(sizes, key=lambda picture: sizes[picture][0] * sizes[picture][1])
