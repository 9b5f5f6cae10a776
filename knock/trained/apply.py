"""`knock apply`: what a run makes of the user's own pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock import data
from knock.data import folder as folders
from knock.data import images, resize
from knock.data.batches import painted, to_pixels, to_unit, unit_pair
from knock.data.imageset import Pixels
from knock.errors import UserError
from knock.files import make_new_folder
from knock.recipe import Recipe
from knock.trained import draws, output
from knock.trained.model import Model
from knock.trained.opened import Opened

import numpy as np
from numpy.typing import NDArray

PROGRAM = "knock apply"

_ACROSS = 8  # pictures in a line of a sheet
_BACK = "generate_back"
_DRAWN = 63  # of 255: a lighter pixel of a mask belongs to its figure


@dataclass(frozen=True)
class Wish:
    """What is asked for: the results of these files, and of the pictures in these folders.

    With `back`, a run that translates both ways goes from its second kind of pictures to its first.
    """

    pictures: Sequence[Path]
    seed: int = 0
    invert: bool = False
    separate: bool = False
    out: Path | None = None
    back: bool = False


@dataclass(frozen=True)
class Applied:
    """One line that says what is where, if anything is; and what is wrong with other pictures."""

    told: str | None
    failed: list[UserError]


def apply(run: Opened, wish: Wish, device: str, threads: int) -> Applied:
    """Let a run make something of each picture, and write that.

    Pictures that cannot be read are left out. Raises UserError for a run that makes nothing of
    pictures, for a missing device, and for what cannot be written.
    """
    recipe = run.recipe
    if recipe.from_pictures is None:
        raise UserError(f"{run.folder} ({run.question.label}) {_instead(run)}")
    if wish.back and _BACK not in recipe.methods:
        raise UserError(f"{run.folder} ({run.question.label}) goes one way only; leave --back out")
    paths, failed = _files(wish.pictures)
    read = images.in_parallel(lambda path: _read(path, recipe, wish.invert), paths)
    failed += [one for one in read if isinstance(one, UserError)]
    given = {p: one for p, one in zip(paths, read, strict=True) if not isinstance(one, UserError)}
    if not given:
        return Applied(None, failed)
    names = _names(list(given))
    if wish.separate:
        place = output.folder(wish.out, run.folder, "applied", names)
    else:
        lines = [_ACROSS] * -(-len(given) // _ACROSS)
        output.require_room([*lines, *lines], _ACROSS, recipe.image_shape)
        place = output.file(wish.out, run.folder, "applied", PROGRAM)
    inputs = np.stack(list(given.values()))
    method = _BACK if wish.back else recipe.from_pictures
    made = _made(Model(run, device, threads), run, method, inputs, wish.seed)
    if wish.separate:
        place = make_new_folder(place) if wish.out is None else place
        for name, one in zip(names, made, strict=True):
            output.write(place / name, one, PROGRAM, run.told)
    else:
        rows = [
            (name, pixels[first : first + _ACROSS])
            for first in range(0, len(inputs), _ACROSS)
            for name, pixels in (("input", inputs), ("result", made))
        ]
        new = output.is_chosen(wish.out)
        place = output.write_sheet(place, rows, _ACROSS, PROGRAM, run.told, new)
    _, height, width = recipe.image_shape
    count = f"{len(given)} picture{'s' if len(given) > 1 else ''}"
    return Applied(f"{place}: {count}, made {width}×{height} ({run.told})", failed)


def _instead(run: Opened) -> str:
    if run.recipe.from_noise is None:
        return "makes no pictures"
    return f"makes no picture of a picture, but pictures from noise: knock sample {run.folder}"


def _files(named: Sequence[Path]) -> tuple[list[Path], list[UserError]]:
    """The files, and the pictures in the folders, each once; and what is wrong with the others."""
    found: dict[Path, None] = {}
    wrong = []
    for path in named:
        try:
            if path.is_dir():
                found |= dict.fromkeys(one for one, _ in folders.find(path))
            else:
                found[path] = None
        except UserError as error:
            wrong.append(error)
    return list(found), wrong


def _read(path: Path, recipe: Recipe, invert: bool) -> Pixels | UserError:
    """A picture as the run's own are read: uint8 H×W×C; or what is wrong with it."""
    channels, height, width = recipe.read_shape
    try:
        if recipe.dataset == "newts" and recipe.pairs == "BtoA":  # its inputs are painted masks
            figure = (images.read(path, 3).max(axis=-1) > _DRAWN).astype(np.uint8)
            pixels = painted(resize.mask(figure, height, width)[None], channels)[0]
        else:
            pixels = resize.photograph(images.read(path, channels), height, width)
    except UserError as error:
        return error
    crop = recipe.augment.crop
    fitted: Pixels = pixels[crop : height - crop, crop : width - crop]
    return 255 - fitted if invert else fitted


def _made(model: Model, run: Opened, method: str, inputs: Pixels, seed: int) -> Pixels:
    """What the run makes of each picture, whatever the others are: uint8 N×H×W×C."""
    recipe = run.recipe
    company, (given, *more) = _company(run), recipe.methods[method]
    drawn = draws.of(recipe, seed, 0, 1 + len(company), 1 + len(company))
    size = 1 if more else draws.AT_ONCE
    parts = []
    for first in range(0, len(inputs), size):
        some = to_unit(inputs[first : first + size], recipe.dtype)
        batch = {**drawn, given: np.concatenate([some, company])}
        parts.append(to_pixels(model.ask(method, batch))[: len(some)])
    return np.concatenate(parts)


def _company(run: Opened) -> NDArray[Any]:
    """Pictures that are in the batch with each of the user's, K×C×H×W, as many as in training.

    A generator of pairs normalises by its batch. Alone, a picture comes out worse: the masks of the
    32 test newts covered 84 % instead of 87 %. They are the run's test pictures; where these are
    gone there are none, and there are none where each picture is made by itself.
    """
    recipe = run.recipe
    nobody = np.zeros((0, *recipe.image_shape), recipe.dtype)
    count = recipe.train.batch_size - 1 if recipe.pairs else 0
    if not count:
        return nobody
    try:
        test = data.load(recipe.dataset, recipe.read_shape, "test", run.data, pairs=True)
    except UserError:
        return nobody
    places = np.arange(count) % len(test)
    return unit_pair(test.middle(recipe.augment.crop), places, recipe)[0]


def _names(paths: Sequence[Path]) -> list[str]:
    """A PNG's name for each picture: its own, with a number where two have the same."""
    found: dict[str, None] = {}
    for path in paths:
        number, name = 1, f"{path.stem}.png"
        while name in found:
            number += 1
            name = f"{path.stem}-{number}.png"
        found[name] = None
    return list(found)
