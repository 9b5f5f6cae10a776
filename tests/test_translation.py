"""README.ja.md and README.md stay one page: the same commands, rows, pictures and links."""

import re

from knock import paths
from knock.verify.markdown import FENCE, links, parts, source

import pytest

ENGLISH, JAPANESE = paths.ROOT / "README.md", paths.ROOT / "README.ja.md"


def commands(text: str) -> list[tuple[str, str]]:
    """The blocks of code, each with its language, without comments, which may be translated."""
    return [(language, re.sub(r" *#.*", "", block)) for language, block in FENCE.findall(text)]


def rows(text: str) -> list[tuple[str, ...]]:
    """Of each question's row: its number, page, picture and the picture's width."""
    return re.findall(r'^\| (\d+) \|.*?\]\((.*?)\).*<img src="(.*?)" width="(\d+)"', text, re.M)


def others(page) -> list[str]:
    """The links and pictures of a page, sorted, without those between the two languages."""
    return sorted(one for one in links(page) if not one.startswith("README."))


def same(english: str, japanese: str) -> bool:
    return commands(english) == commands(japanese) and rows(english) == rows(japanese)


def test_commands_and_questions_are_the_same():
    assert len(rows(source(ENGLISH))) >= 13 and len(commands(source(ENGLISH))) >= 5
    assert commands(source(ENGLISH)) == commands(source(JAPANESE))
    assert rows(source(ENGLISH)) == rows(source(JAPANESE))


def test_sections_and_links_are_the_same():
    assert len(parts(ENGLISH, 2)) == len(parts(JAPANESE, 2))
    assert others(ENGLISH) == others(JAPANESE)


def test_each_leads_to_the_other():
    assert JAPANESE.name in links(ENGLISH) and ENGLISH.name in links(JAPANESE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("knock hint ae  ", "knock hint ae --level 2  "),
        ("questions/02_convae/README.md", "questions/01_ae/README.md"),
        ("answers_image/wgan_pytorch.png", "answers_image/gan_pytorch.png"),
        ("```sh\nsource", "```text\nsource"),
    ],
)
def test_a_difference_is_noticed(old, new):
    assert old in source(JAPANESE)
    assert not same(source(ENGLISH), source(JAPANESE).replace(old, new, 1))
