"""The recipe of a question: what its networks are, and how they are trained, from one TOML file.

    from knock import recipe
    recipe.load(path)           # resolved for a training run
    recipe.load_check(path)     # at the small sizes of a check

`schema` and `kinds` have the types, `resolve` reads and merges, `settings` is what `--set` may say,
`toml` is the file as a tree, `faults` has the words for what is wrong; `levels`, `layers`, `sizes`
and `weights` work out what a recipe means in numbers. `weights` alone needs NumPy.
"""

from knock.recipe import settings
from knock.recipe.kinds import LARGEST_SIDE, Constant, Layer, Size
from knock.recipe.resolve import (
    DEFAULT_PRESET,
    head,
    load,
    load_check,
    parts,
    read,
    without_retired,
)
from knock.recipe.schema import (
    LARGEST_BATCH,
    Augment,
    Check,
    DataSet,
    Draw,
    Network,
    Optimizer,
    Recipe,
    Train,
    difference,
    from_json,
    switched,
    timed_as,
    to_json,
)

__all__ = [
    "DEFAULT_PRESET",
    "LARGEST_BATCH",
    "LARGEST_SIDE",
    "Augment",
    "Check",
    "Constant",
    "DataSet",
    "Draw",
    "Layer",
    "Network",
    "Optimizer",
    "Recipe",
    "Size",
    "Train",
    "difference",
    "from_json",
    "head",
    "load",
    "load_check",
    "parts",
    "read",
    "settings",
    "switched",
    "timed_as",
    "to_json",
    "without_retired",
]
