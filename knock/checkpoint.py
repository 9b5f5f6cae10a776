"""Checkpoints: one safetensors file that every framework can go on from.

It holds the canonical state (weights, running statistics, what the optimisers remember) and, as
text beside it, the step, the whole recipe, the framework and versions that wrote it, and a digest
of the numbers. Never pickle: opening a checkpoint runs no code.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from knock import recipe as recipes
from knock.errors import UserError
from knock.files import write_atomically
from knock.frameworks.adapter import State
from knock.recipe import Recipe

import msgspec
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
        "digest": _digest(checkpoint.state),
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
        raise UserError(f"cannot read the checkpoint {path}: {error.strerror or error}") from None
    except safetensors.SafetensorError:
        raise UserError(f"{path} is no whole checkpoint: cut short, or another file") from None
    if metadata.get("format") != _FORMAT:
        raise UserError(f"{path} is a safetensors file, but not a checkpoint of this project")
    try:
        checkpoint = Checkpoint(
            recipe=recipes.from_json(metadata["recipe"]),
            step=int(metadata["step"]),
            state=state,
            framework=metadata["framework"],
            versions=json.loads(metadata["versions"]),
        )
    except (KeyError, ValueError, msgspec.MsgspecError):
        raise UserError(f"{path}: the checkpoint's description cannot be read") from None
    if metadata.get("digest") != _digest(state):
        raise UserError(f"{path} is damaged: its numbers do not match their digest")
    return checkpoint


def _digest(state: State) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        array = state[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
