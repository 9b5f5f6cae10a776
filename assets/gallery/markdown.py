"""Markdown as HTML for the gallery: read as GitHub reads it, with formulas as MathML."""

import html
import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from math_core import LatexToMathML
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

_IMG = re.compile(r'<img src="([^"]*)".*? alt="([^"]*)">')
_FORMULA = re.compile(
    r"""<span class="math inline">(<math>.*?</math>)</span>([.,;:!?)"']*)""", re.DOTALL
)
"""A formula in a sentence, and what must not begin the next line."""
_BAR = re.compile(r'<mover accent="true">(<mi>.</mi><mo stretchy="false">¯)')
"""A letter with a bar: as an accent, math fonts draw it on the letter instead of above."""


class Renderer(RendererHTML):
    """Formulas in blocks, and tables that can be scrolled by themselves on a narrow screen."""

    def fence(self, tokens, idx, options, env) -> str:
        if tokens[idx].info == "math":
            return f'<div class="wide formula">{_formula(tokens[idx].content, True)}</div>\n'
        return super().fence(tokens, idx, options, env)

    def table_open(self, tokens, idx, options, env) -> str:
        return '<div class="wide">' + self.renderToken(tokens, idx, options, env)

    def table_close(self, tokens, idx, options, env) -> str:
        return self.renderToken(tokens, idx, options, env).rstrip() + "</div>\n"


def _formula(content: str, in_a_block: bool = False) -> str:
    made = _TEX.convert_with_local_state(content.strip(), displaystyle=in_a_block)
    return _BAR.sub(r"<mover>\1", made)


def _in_a_sentence(content: str, _options: object) -> str:
    return _formula(content)


_TEX = LatexToMathML()
_READER = MarkdownIt("commonmark", renderer_cls=Renderer).enable(["table", "strikethrough"])
_READER.use(anchors_plugin, max_level=6)
_READER.use(dollarmath_plugin, renderer=_in_a_sentence, double_inline=False)


def to_html(text: str, link: Callable[[str], str], picture: Callable[[str, str], str]) -> str:
    """A text as HTML. `link` says where a link leads; `picture` shows a source with its alt."""
    tokens = _READER.parse(text)
    for token in _every(tokens):
        if token.type == "link_open":
            token.attrs["href"] = link(str(token.attrs["href"]))
        elif token.type == "image":
            alt = _READER.renderer.renderInlineAsText(token.children or [], _READER.options, {})
            token.type, token.content = "html_inline", picture(str(token.attrs["src"]), alt)
        elif token.type in ("html_inline", "html_block"):
            token.content = _IMG.sub(
                lambda found: picture(found[1], html.unescape(found[2])), token.content
            )
    made = _READER.renderer.render(tokens, _READER.options, {})
    return _FORMULA.sub(r'<span class="whole">\1\2</span>', made)


def in_line(text: str, link: Callable[[str], str]) -> str:
    """A sentence as HTML, without a paragraph around it."""
    made = to_html(text, link, lambda *_: "").strip()
    return made.removeprefix("<p>").removesuffix("</p>")


def title(text: str) -> str:
    """A page's first heading, as text."""
    tokens = _READER.parse(text)
    heading = next(i for i, token in enumerate(tokens) if token.type == "heading_open")
    return "".join(one.content for one in tokens[heading + 1].children or [])


def _every(tokens: list[Token]):
    for token in tokens:
        yield token
        yield from token.children or []
