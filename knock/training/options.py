"""The options of a training run, the same for every answer and for `knock run`."""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock import recipe as recipes
from knock.arguments import OneLineParser, add_device, folder, place, positive, seed, up_to, word
from knock.errors import UserError
from knock.paths import RUNS
from knock.questions import Question
from knock.training import process

_MOST_THREADS = 1024

LAST = "last"
"""What `--resume` and `--test` stand for without a value: the newest run of this answer."""


@dataclass(frozen=True)
class Options:
    """The command line of a run, checked word by word; None where nothing was said.

    Each field is the option of its name. `given` is what `--set` sets, by the keys of the recipe
    file. `changes` is all other options in one: the tree that overrides the recipe.
    """

    dataset: str | None
    data: Path | None
    preset: str | None
    seed: int | None
    dtype: str | None
    size: tuple[int, int] | None
    channels: int | None
    augment: bool | None
    device: str
    threads: int | None
    out: Path | None
    resume: str | None
    test: str | None
    init: str | None
    quiet: bool
    given: dict[str, Any]
    changes: dict[str, Any]


def parser(question: Question, program: str) -> OneLineParser:
    """The parser for one question: the common options, and one for each of its constants.

    An option that changes the recipe has the key in the recipe file as its name: `train.steps`.
    Its help shows what it is otherwise, with the first data set and the default preset.
    """
    tree = recipes.read(question.recipe_file)
    sets = list(tree.get("data", {}))
    presets = list(tree.get("presets", {}))
    usual = recipes.load(question.recipe_file)
    train, (_, height, width) = usual.train, usual.image_shape
    rates = dict.fromkeys(f"{one.lr:g}" for one in usual.optimizers.values())
    made = OneLineParser(
        prog=program,
        allow_abbrev=False,
        description=f"Question {question.label}: {question.title}. In brackets: what "
        f"holds otherwise, with data set {sets[0]} and preset {recipes.DEFAULT_PRESET}; others "
        "bring their own values.",
    )
    what = made.add_argument_group("what is trained")
    what.add_argument(
        "--dataset", type=word, metavar="NAME", help=f"one of: {', '.join(sets)} ({sets[0]})"
    )
    what.add_argument(
        "--data", type=folder, metavar="FOLDER", help="where the pictures are (the set's own place)"
    )
    what.add_argument(
        "--size",
        type=_size,
        metavar="N|HxW",
        help=f"side of the pictures, pixels ({height}x{width})",
    )
    colours = what.add_mutually_exclusive_group()
    said = {1: "grey", 3: "colour"}[usual.image_shape[0]]
    for name, other, channels in (("grey", "gray", 1), ("colour", "color", 3)):
        colours.add_argument(
            f"--{name}",
            f"--{other}",
            dest="channels",
            action="store_const",
            const=channels,
            help=f"read the pictures in {name} ({said})",
        )
    what.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        help="random changes to training pictures, or none "
        f"({', '.join(usual.augment.changes) or 'none'})",
    )
    what.add_argument(
        "--preset",
        type=word,
        metavar="NAME",
        help=f"one of: {', '.join(presets)} ({recipes.DEFAULT_PRESET})",
    )
    what.add_argument(
        "--steps",
        dest="train.steps",
        type=positive,
        metavar="N",
        help=f"training steps ({train.steps})",
    )
    what.add_argument(
        "--batch-size",
        dest="train.batch_size",
        type=up_to(recipes.LARGEST_BATCH),
        metavar="N",
        help=f"pictures per step ({train.batch_size})",
    )
    what.add_argument(
        "--lr", type=_rate, metavar="X", help=f"learning rate ({' and '.join(rates)})"
    )
    what.add_argument("--seed", type=seed, metavar="N", help="another seed, another run (0)")
    for name, value in tree.get("constants", {}).items():
        what.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"constants.{name}",
            type=type(value),
            **_values(tree.get("choices", {}).get(name)),
            help=f"the recipe's constant {name!r} ({usual.constants[name]})",
        )
    if "pairs" in tree:
        what.add_argument(
            "--direction",
            dest="pairs",
            choices=("AtoB", "BtoA"),
            help=f"which picture of a pair is the input ({tree['pairs']})",
        )
    what.add_argument(
        "--set",
        action="append",
        type=word,
        metavar="KEY=VALUE",
        help="a key of the recipe, as the page's table names it, say "
        f"{_example(usual)}; goes before all other options; again for more (none)",
    )
    how = made.add_argument_group("how and where")
    add_how(how)
    how.add_argument("--dtype", choices=("float32", "float64"), help="float type (float32)")
    how.add_argument(
        "--sample-every",
        dest="train.sample_every",
        type=positive,
        metavar="N",
        help=f"steps between sample pictures, after the first few ({train.sample_every})",
    )
    how.add_argument(
        "--save-every",
        dest="train.save_every",
        type=positive,
        metavar="N",
        help=f"steps between checkpoints, or more where saving is slow ({train.save_every})",
    )
    how.add_argument(
        "--out",
        type=folder,
        metavar="FOLDER",
        help=f"the run's folder ({RUNS.name}/{question.name}_…)",
    )
    how.add_argument("--quiet", action="store_true", help="no first line, no progress bar")
    go_on = made.add_mutually_exclusive_group()
    go_on.add_argument(
        "--resume",
        type=place,
        nargs="?",
        const=LAST,
        metavar="RUN",
        help="go on with a run of any framework",
    )
    go_on.add_argument(
        "--test",
        type=place,
        nargs="?",
        const=LAST,
        metavar="RUN",
        help="no training: show what a run learnt",
    )
    go_on.add_argument(
        "--init",
        type=place,
        metavar="RUN",
        help="begin with the weights of a run of any framework (those that the recipe draws)",
    )
    return made


def _values(choices: Sequence[str] | None) -> dict[str, Any]:
    """How an option shows the values of a constant: its words, where only some are possible."""
    return {"choices": choices} if choices else {"metavar": "N"}


def _example(usual: recipes.Recipe) -> str:
    name, one = next(iter(usual.optimizers.items()))
    return f"optimizers.{name}.lr={one.lr / 2:g}"


def parse(question: Question, program: str, words: Sequence[str]) -> Options:
    """Read a command line. Raises UserError for what cannot be meant; exits after `--help`."""
    made = parser(question, program)
    said = vars(made.parse_args(words))
    tree = recipes.read(question.recipe_file)
    given = recipes.settings.read(said.pop("set") or [], tree)
    _refuse_twice(said, given, tree)
    changes = {name: said.pop(name) for name in [*said] if name not in Options.__annotations__}
    return Options(**said, given=given, changes=_tree(changes))


def _refuse_twice(said: Mapping[str, Any], given: Mapping[str, Any], tree: Any) -> None:
    """Raise UserError where `--set` and another option set the same key and nothing else."""
    for key in map(recipes.settings.bare, given):
        table, last = key.split(".")[0], key.split(".")[-1]
        dest, option = key, f"--{last.replace('_', '-')}"
        if key == "pairs":
            option = "--direction"
        elif table == "data" and last == "image":
            dest, option = "size", "--size"
        elif table == "optimizers" and last == "lr" and len(tree["optimizers"]) == 1:
            dest = "lr"
        if said.get(dest) is not None:
            raise UserError(f"{option} and --set {key} set the same; leave one of them out")


def _tree(values: dict[str, Any]) -> dict[str, Any]:
    """{"train.steps": 5, "lr": None} as {"train": {"steps": 5}}: what was not said is left out."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            *tables, key = name.split(".", 1)
            within = tree.setdefault(tables[0], {}) if tables else tree
            within[key] = value
    return tree


def _rate(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"must lie above 0 and at most at 1, not {word!r}")
    return value


def _size(word: str) -> tuple[int, int]:
    sides = [positive(side) for side in re.split("[x×]", word)]
    most = recipes.LARGEST_SIDE
    if len(sides) > 2 or max(sides) > most:
        raise argparse.ArgumentTypeError(
            f"must be a side or height x width of at most {most} pixels, not {word!r}"
        )
    return sides[0], sides[-1]


def add_how(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options that say on what to compute."""
    add_device(group)
    threads = up_to(_MOST_THREADS)
    group.add_argument(
        "--threads",
        type=threads,
        metavar="N",
        help=f"CPU threads (OMP_NUM_THREADS, or all cores but one: {spare_cores()})",
    )


def spare_cores() -> int:
    """As many threads as OMP_NUM_THREADS wishes; else all cores but one, if there are several.

    That one draws batches and writes checkpoints. A framework whose threads have to wait for a core
    loses more than that core is worth: PyTorch was measured ten times slower with two threads on
    two cores, one of them busy.
    """
    wish = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if re.fullmatch("[0-9]{1,4}", wish) and 1 <= int(wish) <= _MOST_THREADS:
        return int(wish)
    return max(1, process.cores() - 1)
