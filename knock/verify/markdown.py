"""What the checks of a page need to know of Markdown: sections, links, tables, blocks of code."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from knock import paths

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def source(page: Path) -> str:
    """A page's text; empty where there is none."""
    return page.read_text(encoding="utf-8") if page.is_file() else ""


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", source(page))


def parts(page: Path, level: int) -> list[tuple[str, str]]:
    """Each heading of a level, 2 for `##`, and all text below it, blocks of code too."""
    blocks = list(FENCE.finditer(text := source(page)))
    found = [
        one
        for one in re.finditer(rf"^#{{{level}}} (.*)$", text, re.MULTILINE)
        if not any(block.start() < one.start() < block.end() for block in blocks)
    ]
    ends = [one.start() for one in found[1:]] + [len(text)]
    return [(one[1], text[one.end() : end]) for one, end in zip(found, ends, strict=True)]


def links(page: Path) -> list[str]:
    """Where a page's links and pictures lead."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    return re.findall(r"\]\(([^()\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]*)"', text)


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, as GitHub calls them."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.*)$", prose(page), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        repeated = sum(
            re.fullmatch(rf"{re.escape(words)}(-\d+)?", one) is not None for one in found
        )
        found.append(f"{words}-{repeated}" if repeated else words)
    return set(found)


def wrong_with(link: str, page: Path) -> str | None:
    """Why a link on a page leads nowhere; None when it leads somewhere. Asks no network."""
    parts = urlsplit(link)
    if parts.scheme:
        domain = re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc)
        fine = parts.scheme in ("http", "https") and domain
        return None if fine else "no address"
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(paths.ROOT):
        return "leads out of the repository"
    if not target.exists():
        return "no such file"
    if parts.fragment and (target.suffix != ".md" or parts.fragment not in anchors(target)):
        return "no such heading"
    return None


def broken_links(page: Path) -> dict[str, str]:
    """The links of a page that lead nowhere, each with the reason."""
    return {link: why for link in links(page) if (why := wrong_with(link, page))}
