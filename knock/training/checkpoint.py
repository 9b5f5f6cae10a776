"""Checkpoints: one safetensors file that every framework can go on from.

It holds the canonical state (weights, running statistics, what the optimisers remember) and, as
text beside it, the step, the whole recipe, the framework and versions that wrote it, and a digest
of the numbers. Never pickle: opening a checkpoint runs no code.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from knock import recipe as recipes
from knock.errors import UserError
from knock.files import write_atomically
from knock.frameworks.adapter import State
from knock.frameworks.binding import SLOTS
from knock.recipe import Recipe, layers

import msgspec
import numpy as np
import safetensors
import safetensors.numpy

FILE_NAME = "checkpoint.safetensors"
_FORMAT = "image-generation-knock checkpoint 1"


@dataclass(frozen=True)
class Checkpoint:
    """A training run at one moment: `state` after `step` steps of `recipe`."""

    recipe: Recipe
    step: int
    state: State
    framework: str
    versions: dict[str, str]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all. Raises UserError when it cannot be written."""
    metadata = {
        "format": _FORMAT,
        "recipe": recipes.to_json(checkpoint.recipe),
        "step": str(checkpoint.step),
        "framework": checkpoint.framework,
        "versions": json.dumps(checkpoint.versions),
        "digest": digest(checkpoint.state),
    }
    write_atomically(path, safetensors.numpy.save(checkpoint.state, metadata))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint, or the one in a run's folder.

    Raises UserError when it is missing, cut short, damaged, or not one of ours.
    """
    if path.is_dir():
        path = path / FILE_NAME
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        why = error.strerror or "no such file"
        raise UserError(f"cannot read the checkpoint {path}: {why}") from None
    except safetensors.SafetensorError:
        raise UserError(f"{path} is no whole checkpoint: cut short, or another file") from None
    if metadata.get("format") != _FORMAT:
        raise UserError(f"{path} is a safetensors file, but not a checkpoint of this project")
    try:
        checkpoint = Checkpoint(
            recipe=recipes.from_json(metadata["recipe"]),
            step=_count(metadata["step"]),
            state=state,
            framework=metadata["framework"],
            versions=json.loads(metadata["versions"]),
        )
    except (KeyError, ValueError, RecursionError, msgspec.MsgspecError):
        raise UserError(f"{path}: the checkpoint's description cannot be read") from None
    if metadata.get("digest") != digest(state):
        raise UserError(f"{path} is damaged: its numbers do not match their digest")
    return checkpoint


def told_digest(path: Path) -> str | None:
    """The digest that a checkpoint file says of its numbers, unchecked; None where it says none."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("digest")
    except (OSError, safetensors.SafetensorError):
        return None


def load_of(question: str, path: Path) -> tuple[Checkpoint, Path]:
    """A checkpoint that must be of one question, and the folder of the run that it lies in.

    Raises UserError when it cannot be read, or is of another question.
    """
    found = load(path)
    if found.recipe.question != question:
        raise UserError(
            f"{path} is a checkpoint of question {found.recipe.question}, not of {question}"
        )
    return found, path if path.is_dir() else path.parent


def require_fit(checkpoint: Checkpoint, recipe: Recipe, path: Path) -> None:
    """Hold a checkpoint's arrays against a recipe. Raises UserError naming the first that is off.

    A file of somebody else may have a right digest and wrong arrays all the same.
    """
    parameters = {
        f"{placed.name}.{p.name}": p
        for placed in layers.networks(recipe).values()
        for p in placed.parameters
    }
    shapes = {key: p.shape for key, p in parameters.items()}
    for name, settings in recipe.optimizers.items():
        shapes[f"{name}.step"] = ()
        for key, p in parameters.items():
            if p.trainable and key.split(".")[0] in settings.networks:
                shapes |= {f"{name}.{key}.{slot}": p.shape for slot in SLOTS[settings.algorithm]}
    for key in {**shapes, **checkpoint.state}:
        if key not in checkpoint.state:
            raise UserError(f"{path} misses the array {key}: it is of another recipe")
        if key not in shapes:
            raise UserError(f"{path} should not hold the array {key}: it is of another recipe")
    for key, shape in shapes.items():
        array, counts = checkpoint.state[key], key in {f"{name}.step" for name in recipe.optimizers}
        if array.shape != shape or array.dtype != ("int64" if counts else recipe.dtype):
            raise UserError(f"{path}: {key} is {array.dtype} {array.shape}, should be {shape}")
        if not np.isfinite(array).all() or (counts and array < 0):
            raise UserError(f"{path}: {key} holds numbers that no training can go on from")


def weights(checkpoint: Checkpoint, recipe: Recipe, path: Path) -> State:
    """A checkpoint's weights and running statistics, for the networks of a recipe, in its dtype.

    Raises UserError naming the first that does not fit, and what makes the networks others.
    """
    found = {
        key: array.astype(recipe.dtype)
        for key, array in checkpoint.state.items()
        if key.split(".")[0] in checkpoint.recipe.networks
    }
    bare = msgspec.structs.replace(recipe, optimizers={})
    try:
        require_fit(dataclasses.replace(checkpoint, state=found), bare, path)
    except UserError as error:
        old = checkpoint.recipe
        sized = msgspec.structs.replace(
            old, image_shape=recipe.image_shape, constants=recipe.constants
        )
        why = recipes.difference(old, sized)
        raise UserError(f"{error}{f' ({why})' if why else ''}") from None
    return found


def _count(text: str) -> int:
    if int(text) < 0:
        raise ValueError(text)
    return int(text)


def digest(state: State) -> str:
    """A digest of all numbers of a state, and of their names and shapes."""
    found = hashlib.sha256()
    for name in sorted(state):
        array = state[name]
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)  # no copy: they are many megabytes
    return found.hexdigest()
