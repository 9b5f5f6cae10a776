"""Makes a notebook of a script: its text, a cell for each of its pieces, and cells to run it.

The notebook is first written as a script in jupytext's "percent" format, and jupytext converts it.
The same script gives the same bytes.
"""

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from knock import frameworks, installing
from knock.frameworks import Framework
from knock.questions import Question
from knock.scripts import starter

_RUN = ("train", "sample", "measure", "look")
"""The functions that a script passes to `main`."""

_END = "end"

_Definition = ast.FunctionDef | ast.ClassDef

_SET_UP = """\
import importlib.util
import os
from pathlib import Path

if importlib.util.find_spec("knock") is None:
    raise ModuleNotFoundError("knock is not installed for this kernel; see Set-up above")
if Path.cwd().name == "my":  # Jupyter starts here, but runs and progress go beside this folder
    os.chdir("..")
"""


@dataclass(frozen=True)
class _Piece:
    """Lines of a script that belong together, and the name that they define, if it is only one."""

    name: str
    text: str


def make(question: Question, framework: str, source: str, file: str | None, page: str) -> str:
    """The notebook, as text, of an answer's script.

    `file` is where its check writes what the cells define; None for an answer that needs no check.
    `page` names the question's page, as a link if possible. Raises SyntaxError if the source is not
    Python.
    """
    import jupytext

    cells = _cells(question, frameworks.find(framework), source, file, page)
    percent = "\n".join(
        f"# %% [markdown]\n{_commented(text)}\n" if is_text else f"# %%\n{text}\n"
        for is_text, text in cells
    )
    form = {"extension": ".py", "format_name": "percent", "comment_magics": False}
    notebook = jupytext.reads(percent, fmt=form)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{number}", {}  # jupytext's ids are random
    text: str = jupytext.writes(notebook, fmt="ipynb")
    return text.rstrip("\n") + "\n"


def _commented(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.split("\n"))


def _cells(
    question: Question, framework: Framework, source: str, file: str | None, page: str
) -> Iterator[tuple[bool, str]]:
    """Each cell: whether it is text, and its content."""
    tree = ast.parse(source)
    yield True, _head(question, framework, ast.get_docstring(tree), page)
    yield True, _how_to_set_up(framework)
    yield False, _SET_UP
    owners: dict[str, list[str]] = {}
    for place in starter.places(source, question.parts):
        owner = owners.setdefault(place.name.split(".")[0], [])
        owner += [place.part] if place.part not in owner else []
    above = ""
    for piece in _pieces(source, tree):
        heading = _heading(piece.name, owners.get(piece.name, [])) or above
        if heading != above:
            yield True, f"## {heading}"
        above = heading
        yield False, piece.text
    given = _given_to_main(source, tree)
    if file is not None:
        yield (
            True,
            (
                "## Check\n\nIt shows for each part whether it is right, and if not, why. Run it "
                "as often as you like, after the cells that you changed. If you are stuck, run "
                f"`!knock hint {question.name}` in a cell."
            ),
        )
        yield (
            False,
            (
                "from knock.notebook.cells import check\n\n"
                f'check("{question.name}", "{framework.name}", "{file}")'
            ),
        )
    if given:
        yield from _run(question, framework, given)


def _head(question: Question, framework: Framework, docstring: str | None, page: str) -> str:
    """The title, the script's docstring without its first line, and where the page is."""
    lesson = (docstring or "").partition("\n")[2].strip("\n")
    return "\n\n".join(
        filter(
            None,
            [
                f"# {question.number:02d} · {question.title}, in {framework.title}",
                lesson,
                "The idea, the formulas, and what to look for are on the question's page, "
                f"{page} in the repository.",
            ],
        )
    )


def _how_to_set_up(framework: Framework) -> str:
    if framework.name == "chainer":
        lines = [*framework.how_to_install.split(" && "), installing.from_anywhere()]
    else:
        lines = [installing.from_anywhere(framework.name)]
    return "\n".join(
        [
            "## Set-up",
            "",
            "If `knock` is installed for this kernel, there is nothing to do. If not, as in Colab, "
            f"run {'these lines' if lines[1:] else 'this line'} in a cell. Then restart the kernel "
            "(Colab: *Runtime*, *Restart session*), and run all cells.",
            "",
            *(f"    %{line}" for line in lines),
        ]
    )


def _heading(name: str, parts: list[str]) -> str:
    """The heading above a piece; empty if the heading above the piece before also fits."""
    if name in _RUN:
        return "The run"
    if len(parts) > 1:
        return f"The model: {', '.join(parts)}"
    return parts[0].capitalize() if parts else ""


def _pieces(source: str, tree: ast.Module) -> Iterator[_Piece]:
    """The script without its docstring and its end: imports, then each function and class.

    A comment belongs to what is below it.
    """
    lines = source.split("\n")
    body = list(tree.body)
    above = 0
    if ast.get_docstring(tree) is not None:
        above = body.pop(0).end_lineno or 0

    def kind(node: ast.stmt) -> tuple[str, int]:
        if isinstance(node, _Definition) or _is_end(node):
            return getattr(node, "name", _END), node.lineno  # a group of its own
        return ("imports" if isinstance(node, ast.Import | ast.ImportFrom) else ""), 0

    for (name, _), group in itertools.groupby(body, kind):
        nodes = list(group)
        end = nodes[0].lineno - 1 if name == _END else nodes[-1].end_lineno
        text = "\n".join(lines[above:end]).strip("\n")
        if text:
            yield _Piece(name, text)
        above = nodes[-1].end_lineno or 0
    if text := "\n".join(lines[above:]).strip("\n"):
        yield _Piece("", text)


def _is_end(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def _given_to_main(source: str, tree: ast.Module) -> str:
    """The arguments that a script passes to `main` at its end; empty if there is no `main`."""
    for end in filter(_is_end, tree.body):
        for node in ast.walk(end):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "main":
                return ", ".join(ast.get_source_segment(source, one) or "" for one in node.args)
    return ""


def _run(question: Question, framework: Framework, given: str) -> Iterator[tuple[bool, str]]:
    """The cells that start a run and show its results."""
    if question.opens:
        yield (
            True,
            (
                f"## Look\n\nThis opens the newest run of {question.opens} in `runs`, from any "
                "framework. If there is none, the first line makes one."
            ),
        )
        yield (
            False,
            (
                "from knock.notebook.cells import launch, provide, show\n\n"
                f'provide("{question.opens}", "{framework.name}")\n'
                'options = ""  # "--help" lists them\n'
                f"folder = launch({given}, options=options)"
            ),
        )
    else:
        yield (
            True,
            (
                f"## Train\n\nThe options are those of `knock run {question.name}`: try "
                '`"--dataset digits"`, `"--steps 300 --seed 1"`, or `"--help"`, which lists them. '
                "Each run has a folder of its own. If you interrupt the kernel, it stops after the "
                'current step; `"--resume"` continues.'
            ),
        )
        yield (
            False,
            (
                "from knock.notebook.cells import launch, show\n\n"
                'options = "--preset quick"\n'
                f"folder = launch({given}, options=options)"
            ),
        )
    yield True, "## The result"
    yield False, "show(folder)"
