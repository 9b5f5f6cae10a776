"""Where a run starts: anew, or from a checkpoint; with which recipe, data and folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from knock import data
from knock import recipe as recipes
from knock.errors import UserError
from knock.frameworks.adapter import State
from knock.paths import RUNS
from knock.questions import Question
from knock.recipe import Recipe, fitting
from knock.training import checkpoint as checkpoints
from knock.training import elsewhere, loss_log, past, record
from knock.training.checkpoint import Checkpoint
from knock.training.folders import newest, refuse_another_run, refuse_foreign_test
from knock.training.options import LAST, Options
from knock.training.past import Columns, Past, Stretch
from knock.training.whose import OURS, folder_name

import msgspec


@dataclass(frozen=True)
class Origin:
    """`state` is None for a run from the first step; where no folder was said, `folder` is then the
    name whose first free number the run takes when it begins.

    Otherwise `history` tells who took the steps so far, in how many `seconds` each stretch, and
    `losses` what came of them; `home` is the folder of the checkpoint, and `mark` its mark when it
    was read. `dataset` is the set that pictures are read from: in a test, maybe another one than
    was learnt from. `weights` are the networks' first ones where the recipe does not draw them, and
    `init` says, also of a run that goes on, whose they were. `classes` and `pictures` are what
    was learnt from, as in `past`.
    """

    recipe: Recipe
    folder: Path
    dataset: str
    data_folder: Path | None
    step: int = 0
    state: State | None = None
    history: tuple[Stretch, ...] = ()
    seconds: Sequence[float] = ()
    losses: Columns = field(default_factory=dict)
    init: dict[str, Any] | None = None
    weights: State | None = None
    classes: tuple[str, ...] = ()
    pictures: dict[str, Any] | None = None
    home: Path | None = None
    mark: tuple[int, int, int] | None = None


def decide(question: Question, framework: str, options: Options, answer: str = OURS) -> Origin:
    """Settle how a run starts. Raises UserError where options and checkpoint do not fit.

    `answer` is whose it is, as in `whose`: that decides the folder where none is said.
    """
    name = folder_name(question.name, framework, answer)
    word = options.resume or options.test
    if word is None:
        return _new(question, name, options)
    source = options.out or newest(name) if word == LAST else Path(word)
    begun = source is not None and (source.is_file() or (source / checkpoints.FILE_NAME).exists())
    if source is None or (word == LAST and not begun):
        if options.test:
            raise UserError(f"no run {name} in {source or RUNS}: train one first")
        return _new(question, name, options)  # stopped before it had begun: begin
    return _from_checkpoint(question, options, source)


def _new(question: Question, name: str, options: Options) -> Origin:
    folder = options.out or RUNS / name
    if options.out is not None:
        refuse_another_run(folder)
    dataset = options.dataset or (data.set_in(options.data, "folder") if options.data else None)
    if options.init:
        return _from_weights(question, options, dataset, Path(options.init), folder)
    changes = _changes(question, options, dataset)
    if dataset == "folder" and options.data is not None:
        changes = _with_classes(question, changes, options.data)
    recipe = fitting.load(
        question.recipe_file,
        dataset,
        options.preset or recipes.DEFAULT_PRESET,
        changes,
        options.seed or 0,
        options.dtype or "float32",
        options.given,
    )
    return Origin(recipe, folder, recipe.dataset, options.data)


def _from_weights(
    question: Question, options: Options, dataset: str | None, source: Path, folder: Path
) -> Origin:
    """A new run that begins with another's weights, and is like it where no option says more.

    Another data set keeps its own random changes of a picture, another preset all that it says.
    """
    found, home = checkpoints.load_of(question.name, source)
    known = record.read_run(home)
    old = recipes.without_retired(found.recipe, question.recipe_file)
    dataset, preset = dataset or old.dataset, options.preset or old.preset
    base: dict[str, Any] = {}
    like = old if preset == old.preset else None
    said = _changes(question, options, dataset, like)
    if like:
        base = recipes.settings.changeable(old)
    if dataset != old.dataset:
        base.pop("data", None)
    recipe = recipes.load(
        question.recipe_file,
        dataset,
        preset,
        _laid(base, said),
        old.seed if options.seed is None else options.seed,
        options.dtype or old.dtype,
        options.given,
    )
    weights = checkpoints.weights(found, recipe, source)
    init = {
        "run": str(home.resolve()),
        "framework": found.framework,
        "step": found.step,
        "digest": checkpoints.digest(found.state),
    }
    pictures = options.data or (record.data_folder(known) if dataset == old.dataset else None)
    return Origin(recipe, folder, dataset, pictures, init=init, weights=weights)


def _from_checkpoint(question: Question, options: Options, source: Path) -> Origin:
    mark = checkpoints.mark(source)
    found, home = checkpoints.load_of(question.name, source)
    known = record.read_run(home)
    was = found.past or _past_beside(found, home, known)
    dataset = found.recipe.dataset
    folder = options.data or (Path(was.data) if was.data else None)
    if options.test is not None:
        dataset, folder = _tested(options, dataset, folder)
        options = replace(options, dataset=None)
    recipe = _same_recipe(question, options, found, source)
    checkpoints.require_fit(found, recipe, source)
    if found.step > recipe.train.steps and options.test is None:
        raise UserError(f"{source} has taken {found.step} steps already; give a larger --steps")
    out = options.out or home
    if options.test is not None:
        refuse_foreign_test(out)
    elif out.resolve() != home.resolve() or not (home / checkpoints.FILE_NAME).exists():
        refuse_another_run(out)
    return Origin(
        recipe,
        out,
        dataset,
        folder,
        found.step,
        found.state,
        was.history,
        past.seconds(known.get("history", ()), len(was.history)),
        was.losses,
        was.init,
        classes=was.classes,
        pictures=was.pictures,
        home=home,
        mark=mark,
    )


def _past_beside(found: Checkpoint, home: Path, known: Mapping[str, Any]) -> Past:
    """Of a checkpoint of an earlier version: what the files beside it say, as far as they can."""
    losses = loss_log.read(home) if (home / loss_log.FILE_NAME).exists() and found.step else {}
    return Past(
        history=past.until(known.get("history", ()), found.step),
        losses=losses,
        data=known.get("data"),
        init=known.get("init"),
        classes=tuple(known.get("classes") or ()),
    )


def _tested(options: Options, dataset: str, folder: Path | None) -> tuple[str, Path | None]:
    """Which pictures a test shows, and where they are: those said, else those of the run."""
    if options.dataset is not None:
        return options.dataset, options.data or (folder if options.dataset == dataset else None)
    return (data.set_in(options.data, dataset) if options.data else dataset), folder


def _same_recipe(question: Question, options: Options, found: Checkpoint, source: Path) -> Recipe:
    """The checkpoint's recipe, if it is also what the recipe file and the options ask for.

    How long to train, how often to draw and save, and what nothing is computed from may change.
    """
    old = recipes.without_retired(found.recipe, question.recipe_file)
    said = _changes(question, options, old.dataset, old)
    changes = _laid(recipes.settings.changeable(old), said)
    try:
        new = recipes.load(
            question.recipe_file,
            options.dataset or old.dataset,
            options.preset or old.preset,
            changes,
            old.seed if options.seed is None else options.seed,
            options.dtype or old.dtype,
            options.given,
        )
    except UserError as error:
        raise UserError(f"{source} is of another recipe: {error}") from None
    compared = msgspec.structs.replace(
        new,
        title=old.title,
        class_name=old.class_name,
        methods=old.methods,
        scores=old.scores,
        train=new.train.timed_as(old.train),
    )
    different = recipes.difference(old, compared)
    if different:
        other = f"; --init {source} begins a new run from its weights"
        more = elsewhere.instead(old, options, source) if options.test else other
        raise UserError(f"{source} is of another recipe: {different}{more}")
    return new


def _laid(base: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """One tree laid over another, table by table."""
    made = dict(base)
    for key, value in said.items():
        below = made.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            value = _laid(below, value)
        made[key] = value
    return made


def _changes(
    question: Question, options: Options, dataset: str | None, old: Recipe | None = None
) -> dict[str, Any]:
    """What the options change in the recipe of a data set; `old` is that of the run so far."""
    changes = dict(options.changes)
    tree = recipes.read(question.recipe_file)["data"]
    name = dataset or next(iter(tree))
    if name not in tree:  # refused, with the choices, when the recipe is read
        return changes
    if options.size or options.channels:
        channels, *size = old.image_shape if old else tree[name]["image"]
        changes["image"] = (options.channels or channels, *(options.size or size))
    if options.augment is not None:
        usual = recipes.Augment(**tree[name].get("augment", {}))
        if options.augment and not usual.changes:
            usual = data.usual_changes(name)
        augment = msgspec.to_builtins(usual if options.augment else usual.off)
        changes["data"] = {name: {"augment": augment}}
    return changes


def _with_classes(question: Question, changes: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The changes, with as many classes as the folder has, where networks are told of classes.

    Raises UserError where there are not two.
    """
    constants = changes.get("constants", {})
    usual = recipes.read(question.recipe_file).get("constants", {}).get("classes", 0)
    if not usual or "classes" in constants:
        return changes
    found = data.classes_in(folder)
    if len(found) < 2:
        only = f"one alone, {found[0]}" if found else "none"
        raise UserError(
            f"question {question.label} needs pictures of two classes at least, in a subfolder "
            f"each, such as {folder / 'cats'} and {folder / 'dogs'}; {folder} has {only}"
        )
    return {**changes, "constants": {**constants, "classes": len(found)}}
