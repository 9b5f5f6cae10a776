"""Makes one self-contained script of an answer, in the format that `ruff format` gives.

`script.txt` has what all scripts share. A line that ends with a comment such as `#: pytorch keras`
is for these frameworks, or kinds of questions, only (`pairs+keras`: for both at once). A comment
alone, such as `#: draws`, is the place of lines that are made here or in `slots`.
"""

import ast
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from knock import __version__, frameworks
from knock.errors import UserError
from knock.questions import Question
from knock.scripts.source import Definition, Source
from knock.standalone import layers, slots
from knock.standalone.layers import Taken
from knock.standalone.slots import Facts

_HERE = Path(__file__).parent
_WIDTH = 100
_CHANNELS_LAST = ("tensorflow", "keras")
_BUILD = {"chainer": slots.to_device, "keras": slots.call_once}
"""What a framework needs before the weights of a new model can be set."""

_BEFORE = {
    "keras": 'os.environ["KERAS_BACKEND"] = "tensorflow"',
    "chainer": """\
# Chainer was written for NumPy 1: a check that fails today, and names that no longer exist.
sys.modules["chainer._environment_check"] = SimpleNamespace(check=lambda: None)
np.sctypes = {"int": [np.int8, np.int16, np.int32, np.int64], "float": [np.float32, np.float64]}
np.float = float""",
}
"""What must come before a framework is imported."""


@dataclass(frozen=True)
class Script:
    """A script, and that part of it which the answer uses of its framework's adapter."""

    text: str
    layers: str


def make(question: Question, framework: str) -> Script:
    """The script of our answer to a question. Raises UserError where there is nothing to train."""
    _require_training(question)
    answer = Source.read(question.answer(framework))
    facts, lesson = Facts.of(question, framework in _CHANNELS_LAST), _lesson(answer)
    taken = layers.take(answer.tree)
    if any("ops" in _bound(node) for node in answer.tree.body):
        taken.definitions.pop("ops", None)
    text = _filled(facts, framework, lesson, taken)
    parts = Source.read(_HERE / "parts.py")
    needed = _needed(parts, text)
    text = text.replace("#: parts\n", "".join(f"{one}\n\n\n" for one in needed))
    known = [*answer.tree.body, *parts.tree.body, *taken.imports, *_IMPORTS]
    head = [_docstring(question, framework, answer), *_imports(known, text, framework)]
    put_in = [part for part in (_BEFORE.get(framework), taken.text) if part]
    return Script("\n\n".join(head) + f"\n\n\n{text}", "\n\n\n".join(put_in))


def _require_training(question: Question) -> None:
    if question.opens:
        raise UserError(
            f"question {question.label} trains nothing, it looks into a run of {question.opens}: "
            f"knock standalone {question.opens} makes a script that trains"
        )
    if "measure" in Source.read(question.answer(question.answered_in[0])).definitions:
        raise UserError(
            f"question {question.label} measures, with this project's data and tables, and makes "
            "no pictures: it has no script that stands alone"
        )


def _lesson(answer: Source) -> str:
    """The answer's text after its imports, without `train` and the end, word for word."""
    lines = answer.text.split("\n")
    last = max(
        node.end_lineno or 0
        for node in answer.tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    train, sample = answer.definitions["train"], answer.definitions["sample"]
    kept = lines[last : train.lineno - 1], lines[sample.lineno - 1 : sample.end_lineno]
    return "\n\n\n".join("\n".join(part).strip("\n") for part in kept)


def _filled(facts: Facts, framework: str, lesson: str, taken: Taken) -> str:
    """`script.txt` for one question and framework, but for its parts."""
    recipe, tags = facts.recipe, _tags(facts, framework, lesson)
    channels, height, width = recipe.image_shape
    before, table = slots.draws(facts)
    filling: dict[str, Iterable[str]] = {
        "constants": slots.constants(facts),
        "derived": slots.derived(facts, lesson),
        "layers": [f"{taken.text}\n\n"] if taken.text else [],
        "answer": [f"{lesson}\n\n"],
        "networks": slots.networks(facts),
        "build": _BUILD[framework](facts) if framework in _BUILD else [],
        "first": slots.first(facts),
        "parts": ["#: parts"],
        "shapes": before,
        "draws": table,
    }
    words = {
        "script": f"{facts.question.name}_{framework}",
        "class": recipe.class_name,
        "channels": channels,
        "height": height,
        "width": width,
        "batch_size": recipe.train.batch_size,
        "rounds": recipe.train.rounds,
        "steps": recipe.train.steps,
        "sample_every": recipe.train.sample_every,
        "shown": recipe.train.shown,
        "known": recipe.known or "",
    }
    lines: list[str] = []
    for line in (_HERE / "script.txt").read_text(encoding="utf-8").split("\n"):
        text, _, wanted = line.partition("#: ")
        if not text.strip() and wanted in filling:
            lines += filling[wanted]
        elif not wanted or any(tags.issuperset(one.split("+")) for one in wanted.split()):
            for word, value in words.items():
                text = text.replace(f"{{{word}}}", str(value))
            lines.append(text.rstrip())
    return "\n".join(lines)


def _tags(facts: Facts, framework: str, lesson: str) -> set[str]:
    found = {framework}
    if facts.recipe.pairs:
        found.add("pairs")
    elif facts.recipe.unpaired:
        found.add("unpaired")
    elif facts.recipe.known:
        found |= {"labels", "known"}
    else:
        found |= {"labels", "given"} if 'batch["labels"]' in lesson else {"plain"}
    if 'batch["step"]' in lesson:
        found.add("steps")
    if facts.means:
        found.add("means")
    found.add("rounds" if facts.has_rounds else "single")
    if facts.is_spectral:
        found.add("spectral")
    found.add("blocks" if facts.has_blocks else "flat")
    if facts.has_levels:
        found.add("levels")
    if "run.classes()" in lesson:
        found.add("classes")
    return found


def _docstring(question: Question, framework: str, answer: Source) -> str:
    """The answer's own, and what this file is."""
    title = frameworks.find(framework).title
    needs = "Keras with TensorFlow" if framework == "keras" else title
    made = (
        f"This file needs {needs}, NumPy and Pillow, nothing else. `knock standalone "
        f"{question.name}` of Image Generation Knock {__version__} made it (copyright 2026 its "
        "contributors, MIT\N{NO-BREAK SPACE}licence)."
    )
    lesson = (ast.get_docstring(answer.tree, clean=False) or "").strip("\n")
    return (
        f'"""{lesson}\n\n'
        + "\n".join(textwrap.wrap(made, _WIDTH)).replace("\N{NO-BREAK SPACE}", " ")
        + '\n"""'
    )


def _needed(parts: Source, text: str) -> list[str]:
    """Those functions of `parts` that a script calls, and those that they call, in their order."""
    own = {node.name: layers.plain(parts.text, node) for node in _functions(parts)}
    wanted: set[str] = set()
    waiting = [text]
    while waiting:
        here = waiting.pop()
        called = {name for name in own if re.search(rf"\b{name}\(", here)} - wanted
        waiting += [own[name] for name in called]
        wanted |= called
    return [one for name, one in own.items() if name in wanted]


def _functions(source: Source) -> Iterator[ast.FunctionDef]:
    return (node for node in source.tree.body if isinstance(node, ast.FunctionDef))


_IMPORTS = ast.parse(
    "import argparse, chainer, json, keras, math, os, sys, torch\n"
    "import numpy as np\n"
    "import tensorflow as tf\n"
    "from dataclasses import asdict, dataclass, fields\n"
    "from pathlib import Path\n"
    "from types import SimpleNamespace\n"
    "from PIL import Image\n"
).body
"""What `script.txt` may use."""


def _imports(known: Sequence[ast.stmt], text: str, framework: str) -> Iterator[str]:
    """Blocks of those imports that a script needs, sorted as ruff sorts them."""
    before = _BEFORE.get(framework, "")
    tree = ast.parse(f"{before}\n{text}")
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    plain: set[str] = set()
    members: dict[str, set[str]] = {}
    for node in known:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = alias.name + (f" as {alias.asname}" if alias.asname else "")
                if (alias.asname or alias.name) not in used or "knock" in ast.unparse(node):
                    continue
                if isinstance(node, ast.ImportFrom):
                    members.setdefault(node.module or "", set()).add(name)
                else:
                    plain.add(name)
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    lines = [(name, f"import {name}") for name in sorted(plain)]
    for module in sorted(members, key=str.lower):
        names = ", ".join(sorted(members[module], key=_order))
        lines.append((module, f"from {module} import {names}"))
    for module, line in lines:
        top = module.split()[0].split(".")[0]
        late = framework == "chainer" and top == "chainer"
        rank = 2 if late else int(top not in sys.stdlib_module_names)
        groups[rank].append(f"{line}  # noqa: E402" if late else line)
    blocks = [groups[0], groups[1], [before], groups[2]]
    if framework == "keras":  # a setting of the environment may stand between imports
        blocks = [groups[0], [before], groups[1]]
    yield from ("\n".join(block) for block in blocks if any(block))


def _order(name: str) -> tuple[int, str]:
    """ruff's order of names in one import: constants, classes, then the others."""
    own = name.split()[0]
    return 0 if own.isupper() and len(own) > 1 else 1 if own[0].isupper() else 2, own


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, Definition):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return set()
