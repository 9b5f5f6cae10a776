"""Where a run starts: anew, or from a checkpoint; with which recipe, data and folder."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knock import recipe as recipes
from knock.data import newts
from knock.errors import UserError
from knock.files import free
from knock.frameworks.adapter import State
from knock.paths import RUNS
from knock.questions import Question
from knock.recipe import Recipe
from knock.training import checkpoint as checkpoints
from knock.training import loss_log, record
from knock.training.checkpoint import Checkpoint
from knock.training.folders import newest, refuse_another_run
from knock.training.loss_log import Columns
from knock.training.options import LAST, Options

import msgspec


@dataclass(frozen=True)
class Origin:
    """`state` is None for a run from the first step.

    Otherwise `history` tells who took the steps so far, and `losses` what came of them.
    """

    recipe: Recipe
    folder: Path
    data_folder: Path | None
    step: int = 0
    state: State | None = None
    history: tuple[dict[str, Any], ...] = ()
    losses: Columns = field(default_factory=dict)


def decide(question: Question, framework: str, options: Options) -> Origin:
    """Settle how a run starts. Raises UserError where options and checkpoint do not fit."""
    word = options.resume or options.test
    if word is None:
        return _new(question, framework, options)
    source = options.out or newest(question, framework) if word == LAST else Path(word)
    begun = source is not None and (source.is_file() or (source / checkpoints.FILE_NAME).exists())
    if source is None or (word == LAST and not begun):
        if options.test:
            raise UserError(f"no run of {question.name} in {source or RUNS}: train one first")
        return _new(question, framework, options)  # stopped before it had begun: begin
    return _from_checkpoint(question, options, source)


def _new(question: Question, framework: str, options: Options) -> Origin:
    dataset = options.dataset or (_set_in(question, options.data) if options.data else None)
    recipe = recipes.load(
        question.recipe_file,
        dataset,
        options.preset or recipes.DEFAULT_PRESET,
        _changes(question, options, dataset),
        options.seed or 0,
        options.dtype or "float32",
    )
    folder = options.out or free(RUNS / f"{question.name}_{framework}")
    refuse_another_run(folder)
    return Origin(recipe, folder, options.data)


def _from_checkpoint(question: Question, options: Options, source: Path) -> Origin:
    found, home = checkpoints.load_of(question.name, source)
    known, losses = record.read_run(home), {}
    if found.step and (home / loss_log.FILE_NAME).exists():
        losses = loss_log.read(home)
        if known and set(known["losses"]) != set(losses) - {"step"}:
            raise UserError(
                f"{home / loss_log.FILE_NAME} has other losses than {home / record.FILE_NAME}"
            )
    folder = options.data or record.data_folder(known)
    recipe = _same_recipe(question, options, found, source)
    checkpoints.require_fit(found, recipe, source)
    if found.step > recipe.train.steps and options.test is None:
        raise UserError(f"{source} has taken {found.step} steps already; give a larger --steps")
    out = options.out or home
    if out.resolve() != home.resolve() and options.test is None:
        refuse_another_run(out)
    history = tuple(known.get("history", ()))
    return Origin(recipe, out, folder, found.step, found.state, history, losses)


def _same_recipe(question: Question, options: Options, found: Checkpoint, source: Path) -> Recipe:
    """The checkpoint's recipe, if it is also what the recipe file and the options ask for.

    How long to train, how often to draw and save, and what nothing is computed from may change.
    """
    old = recipes.without_retired(found.recipe, question.recipe_file)
    changes: dict[str, Any] = {
        "constants": old.constants,
        "train": msgspec.to_builtins(old.train),
        "optimizers": {name: {"lr": o.lr} for name, o in old.optimizers.items()},
        "image": old.image_shape,
        "pairs": old.pairs,
    }
    said = _changes(question, options, old.dataset)
    for table, values in said.items():
        changes[table] = {**changes[table], **values} if isinstance(values, dict) else values
    try:
        new = recipes.load(
            question.recipe_file,
            options.dataset or old.dataset,
            options.preset or old.preset,
            changes,
            old.seed if options.seed is None else options.seed,
            options.dtype or old.dtype,
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
        raise UserError(f"{source} is of another recipe: {different}")
    return new


def _changes(question: Question, options: Options, dataset: str | None) -> dict[str, Any]:
    changes = dict(options.changes)
    if options.size:
        tree = recipes.read(question.recipe_file)["data"]
        name = dataset or next(iter(tree))
        if name in tree:  # an unknown one is refused, with the choices, when the recipe is read
            changes["image"] = (tree[name]["image"][0], *options.size)
    return changes


def _set_in(question: Question, folder: Path) -> str:
    """Which set a folder given without `--dataset` is: newts by its layout, else any pictures."""
    return "newts" if newts.where(folder) else "folder"
