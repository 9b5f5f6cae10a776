"""`--over`: every combination of some options, as the runs of a sweep.

    over = grid.read("loss=wasserstein,least_squares,norm=layer,spectral,seed=0:3")
    grid.cells(over)    # twelve, each with a name for its folder and the words of its run

A key is a constant of the recipe, `seed`, `lr`, `steps`, `batch_size`, `dataset`, `preset` or
`framework`, or any key that `--set` takes: those have a point in them.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knock.errors import UserError

OPTION = "--over"

SEED = "seed"
FRAMEWORK = "framework"

MOST = 1000
"""Runs in one sweep: more are a typing mistake."""

_RANGE = re.compile(r"(\d{1,9}):(\d{1,9})")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_UNFIT = re.compile(r"[^\w.+-]+")

Over = dict[str, list[str]]
"""Keys, each with its values, as they were written."""


@dataclass(frozen=True)
class Cell:
    """One run of a sweep: what it has of each key, in the order of the keys."""

    values: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of its folder: `norm=layer,seed=0` with what no folder's name may have."""
        parts = (f"{key.split('.')[-1]}_{value}" for key, value in self.values.items())
        return "-".join(_UNFIT.sub("_", part) for part in parts)

    @property
    def words(self) -> list[str]:
        """The options of its run, but for the framework."""
        found: list[str] = []
        for key, value in self.values.items():
            if key == FRAMEWORK:
                continue
            option = ["--set", f"{key}={value}"] if "." in key else [f"--{key.replace('_', '-')}"]
            found += option if "." in key else [*option, value]
        return found

    @property
    def setting(self) -> dict[str, str]:
        """The same without the seed: runs of one setting differ in nothing else."""
        return {key: value for key, value in self.values.items() if key != SEED}


def read(word: str) -> Over:
    """What a word such as `norm=layer,none,seed=0:3` says; `0:3` stands for 0, 1 and 2.

    Raises UserError for what is no such word.
    """
    found: Over = {}
    key = ""
    for piece in word.split(","):
        name, equals, value = piece.partition("=")
        if equals:
            key = name.strip().replace("-", "_")
            if not _NAME.fullmatch(key):
                raise UserError(f"{OPTION}: {name!r} is no key; write norm=layer,none,seed=0:3")
            if key in found:
                raise UserError(f"{OPTION} has {key} twice; give all its values at once")
            found[key] = []
        else:
            value = piece
        if not key or not value.strip():
            raise UserError(
                f"{OPTION} needs KEY=VALUE,VALUE,…, as in norm=layer,none, not {word!r}"
            )
        found[key] += _values(key, value.strip())
    for name, values in found.items():
        if len(set(values)) < len(values):
            raise UserError(f"{OPTION} has a value of {name} twice: {', '.join(values)}")
    if (count := math.prod(map(len, found.values()))) > MOST:
        raise UserError(f"{OPTION} asks for {count} runs; at most {MOST} go into one sweep")
    return found


def _values(key: str, word: str) -> list[str]:
    if not (found := _RANGE.fullmatch(word)):
        return [word]
    first, end = int(found[1]), int(found[2])
    if not 0 < end - first <= MOST:
        raise UserError(f"{OPTION}: {key}={word} is empty, or too long; 0:3 stands for 0, 1 and 2")
    return [str(number) for number in range(first, end)]


def cells(over: Over) -> list[Cell]:
    """Every combination of the values; the last key changes fastest. Raises UserError where two
    would have one folder."""
    found = [Cell(dict(zip(over, one, strict=True))) for one in itertools.product(*over.values())]
    names: dict[str, Cell] = {}
    for cell in found:
        other = names.setdefault(cell.name.lower(), cell)  # some systems do not tell a from A
        if other is not cell:
            raise UserError(f"{OPTION}: two runs would have one folder, {cell.name}")
    return found


def axes(over: Over) -> tuple[list[str], str]:
    """Which keys make the rows of a sheet, and which one its columns: the first two, if it can be.

    The seed is neither: its runs are one setting. The column is "" where only the seed differs.
    """
    keys: Sequence[str] = [key for key in over if key != SEED]
    if len(keys) < 2:
        return [], keys[0] if keys else ""
    return [key for key in keys if key != keys[0]], keys[0]
