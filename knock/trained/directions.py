"""Named directions in a generator's noise, in a file beside the checkpoint that they belong to.

`directions.safetensors` has an array of the noise's shape for each name; which ones, in which
order, and for which weights, is text beside them. Whoever finds directions writes the file;
`knock explore` makes a slider of each.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knock.errors import UserError
from knock.files import refuse_foreign, write_atomically
from knock.training import checkpoint as checkpoints
from knock.training.checkpoint import Checkpoint

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

FILE_NAME = "directions.safetensors"
_FORMAT = "image-generation-knock directions 1"

Directions = dict[str, NDArray[Any]]
"""By name, in the order in which they are shown: the vector that noise moves along."""


def write(folder: Path, found: Checkpoint, vectors: Mapping[str, NDArray[Any]]) -> Path:
    """Write directions (each as long as one noise) for a checkpoint; returns the file.

    Raises UserError where a file of that name is not ours, or cannot be written; ValueError for
    what is no direction: one that is all 0, not finite, or nameless.
    """
    for name, vector in vectors.items():
        if fault := _fault(name, np.asarray(vector)):
            raise ValueError(f"direction {name!r} {fault}")
    path = folder / FILE_NAME
    refuse_foreign(path, _FORMAT)
    metadata = {
        "format": _FORMAT,
        "names": json.dumps(list(vectors)),
        "of": checkpoints.digest(found.state),
    }
    arrays = {name: np.ascontiguousarray(one, np.float32) for name, one in vectors.items()}
    write_atomically(path, safetensors.numpy.save(arrays, metadata))
    return path


def read(folder: Path, found: Checkpoint) -> Directions:
    """The directions beside a checkpoint; none where there is no file.

    Raises UserError for a file that is damaged, of another kind, or of other weights.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return {}
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != _FORMAT:
            raise UserError(f"{path} is not a file of directions; move it elsewhere")
        names = json.loads(metadata["names"])
        if sorted(names) != sorted(arrays):
            raise ValueError
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or 'no such file'}") from None
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError):
        raise UserError(f"{path} is damaged; delete it, or find the directions again") from None
    if metadata.get("of") != checkpoints.digest(found.state):
        raise UserError(
            f"{path} belongs to other weights than the checkpoint beside it; delete it, or find "
            "the directions again"
        )
    for name in names:
        if fault := _fault(name, arrays[name]):
            raise UserError(f"{path}: direction {name!r} {fault}")
    return {name: arrays[name] for name in names}


def _fault(name: str, vector: NDArray[Any]) -> str | None:
    """What keeps a vector from being a direction."""
    if not name.strip() or not name.isprintable():
        return "has no name that can be shown"
    if vector.ndim != 1:
        return f"has the shape {vector.shape}, not that of one noise"
    if not np.isfinite(vector).all():
        return "is NaN or infinite"
    return None if np.any(vector) else "leads nowhere: all its numbers are 0"
