"""`knock sample`: pictures that a run makes from noise, and the way from one noise to another."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock.data.batches import to_pixels
from knock.data.imageset import Pixels
from knock.errors import UserError
from knock.files import make_new_folder
from knock.recipe import Recipe
from knock.trained import classes, draws, film, output, walk
from knock.trained.model import Model
from knock.trained.opened import Opened

import numpy as np
from numpy.typing import NDArray

PROGRAM = "knock sample"

COUNT, EACH = 64, 8
"""How many pictures are made where nothing is said: in all, or of each class if there are some."""

MOST_WAYS = 100
"""All of them move in one film."""

_ACROSS = 8  # pictures in a line of a sheet, at least


@dataclass(frozen=True)
class Wish:
    """What is asked for: `count` pictures of these classes.

    With `between`, it is `count` ways from one noise to another, of so many pictures each.
    """

    seed: int = 0
    count: int | None = None
    classes: Sequence[str] = ()
    between: int | None = None
    separate: bool = False
    out: Path | None = None


@dataclass(frozen=True)
class _Row:
    """`count` pictures of one class, from the noise with number `first` on.

    `name` is what the row is called in a sheet, `files` are its pictures' names as single files.
    """

    name: str
    label: int
    first: int
    count: int
    files: list[str]


def sample(run: Opened, wish: Wish, device: str, threads: int) -> str:
    """Let a run make pictures, and write them; one line that says what is where.

    Raises UserError for a run that makes no pictures from noise, a class that it does not know, too
    many pictures for one sheet, and what cannot be written.
    """
    if run.recipe.from_noise is None:
        raise UserError(f"{run.folder} ({run.question.label}) {_instead(run)}")
    rows = _rows(run, wish)
    across = wish.between or max(_ACROSS, math.ceil(math.sqrt(max(row.count for row in rows))))
    place, moving = _place(run, wish, rows, across)
    model, about = Model(run, device, threads), _about(run, wish)
    if wish.between is None:
        made = [_still(model, run.recipe, row, wish.seed) for row in rows]
    else:
        shares = [*walk.even(wish.between), *walk.eased(film.FRAMES)]
        ways = [_way(model, run.recipe, row, wish.seed, shares) for row in rows]
        made = [way[: wish.between] for way in ways]
    if wish.separate:
        place = make_new_folder(place) if wish.out is None else place
        for row, pixels in zip(rows, made, strict=True):
            for file, one in zip(row.files, pixels, strict=True):
                output.write(place / file, one, PROGRAM, about)
    else:
        named = [(row.name, pixels) for row, pixels in zip(rows, made, strict=True)]
        new = output.is_chosen(wish.out)
        place = output.write_sheet(place, named, across, PROGRAM, about, new)
    told = f"{place}: {_counted(rows, run.recipe)}, {about}"
    if moving and wish.between is not None:
        moved = [(r.name, w[wish.between :]) for r, w in zip(rows, ways, strict=True)]
        moving = place / moving.name if wish.separate else place.with_suffix(film.ENDING)
        film.write(moving, moved, PROGRAM)
        told += f"; in motion: {moving}"
    return told


def _instead(run: Opened) -> str:
    if run.recipe.from_pictures is None:
        return "makes no pictures"
    return (
        "makes no pictures from noise, but from pictures: "
        f"knock apply {run.folder} PICTURE shows what it makes of yours"
    )


def _rows(run: Opened, wish: Wish) -> list[_Row]:
    """A row for each class, or one; in a walk, a row for each way."""
    numbers = classes.asked(run, wish.classes) or [0]
    if wish.count is not None:
        count = wish.count
    elif wish.between is not None:
        count = min(len(numbers), MOST_WAYS)
    else:
        count = COUNT if len(numbers) == 1 else EACH * len(numbers)
    if wish.between is not None and count > MOST_WAYS:
        raise UserError(f"--n: a walk has at most {MOST_WAYS} ways, not {count}")
    names, found = classes.names(run) or ("",), []
    for place, label in enumerate(numbers[:count]):
        of_it = len(range(place, count, len(numbers)))  # classes come in turn
        begin = f"seed{wish.seed}_"
        if run.classes:
            number, name = f"{label:0{len(str(run.classes - 1))}}", _for_file(names[label])
            begin = f"class{number}_{name}_{begin}" if name != number else f"class{number}_{begin}"
        if wish.between is None:
            found.append(_Row(names[label], label, 0, of_it, _numbered(begin, of_it)))
            continue
        for way, start in enumerate(_numbered(begin + "way", of_it, "_")):
            files = _numbered(start, wish.between)
            found.append(_Row(names[label], label, 2 * way, wish.between, files))
    return found


def _numbered(begin: str, count: int, end: str = ".png") -> list[str]:
    """Names with the numbers from 0 on, all of one length, so that they are sorted by number."""
    return [f"{begin}{i:0{len(str(count - 1))}}{end}" for i in range(count)]


def _for_file(name: str) -> str:
    """A class's name as a part of a file's name."""
    return re.sub(r"[^\w.-]+", "-", name)


def _place(run: Opened, wish: Wish, rows: Sequence[_Row], across: int) -> tuple[Path, Path | None]:
    """The sheet, or the folder of single pictures; and the film, if there is to be one."""
    name = "sampled" if wish.between is None else "walk"
    films = [] if wish.between is None else [f"{name}{film.ENDING}"]
    if wish.separate:
        files = [*films, *(file for row in rows for file in row.files)]
        folder = output.folder(wish.out, run.folder, name, files)
        return folder, folder / films[0] if films else None
    output.require_room([row.count for row in rows], across, run.recipe.image_shape)
    file = output.file(wish.out, run.folder, name, PROGRAM, film.ENDING if films else None)
    return file, file.with_suffix(film.ENDING) if films else None


def _still(model: Model, recipe: Recipe, row: _Row, seed: int) -> Pixels:
    """The pictures of a row, each from a noise of its own: uint8 N×H×W×C."""
    parts = []
    for first in range(0, row.count, draws.AT_ONCE):
        count = min(draws.AT_ONCE, row.count - first)
        batch = draws.of(recipe, seed, first, count, draws.AT_ONCE)
        parts.append(_asked(model, recipe, row, batch, count))
    return np.concatenate(parts)


def _way(model: Model, recipe: Recipe, row: _Row, seed: int, shares: Sequence[float]) -> Pixels:
    """The pictures at `shares` of the way from a row's first noise to the next: uint8 N×H×W×C."""
    ends = [_noise(recipe, seed, row.first + number) for number in (0, 1)]
    batch = {
        name: one
        if recipe.draws[name].fixed
        else walk.between(recipe.draws[name], one, ends[1][name], shares)
        for name, one in ends[0].items()
    }
    return _asked(model, recipe, row, batch, len(shares))


def _noise(recipe: Recipe, seed: int, number: int) -> dict[str, NDArray[Any]]:
    """What the picture with this number is made from: of what is fixed, all rows."""
    first = number - number % draws.AT_ONCE
    drawn = draws.of(recipe, seed, first, draws.AT_ONCE, draws.AT_ONCE)
    return {
        name: rows if recipe.draws[name].fixed else rows[number - first]
        for name, rows in drawn.items()
    }


def _asked(
    model: Model, recipe: Recipe, row: _Row, batch: dict[str, NDArray[Any]], count: int
) -> Pixels:
    assert recipe.from_noise is not None
    labels = np.full(count, row.label, np.int64)
    return to_pixels(model.ask(recipe.from_noise, {**batch, "labels": labels}))


def _about(run: Opened, wish: Wish) -> str:
    """Where the pictures come from."""
    way = ""
    if wish.between is not None:
        names = run.recipe.methods[run.recipe.from_noise or ""]
        draw = next(run.recipe.draws[name] for name in names if name in run.recipe.draws)
        way = f"on {walk.name(draw)} from one noise to another, "
    return f"{way}seed {wish.seed} ({run.told})"


def _counted(rows: Sequence[_Row], recipe: Recipe) -> str:
    _, height, width = recipe.image_shape
    count = sum(row.count for row in rows)
    return f"{count} picture{'s' if count > 1 else ''} of {width}×{height}"
