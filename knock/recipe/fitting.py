"""Do the networks of a recipe take pictures of the size that was asked for? Which sizes do fit?"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from knock.errors import UserError
from knock.recipe import layers, resolve, settings
from knock.recipe.kinds import LARGEST_SIDE
from knock.recipe.schema import Recipe
from knock.recipe.sizes import DoesNotFit

import msgspec

_NEAR, _FAR = 16, 128  # pixels by which each side of a rectangle is changed, in search of one

Sides = tuple[int, int]
"""Height and width."""


def load(
    path: Path,
    dataset: str | None,
    preset: str,
    changes: Mapping[str, Any],
    seed: int = 0,
    dtype: str = "float32",
    given: settings.Settings = MappingProxyType({}),
) -> Recipe:
    """As `knock.recipe.load`, of networks that can be built.

    Raises UserError also where pictures of a size in `changes` do not fit: it names sizes that do.
    """
    load = partial(resolve.load, path, dataset, preset, seed=seed, dtype=dtype, given=given)
    recipe: Recipe | None = None
    try:
        recipe = load(changes)
        layers.networks(recipe)
        return recipe
    except DoesNotFit as error:
        if "image" not in changes or any(key.endswith(".image") for key in given):
            raise
        channels, height, width = changes["image"]
        why = error.why

    def fits(height: int, width: int) -> bool:
        shape = (channels, height, width)
        try:
            if recipe is None:  # its levels did not fit: other sizes may have more of them, or less
                layers.networks(load({**changes, "image": shape}))
            else:
                layers.networks(msgspec.structs.replace(recipe, image_shape=shape))
        except UserError:
            return False
        return True

    near = [f"--size {_words(*one)}" for one in nearest(fits, height, width)]
    raise UserError(
        f"the networks take no pictures of {height}×{width}: {why}; "
        + (f"the nearest that fit: {' or '.join(near)}" if near else "choose another --size")
    )


def nearest(fits: Callable[[int, int], bool], height: int, width: int) -> list[Sides]:
    """The next smaller and the next larger square that fit; or the next rectangle, if there is one.

    `fits(height, width)` says whether a size does.
    """
    if height == width:
        smaller: Iterable[int] = range(height - 1, 0, -1)
        larger: Iterable[int] = range(height + 1, LARGEST_SIDE + 1)
        found = [next((n for n in way if fits(n, n)), None) for way in (smaller, larger)]
        return [(n, n) for n in found if n is not None]
    return [*islice((one for one in _around(height, width) if fits(*one)), 1)]


def _around(height: int, width: int) -> list[Sides]:
    """Rectangles that are not much larger or smaller, the nearest first."""
    ways = [[*_near(height)], [*_near(width)]]
    found = [(h, w) for h in ways[0] for w in ways[1]]
    return sorted(found, key=lambda one: abs(one[0] - height) + abs(one[1] - width))


def _near(side: int) -> set[int]:
    """All sides near one, and farther away those that can be halved four times."""
    near = {*range(side - _NEAR, side + _NEAR + 1)}
    far = {side // 16 * 16 + step for step in range(-_FAR, _FAR + 1, 16)}
    return {one for one in near | far if 1 <= one <= LARGEST_SIDE}


def _words(height: int, width: int) -> str:
    return f"{height}" if height == width else f"{height}x{width}"
