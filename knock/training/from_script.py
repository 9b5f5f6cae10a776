"""The checkpoint of a script that `knock standalone` made, as one of a run.

It has the weights and running statistics, in the layout of its framework, and the script's settings
as text beside them. What the optimisers remembered is not in it: they begin anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knock import questions
from knock import recipe as recipes
from knock.errors import UserError
from knock.frameworks import FRAMEWORKS
from knock.frameworks.adapter import State
from knock.frameworks.binding import SLOTS, from_channels_last, to_channels_last
from knock.questions import Question
from knock.recipe import Recipe, layers

import numpy as np

NAME = "script"
"""The entry of a file's description by which such a checkpoint is known."""

_CHANNELS_LAST = ("tensorflow", "keras")
_TRAIN = ("batch_size", "rounds", "steps")


def read(described: Mapping[str, str], arrays: State, path: Path) -> tuple[Recipe, State, str]:
    """The recipe of the script, its canonical state, and its framework.

    Raises UserError for arrays that are not those of its networks, and for settings that a recipe
    refuses; KeyError or ValueError for a description that cannot be read.
    """
    name, _, framework = described[NAME].rpartition("_")
    if framework not in FRAMEWORKS:
        raise ValueError(framework)
    question = questions.find(name)
    recipe = _recipe(question, json.loads(described["settings"]))
    state: State = {}
    for placed in layers.networks(recipe).values():
        for p in placed.parameters:
            key, empty = f"{placed.name}.{p.name}", np.empty(p.shape)
            last = framework in _CHANNELS_LAST
            shape = to_channels_last(empty, p).shape if last else p.shape
            if key not in arrays or arrays[key].shape != shape:
                there = arrays[key].shape if key in arrays else "missing"
                raise UserError(f"{path}: {key} is {there}, should be {shape}")
            state[key] = from_channels_last(arrays[key], p) if last else arrays[key]
            state[key] = np.ascontiguousarray(state[key], recipe.dtype)
    pools = {f"{name}.{p.name}": np.zeros(p.shape) for name, p in layers.pools(recipe).items()}
    state |= {key: array.astype(recipe.dtype) for key, array in pools.items()}
    return recipe, state | _new_optimizers(recipe, state), framework


def _recipe(question: Question, settings: Mapping[str, Any]) -> Recipe:
    file = question.recipe_file
    tree = recipes.read(file)
    dataset = "folder" if "folder" in tree["data"] else None
    said = {
        "image": tuple(settings[name] for name in ("channels", "height", "width")),
        "constants": {name: settings[name] for name in tree.get("constants", {})},
        "train": {name: settings[name] for name in _TRAIN if name in settings},
    }
    if "lr" in settings:
        said["lr"] = settings["lr"]
    return recipes.load(file, dataset, recipes.DEFAULT_PRESET, said, seed=settings["seed"])


def _new_optimizers(recipe: Recipe, weights: State) -> State:
    """What optimisers hold before their first step."""
    trained = {
        f"{placed.name}.{p.name}"
        for placed in layers.networks(recipe).values()
        for p in placed.parameters
        if p.trainable
    }
    state: State = {}
    for name, one in recipe.optimizers.items():
        state[f"{name}.step"] = np.array(0, np.int64)
        for key in trained:
            if key.split(".")[0] in one.networks:
                state |= {
                    f"{name}.{key}.{s}": np.zeros_like(weights[key]) for s in SLOTS[one.algorithm]
                }
    return state
