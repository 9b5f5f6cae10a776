"""What a test of a run cannot do, and which command does it."""

from pathlib import Path

from knock.recipe import Recipe
from knock.training.options import LAST, Options


def shown(recipe: Recipe, options: Options, folder: Path) -> str:
    """What the picture of a test shows, and how to see others."""
    run = _named(options, folder)
    of = ["noise"] if recipe.from_noise else []
    others = [f"knock sample {run} --seed 1 makes others"] if recipe.from_noise else []
    if recipe.from_pictures:
        others.append(f"knock apply {run} PICTURE takes one of yours")
    if recipe.from_pictures or not recipe.from_noise:
        of.insert(0, "test images")
    return "; ".join([f"makes of {' and '.join(of)}", *others])


def instead(recipe: Recipe, options: Options, folder: Path) -> str:
    """What to add to the error of a test that was given another seed or other pictures."""
    run = _named(options, folder)
    if options.test is None:
        return ""
    if options.seed not in (None, recipe.seed) and recipe.from_noise:
        return f"; knock sample {run} --seed {options.seed} makes other pictures of this run"
    if options.seed not in (None, recipe.seed) and recipe.pairs:
        return f"; knock apply {run} PICTURE --seed {options.seed} draws another dropout"
    if options.data and recipe.from_pictures:
        return f"; knock apply {run} {options.data} shows what the run makes of your own pictures"
    return ""


def _named(options: Options, folder: Path) -> str:
    """How the command line named the run, or could have."""
    return str(folder) if options.test in (None, LAST) else str(options.test)
