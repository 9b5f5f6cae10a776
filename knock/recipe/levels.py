"""A picture's pyramid in a recipe: the sizes of its levels, and what there is once for each.

A recipe whose networks work on a picture level by level says each table once, with a `#` for the
level's number: `[networks."generator#"]` is generator1, generator2 and so on. What a level's own
table says, as in `[networks.generator1]`, is laid over that. The coarsest level is 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from knock.recipe.sizes import DoesNotFit

MARK = "#"
TABLES = ("networks", "optimizers", "draws")
"""The tables of a recipe that may have one entry for each level."""

Sides = tuple[int, int]
"""A level's height and width."""


def sizes(named: Sequence[int], height: int, width: int) -> list[Sides]:
    """The sides of every level, the coarsest first, the last (height, width) itself.

    `named` are the levels' shorter sides for pictures of the recipe's own size. For others the
    first of them is doubled for as long as it fits, as the originals' is: 8, 16, 32, 64, 96. Empty
    when `named` is. Raises DoesNotFit where a longer side cannot follow, or there is but one level.
    """
    where = f"pictures of {height}×{width}"
    if not named:
        return []
    side = min(height, width)
    shorter = list(named) if named[-1] == side else _doubled(named[0], side)
    if len(shorter) < 2 or sorted(set(shorter)) != shorter:
        raise DoesNotFit(where, f"there are no two levels, the coarsest of {named[0]} pixels")
    found = []
    for one in shorter:
        if height * one % side or width * one % side:
            raise DoesNotFit(
                where, f"the longer side of the level of {one} pixels would be no whole number"
            )
        found.append((height * one // side, width * one // side))
    return found


def _doubled(first: int, last: int) -> list[int]:
    found = [first]
    while 2 * found[-1] < last:
        found.append(2 * found[-1])
    return [*found, last]


def expand(tree: Mapping[str, Any], count: int) -> dict[str, Any]:
    """A recipe's tree with a table for each of `count` levels where one had a `#` in its name.

    Within it every `#` becomes the level's number too; in the lists of `methods` an entry with one
    becomes an entry a level. Level comes after level, behind what belongs to none.
    """
    made = dict(tree)
    for table in TABLES:
        given = dict(tree.get(table, {}))
        templates = {name: given.pop(name) for name in list(given) if MARK in name}
        own = {
            numbered: _numbered(value, level) | given.pop(numbered, {})
            for level in range(1, count + 1)
            for name, value in templates.items()
            for numbered in [_numbered(name, level)]
        }
        made[table] = given | own
    made["methods"] = {
        method: [one for name in names for one in _each(name, count)]
        for method, names in tree.get("methods", {}).items()
    }
    return made


def _numbered(value: Any, level: int) -> Any:
    if isinstance(value, str):
        return value.replace(MARK, str(level))
    if isinstance(value, Mapping):
        return {name: _numbered(one, level) for name, one in value.items()}
    if isinstance(value, list):
        return [_numbered(one, level) for one in value]
    return value


def _each(name: str, count: int) -> list[str]:
    return [_numbered(name, level) for level in range(1, count + 1)] if MARK in name else [name]
