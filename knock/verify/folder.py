"""The files of a question, one by one. Each function says what is wrong, and what to do.

None of it needs a framework.
"""

import re
from collections.abc import Callable
from pathlib import Path

from knock import frameworks, paths
from knock import recipe as recipes
from knock.check.difference import TOLERANCE
from knock.errors import UserError
from knock.questions import Question, hint_page, mistakes
from knock.recipe import layers
from knock.verify import markdown, reference

import msgspec

SECTIONS = [
    "The idea",
    "The layers",
    "The recipe",
    "Write it yourself",
    "What to look for",
    "Three things to try",
    "The paper",
]
"""The sections of a page, in their order: each is the beginning of a heading."""

_NUMBERS_ONLY = re.compile(r"differs?\b|times as large|^the gradient of|^right: |^$")
"""Words of a check which say that something is wrong, but not what was done."""


def recipe(question: Question) -> list[str]:
    """It loads with each preset and data set, and its networks can be built."""
    path, wrong = question.recipe_file, []
    try:
        tree = recipes.read(path)
        layers.networks(recipes.load_check(path))
    except UserError as error:
        return [str(error)]
    for preset in tree["presets"]:
        for dataset in tree["data"]:
            try:
                layers.networks(recipes.load(path, dataset, preset))
            except UserError as error:
                wrong.append(f"--preset {preset} --dataset {dataset}: {error}")
    return wrong


def page(question: Question) -> list[str]:
    """It has its sections, and shows what belongs to the question; the front page leads to it."""
    path = question.page
    if not path.is_file():
        return [f"no file {path}"]
    found = [heading for heading, _ in markdown.parts(path, 2)]
    told = set(markdown.links(path))
    wrong = [
        f"{path}: no section '## {title}'"
        for title in SECTIONS
        if not any(heading.startswith(title) for heading in found)
    ]
    wanted = ["recipe.toml", "hints.md", f"../../assets/{question.name}.png"]
    wanted += [f"../../answers/{question.answer(f).name}" for f in question.answered_in]
    wanted += [f"../../answers_image/{name}.png" for name in _pictures(question)]
    if question.reference_file.is_file():
        wanted.append("reference.py")
    wrong += [f"{path}: no link to {one}" for one in wanted if one not in told]
    front = path.relative_to(paths.ROOT).as_posix()
    if front not in markdown.links(paths.ROOT / "README.md"):
        wrong.append(f"README.md: no link to {front} in the table of questions")
    return wrong


def _pictures(question: Question) -> list[str]:
    """One for each framework; of a question that trains nothing, one for each of its methods."""
    each = question.answered_in
    if question.opens:
        each = list(recipes.load_check(question.recipe_file).methods)
    return [f"{question.name}_{one}" for one in each]


def links(question: Question) -> list[str]:
    """All links on its page and in its hints lead somewhere."""
    return [
        f"{path}: {link}: {why}"
        for path in (question.page, question.hints_file)
        for link, why in markdown.broken_links(path).items()
    ]


def hints(question: Question) -> list[str]:
    """Three levels of help with each part, the last two for every framework."""
    path = question.hints_file
    if not path.is_file():
        return [f"no file {path}"]
    levels = hint_page.read(path)
    if list(levels) != [1, 2, 3]:
        told = ", ".join(f"{number} · {level.title}" for number, level in levels.items()) or "none"
        return [f"{path}: three levels are wanted, '## 1 · A nudge' to '## 3 · …'; it has: {told}"]
    wanted = list(question.parts)
    titles = [frameworks.FRAMEWORKS[name].title for name in question.answered_in]
    wrong = []
    for number, level in levels.items():
        given = [part for part, text in level.parts.items() if text]
        if given != wanted:
            told = f"help below '### {', '.join(given) or 'nothing'}'"
            wrong.append(f"{path}: level {number} has {told}; the parts: {', '.join(wanted)}")
        silent = [title for title in titles if number > 1 and title not in level.text]
        wrong += [f"{path}: level {number} says nothing of {title}" for title in silent]
    return wrong


def figure(question: Question) -> list[str]:
    """It is in assets, and so is the script that draws it."""
    wanted = (f"{question.name}.png", f"draw_{question.name}.py")
    return [f"no file {p}" for name in wanted if not (p := paths.ASSETS / name).is_file()]


def pictures(question: Question) -> list[str]:
    """The answers' pictures are kept, each with a file that says how it was made."""
    wrong = []
    for name in _pictures(question):
        for suffix in (".png",) if question.opens else (".png", ".json"):
            path = (paths.ANSWERS_IMAGE / name).with_suffix(suffix)
            if not path.is_file():
                wrong.append(f"no file {path}: keep what a run of the answer made")
            elif suffix == ".json":
                wrong += _misnamed(path, question)
    return wrong


def _misnamed(path: Path, question: Question) -> list[str]:
    """A kept run of another question, or one that cannot be read."""
    try:
        told = msgspec.json.decode(path.read_bytes(), type=dict)
    except msgspec.DecodeError as error:
        return [f"{path}: {error}"]
    said = f"{told.get('question')}_{told.get('framework')}"
    return [] if path.stem == said else [f"{path}: it describes a run of {said}"]


def answers(question: Question) -> list[str]:
    """There is one in each framework."""
    return [
        f"no file {question.answer(name)}"
        for name in frameworks.FRAMEWORKS
        if name not in question.answered_in
    ]


def known_mistakes(question: Question) -> list[str]:
    """Each is planted or explained in every framework, and its words name it."""
    path = question.mistakes_file
    try:
        found, judged = mistakes.of(question), mistakes.suspects(path)
    except UserError as error:
        return [str(error)]
    wrong = [
        f"{path}: a mistake with a row `numpy`: {one.said!r} does not say what was done"
        for one in judged
        if _NUMBERS_ONLY.search(one.said)
    ]
    for one in found:
        if one.made_in and one.stage not in TOLERANCE:
            wrong.append(f"{path}: {one.name}: no stage {one.stage!r}; {', '.join(TOLERANCE)}")
        if one.made_in and not one.unnamed and _NUMBERS_ONLY.search(one.said):
            wrong.append(f"{path}: {one.name}: {one.said!r} does not say what was done")
    for row in mistakes.rows(found):
        for framework in row.silent:
            wrong.append(f"{path}: {row.name}: plant it in {framework}, or say why it is not")
    return wrong


LOOKS: dict[str, Callable[[Question], list[str]]] = {
    "recipe": recipe,
    "page": page,
    "links": links,
    "hints": hints,
    "figure": figure,
    "pictures": pictures,
    "answers": answers,
    "mistakes": known_mistakes,
    "reference": reference.known_mistakes,
}
"""What is looked at, by what it is called."""

IN_A_CLONE = {"links", "pictures"}
"""Those that need what an installed package lacks: what runs of the answers made, for the pages."""
