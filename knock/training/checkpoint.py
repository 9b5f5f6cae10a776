"""Checkpoints: one safetensors file that every framework can go on from.

It holds the canonical state (weights, running statistics, what the optimisers remember), all losses
so far, and, as text beside them, the step, the whole recipe, the framework and versions that wrote
it, what the run has been until then, and digests of the numbers and of the text. The same run
writes the same bytes. Never pickle: opening a checkpoint runs no code.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock import recipe as recipes
from knock.errors import UserError
from knock.files import sync_folder, write_atomically
from knock.frameworks.adapter import State
from knock.frameworks.binding import SLOTS
from knock.recipe import Recipe, layers
from knock.training import from_script
from knock.training.past import Past

import msgspec
import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

FILE_NAME = "checkpoint.safetensors"
_FORMAT = "image-generation-knock checkpoint 2"
_FORMAT_1 = "image-generation-knock checkpoint 1"
"""Its files have no past, and no digest of their text."""

_LOSSES = "losses"
"""The array of all losses: a row for each column of `losses.csv`. A state's names have dots."""


@dataclass(frozen=True)
class Checkpoint:
    """A training run at one moment: `state` after `step` steps of `recipe`.

    `past` is None in a file of an earlier version.
    """

    recipe: Recipe
    step: int
    state: State
    framework: str
    versions: dict[str, str]
    past: Past | None = Past()


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all. Raises UserError when it cannot be written."""
    past = checkpoint.past or Past()
    told = {
        "history": past.history,
        "losses": list(past.losses),
        "data": past.data,
        "init": past.init,
        "classes": past.classes,
        "pictures": past.pictures,
    }
    metadata = {
        "format": _FORMAT,
        "recipe": recipes.to_json(checkpoint.recipe),
        "step": str(checkpoint.step),
        "framework": checkpoint.framework,
        "versions": json.dumps(checkpoint.versions),
        "past": json.dumps(told),
        "digest": digest(checkpoint.state),
    }
    arrays = dict(checkpoint.state)
    if past.losses:
        arrays[_LOSSES] = np.array(list(past.losses.values()), np.float64)
    metadata["seal"] = _seal(metadata, arrays.get(_LOSSES))
    write_atomically(path, _in_order(safetensors.numpy.save(arrays, metadata)))
    sync_folder(path.parent)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint, or the one in a run's folder; also one of a script that stands alone.

    Raises UserError when it is missing, cut short, damaged, or not one of ours.
    """
    if path.is_dir():
        path = path / FILE_NAME
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise UserError(f"cannot read the checkpoint {path}: it is no file")
        with open(path, "rb"):  # safetensors does not say why it cannot
            pass
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        why = error.strerror or "no such file"
        raise UserError(f"cannot read the checkpoint {path}: {why}") from None
    except safetensors.SafetensorError:
        raise UserError(f"{path} is no whole checkpoint: cut short, or another file") from None
    sealed, scripted = metadata.get("format") == _FORMAT, from_script.NAME in metadata
    if not (sealed or scripted or metadata.get("format") == _FORMAT_1):
        raise UserError(f"{path} is a safetensors file, but not a checkpoint of this project")
    losses = state.pop(_LOSSES, None) if sealed else None
    if sealed and metadata.get("seal") != _seal(metadata, losses):
        raise UserError(f"{path} is damaged: its description does not match its digest")
    try:
        if scripted:
            recipe, state, framework = from_script.read(metadata, state, path)
            return Checkpoint(recipe, _count(metadata["step"]), state, framework, {})
        checkpoint = Checkpoint(
            recipe=recipes.from_json(metadata["recipe"]),
            step=_count(metadata["step"]),
            state=state,
            framework=metadata["framework"],
            versions=json.loads(metadata["versions"]),
            past=_past(json.loads(metadata["past"]), losses) if sealed else None,
        )
    except (KeyError, TypeError, ValueError, RecursionError, msgspec.MsgspecError):
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


def _past(told: dict[str, Any], losses: NDArray[Any] | None) -> Past:
    """What the text and the array of losses say. Raises what odd ones lead to."""
    rows = [] if losses is None else losses.tolist()
    return Past(
        history=tuple(dict(one) for one in told["history"]),
        losses=dict(zip(told["losses"], rows, strict=True)),
        data=told["data"],
        init=told["init"],
        classes=tuple(told["classes"]),
        pictures=told.get("pictures"),
    )


def mark(path: Path) -> tuple[int, int, int] | None:
    """What changes when a checkpoint, or a folder's, is written anew; None where there is none."""
    try:
        found = (path / FILE_NAME if path.is_dir() else path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _seal(metadata: Mapping[str, str], losses: NDArray[Any] | None) -> str:
    """A digest of all that is told beside the state; the state's own digest is told, too."""
    found = hashlib.sha256()
    for name in sorted(metadata.keys() - {"seal"}):
        text = metadata[name].encode()
        found.update(f"{name} {len(text)} ".encode() + text)
    if losses is not None:
        found.update(f"{losses.dtype} {losses.shape}".encode())
        found.update(np.ascontiguousarray(losses).data)
    return found.hexdigest()


def _in_order(raw: bytes) -> bytes:
    """The same file with its metadata in order: that of safetensors changes from time to time."""
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, memoryview(raw)[8 + length :]])


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
        f"{name}.{p.name}": p for name, found in layers.arrays(recipe).items() for p in found
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
    bare = msgspec.structs.replace(recipe, optimizers={}, pools={})
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
