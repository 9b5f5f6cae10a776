"""Every formula of a page arrives at the reader as it was written, and is one.

GitHub reads a page as Markdown first and looks for formulas in the result: there `\\,` has become a
comma, and `\\{` has lost its backslash. So a formula of its own stands in a block marked `math`,
which Markdown leaves alone; one within a sentence uses only what Markdown does not touch.
"""

import re
from html.parser import HTMLParser

from knock.verify.markdown import FENCE, source
from tests.test_docs import PAGES, name

import pytest
from markdown_it import MarkdownIt
from math_core import LatexError, LatexToMathML

READER = LatexToMathML(fancy_error=False)
REFUSED = {
    "operatorname",
    "mbox",
    "phantom",
    "href",
    "style",
    "class",
    "unicode",
    "def",
    "newcommand",
}
"""Commands that MathJax knows, but GitHub does not allow: github/markup issue 1688."""


class Texts(HTMLParser):
    """The pieces of text in some HTML, as they are shown; blocks of code marked `math` apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.pieces: list[str] = []
        self._in_code = self._in_math = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self._in_code |= tag == "code"
        self._in_math |= dict(attributes).get("class") == "language-math"
        self.pieces.append("")

    def handle_endtag(self, tag):
        if tag == "code":
            self._in_code = self._in_math = False
        self.pieces.append("")

    def handle_data(self, data):
        if self._in_math:
            self.blocks.append(data)
        elif not self._in_code:
            self.pieces[-1] += data


def rendered(text: str) -> Texts:
    return Texts(MarkdownIt("commonmark").enable("table").render(text))


def written(text: str) -> tuple[list[str], str]:
    """The formulas in blocks of their own, and the sentences around them, without code."""
    in_blocks = [block for language, block in FENCE.findall(text) if language == "math"]
    return in_blocks, re.sub(r"`[^`\n]*`", "`", FENCE.sub("", text))


def malformed(formula: str) -> str | None:
    """What is wrong with a formula's TeX."""
    try:
        READER.convert_with_local_state(formula, displaystyle=True)
    except LatexError as error:
        return str(error.args[0]).partition(": ")[2]
    refused = REFUSED & set(re.findall(r"\\([a-zA-Z]+)", formula))
    return f"GitHub does not allow \\{refused.pop()}" if refused else None


def wrong_in(text: str) -> list[str]:
    """What is wrong with the formulas of a page; each with the formula."""
    shown = rendered(text)
    in_blocks, sentences = written(text)
    found = [f"{why}: {formula}" for formula in in_blocks if (why := malformed(formula))]
    if shown.blocks != in_blocks:
        found.append("a block of Markdown is not where its fence is")
    for before, formula, after in re.findall(
        r"(^|[^$])\$([^$]+)\$([^$]|$)", sentences, re.MULTILINE
    ):
        if why := malformed(formula):
            found.append(f"{why}: {formula}")
        if "\n" in formula:
            found.append(f"two lines: {formula}")
        elif not any(f"${formula}$" in piece for piece in shown.pieces):
            found.append(f"changed by Markdown: {formula}")
        # Nothing but a space may stand before it, no letter after it: github/markup issue 1742.
        if before.strip() or not re.fullmatch(r"""[\s.,;:!?)"']?""", after):
            found.append(f"not between spaces: {before}${formula}${after}")
        if formula != formula.strip():
            found.append(f"spaces at its ends: {formula}")
    if "$$" in sentences:
        found.append("$$: use a block marked math")
    if sentences.count("$") % 2:
        found.append("a dollar without a partner")
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_formula_arrives_unchanged_and_is_well_formed(page):
    assert wrong_in(source(page)) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (r"So $x\,y$ is one.", "changed by Markdown"),
        (r"For $v \in \{0, 1\}$ it is.", "changed by Markdown"),
        (r"With $\lVert a \rVert_1$ and $(b)_{2} (c)_{3}$ it is.", "changed by Markdown"),
        (r"So $c*d$ and $e*f$ are.", "changed by Markdown"),
        ("| a |\n| --- |\n| $p(x|z)$ |\n", "changed by Markdown"),
        ("So $x +\ny$ is.", "two lines"),
        ("$$ x + y $$", "$$: use a block marked math"),
        ("The set ($x$) is.", "not between spaces"),
        ("The $x$-axis is.", "not between spaces"),
        ("The **$x$** is.", "not between spaces"),
        ("So $ x $ is.", "spaces at its ends"),
        ("It costs $5.", "a dollar without a partner"),
        (r"So $\frac{a}{b$ is.", "Expected closing token"),
        (r"So $\left( x$ is.", "Expected closing token"),
        (r"So $\lamda x$ is.", "Unknown command"),
        (r"So $\frac{a}$ is.", "Expected argument"),
        (r"So $x_$ is.", "Expected argument"),
        ("```math\n\\operatorname{tr} A\n```\n", "GitHub does not allow"),
        ("```math\n\\begin{pmatrix} a\n```\n", "Expected closing token"),
    ],
)
def test_a_broken_formula_is_noticed(text, why):
    assert any(found.startswith(why) for found in wrong_in(text)), wrong_in(text)


def test_a_block_needs_no_care():
    formula = r"u, v \in \{0, 1\}, \quad \begin{pmatrix} a \\ b \end{pmatrix}_1 * c_1"
    assert wrong_in(f"```math\n{formula}\n```\n") == []
