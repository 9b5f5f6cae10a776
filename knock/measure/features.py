"""Other eyes than the examiner's: features from a file of the user's own.

A TorchScript network gets uint8 N×C×H×W pictures and gives N×features: any size it likes, Inception
included; resizing and scaling are its own work. A safetensors file has no code, only weights, so it
can only be of a network that is known here: of question 16's, as a run of it saves them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock import questions
from knock.data.batches import to_unit
from knock.data.imageset import Pixels
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.frameworks import torchscript
from knock.measure.examiner import QUESTION, Array
from knock.scripts import load as script
from knock.training import checkpoint as checkpoints

import numpy as np
from threadpoolctl import threadpool_limits

_SAFE = ".safetensors"


@dataclass(frozen=True, eq=False)
class Features:
    """Eyes of the user's own: `of` turns uint8 N×H×W×C pictures into float64 N×features."""

    name: str
    digest: str
    of: Callable[[Pixels], Array]


def load(path: Path) -> Features:
    """The features in a file. Raises UserError where it has none that can be used."""
    if path.is_dir():
        path = path / checkpoints.FILE_NAME
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read the features {path}: {error.strerror}") from None
    if path.suffix == _SAFE:
        return Features(str(path), digest, _of_run(path))
    network = torchscript.load(path)
    return Features(str(path), digest, lambda pixels: network(pixels.transpose(0, 3, 1, 2)))


def _of_run(path: Path) -> Callable[[Pixels], Array]:
    """Those of a run of question 16, in any framework."""
    try:
        found, _ = checkpoints.load_of(QUESTION, path)
    except UserError as error:
        raise UserError(
            f"{error}; only weights of a run of question {QUESTION} can be used: bring other "
            "networks as TorchScript"
        ) from None
    recipe = found.recipe
    checkpoints.require_fit(found, recipe, path)
    reference = questions.find(QUESTION).reference_file
    plain.setup("cpu", recipe.dtype)
    metrics: Any = script.model_class(script.load(reference), recipe.class_name, reference)(recipe)
    plain.build(metrics, recipe)
    plain.write(metrics, recipe, found.state)

    def of(pixels: Pixels) -> Array:
        _, height, width, channels = pixels.shape
        if (channels, height, width) != recipe.image_shape:
            raise UserError(
                f"{path} was trained on pictures of {recipe.image_shape}, not of "
                f"{(channels, height, width)} (channels, height, width)"
            )
        with threadpool_limits(1):
            features: Array = metrics.features(to_unit(pixels, recipe.dtype)).astype(np.float64)
        return features

    return of
