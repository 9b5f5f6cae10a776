"""The HTML around the texts: a front page, and a page."""

import html
import re
from itertools import pairwise

from knock import paths, questions
from knock.verify.markdown import source

from gallery import markdown
from gallery.front import Card, Front
from gallery.site import Site, explorer_of
from gallery.words import OF, Words

MARK = "assets/make_gallery.py"
"""What a file of the gallery says of its maker."""
_OF_EXPLORER = "{}_explore.png"
"""The picture of the page that `knock explore` makes: it leads there, if that page is here."""


def front_page(site: Site, readme: str, front: Front) -> str:
    """The front page made of a README: its texts, a film, and a card for each question."""
    words = OF[readme]
    show = _Shown(site, readme, words)
    cards = "\n".join(_card(show, card) for card in front.cards)
    begin = show.link(front.cards[0].page)
    heading, note = front.questions
    body = f"""\
<a class="skip" href="#questions">{words.skip}</a>
<header>
{_navigation(show)}
<h1>{html.escape(front.title)}</h1>
<div class="lead">{show.text(front.lead)}</div>
<p class="begin"><a href="{begin}">{words.begin}</a></p>
{_hero(show, front.film) if front.film else ""}
</header>
<main>
<section id="questions" aria-labelledby="{show.anchor(heading)}">
<h2 id="{show.anchor(heading)}">{heading}</h2>
<ol class="cards">
{cards}
</ol>
<div class="note">{show.text(note)}</div>
</section>
<div class="prose below">
{_section(show, *front.start)}
{_section(show, *front.first)}
</div>
</main>
{_footer(show)}"""
    summary = re.sub(r"<[^>]+>", "", show.text(front.lead)).strip()
    return _whole(show, front.title, body, "front", summary)


def page(site: Site, name: str) -> str:
    """Any other page: its text, with the way to the front page and to the questions beside it."""
    show = _Shown(site, name, OF["README.md"])
    text = source(paths.ROOT / name)
    body = f"""\
<header>
{_navigation(show)}
</header>
<main class="prose">
{show.text(text)}
{_neighbours(show)}
</main>
{_footer(show)}"""
    return _whole(show, markdown.title(text), body, "page", "")


class _Shown:
    """A page while it is made: how its texts, links and pictures are written."""

    def __init__(self, site: Site, name: str, words: Words) -> None:
        self.site, self.name, self.words = site, name, words

    def text(self, text: str) -> str:
        return markdown.to_html(text, self.link, self.picture).strip()

    def link(self, target: str) -> str:
        return self.site.link(self.name, target)

    def to(self, page: str) -> str:
        """The way to a page, given by its path in the repository."""
        return self.site.relative(self.name, self.site.pages[page])

    def picture(self, target: str, alt: str) -> str:
        shown = self.site.picture(self.name, target, alt, self.words)
        for question in self.site.explorers:
            if target.endswith("/" + _OF_EXPLORER.format(question)):
                there = self.site.relative(self.name, explorer_of(question))
                return f'<a href="{there}">{shown}</a>'
        return shown

    def anchor(self, heading: str) -> str:
        return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _card(show: _Shown, card: Card) -> str:
    walk, text = "", source(paths.ROOT / card.page)
    for question in show.site.explorers:
        if _OF_EXPLORER.format(question) in text:  # the page has a picture of it
            walk = f'\n<p class="walk"><a href="{explorer_of(question)}">{show.words.walk}</a></p>'
    idea = markdown.in_line(card.idea, show.link)
    frame = "frame table" if card.is_table else "frame"
    return f"""\
<li class="card">
<div class="{frame}">{show.site.picture(show.name, card.picture, card.alt, show.words)}</div>
<h3><a href="{show.link(card.page)}"><span class="number">{card.number:02d}</span> \
{html.escape(card.title)}</a></h3>
<p>{idea[:1].upper()}{idea[1:]}{show.words.stop_sign}</p>{walk}
</li>"""


def _hero(show: _Shown, card: Card) -> str:
    film = show.picture(card.picture, card.alt).replace("<span", "<span data-auto", 1)
    caption = f"{card.number:02d} · {html.escape(card.title)}"
    return f"""\
<figure class="hero">{film}
<figcaption><a href="{show.link(card.page)}">{caption}</a></figcaption>
</figure>"""


def _section(show: _Shown, heading: str, text: str) -> str:
    return "<section>\n" + show.text(f"## {heading}\n{text}") + "\n</section>"


def _navigation(show: _Shown) -> str:
    """The links at the top: the front page, its other languages, the other pages."""
    front = show.name in OF
    items = [] if front else [f'<a class="home" href="{show.to("README.md")}">{_home()}</a>']
    items += [
        f'<a href="{show.to(other)}">{called}</a>'
        for other, called in show.words.others.items()
        if other != show.name
    ]
    items.append(f'<a href="{show.site.repository}">{show.words.repository}</a>')
    items += [
        f'<a href="{show.to(other)}" lang="{words.language}" hreflang="{words.language}">'
        f"{words.itself}</a>"
        for other, words in OF.items()
        if front and other != show.name and other in show.site.pages
    ]
    return f'<nav aria-label="{show.words.pages}">{" ".join(items)}</nav>'


def _home() -> str:
    return html.escape(markdown.title(source(paths.ROOT / "README.md")))


def _neighbours(show: _Shown) -> str:
    """On a question's page: the question before it and the one after it."""
    every = [None, *questions.all_questions(), None]
    for (before, here), after in zip(pairwise(every), every[2:], strict=False):
        if here and show.name == here.page.relative_to(paths.ROOT).as_posix():
            sides = [(before, "prev", "← "), (after, "next", "")]
            links = [
                f'<a rel="{rel}" href="{show.to(one.page.relative_to(paths.ROOT).as_posix())}">'
                f"{arrow}{one.number:02d} · {html.escape(one.title)}"
                f"{' →' if rel == 'next' else ''}</a>"
                for one, rel, arrow in sides
                if one
            ]
            return f'<nav class="neighbours" aria-label="Questions">{" ".join(links)}</nav>'
    return ""


def _footer(show: _Shown) -> str:
    address = f"{show.site.repository}/blob/main/{show.name}"
    return f'<footer><a href="{address}">{show.words.source}</a></footer>'


def _whole(show: _Shown, title: str, body: str, kind: str, summary: str) -> str:
    if summary:
        summary = f'<meta name="description" content="{html.escape(" ".join(summary.split()))}">\n'
    own = {
        name: show.site.relative(show.name, name) for name in ("style.css", "films.js", "icon.svg")
    }
    full = title if title == _home() else f"{title} · {_home()}"
    return f"""\
<!doctype html>
<html lang="{show.words.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="{MARK}">
<meta name="color-scheme" content="light dark">
{summary}<title>{html.escape(full)}</title>
<link rel="icon" href="{own["icon.svg"]}">
<link rel="stylesheet" href="{own["style.css"]}">
<script src="{own["films.js"]}" defer></script>
</head>
<body class="{kind}">
{body}
</body>
</html>
"""
