"""What the page of question 04 shows: a decoder, and where its encoder puts the test pictures."""

import base64
import math
from typing import Any

from knock.data import ImageSet, to_unit
from knock.errors import UserError
from knock.explore import network, page
from knock.recipe import layers
from knock.training.checkpoint import Checkpoint

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_AT_A_TIME = 1000  # pictures per pass of the encoder: ten thousand need too much memory
_MEANS_BYTES = 1 << 20  # the most bytes for the dots of the scatter
_PICTURES_BYTES = 2_000_000  # the most bytes for the dots' pictures, before compression
_LEAST_REACH = 3.0  # the plane shows at least −3 … 3: the prior is N(0, 1)
_MANY_CLASSES = 1 << 16


def make(found: Checkpoint, pictures: ImageSet) -> str:
    """The page of a checkpoint with a test set, as HTML; the same arguments give the same text.

    Raises UserError if the page cannot evaluate the decoder, or a weight is missing.
    """
    return page.make("latent", describe(found, pictures))


def describe(found: Checkpoint, pictures: ImageSet) -> dict[str, Any]:
    """Everything that the page's script reads, ready for JSON.

    Arrays are base64 text of little-endian numbers: float32 for means (N×z), uint16 for labels.
    `places` says for each picture of the sheet which of the means belongs to it.
    """
    recipe = found.recipe
    decoder = _decoder(found)
    means = encode(found, pictures)
    every = math.ceil(means.size * 4 / _MEANS_BYTES)  # 1 up to 26 dimensions of MNIST
    means, labels, images = means[::every], pictures.labels[::every], pictures.images[::every]
    count = max(1, min(len(means), _PICTURES_BYTES // math.prod(recipe.image_shape)))
    places = np.arange(count) * len(means) // count
    columns = math.ceil(math.sqrt(count))
    spread = means.std(axis=0)
    widest = sorted(np.argsort(-spread, kind="stable")[:2].tolist())
    return {
        **page.told(found),
        "title": f"{recipe.title}: a latent space to walk through",
        "z": means.shape[1],
        "decoder": decoder,
        "classes": pictures.classes if len(pictures.classes) < _MANY_CLASSES else (),
        "labels": network.packed_as(labels, "<u2"),
        "means": network.single(means),
        "reach": _reach(means),
        "axes": widest,
        "sheet": {
            "places": network.packed_as(places, "<u4"),
            "columns": columns,
            "png": _sheet(images[places], columns),
        },
    }


def encode(found: Checkpoint, pictures: ImageSet) -> Array:
    """μ of every picture, float64 N×z, from the checkpoint's encoder in plain NumPy.

    Raises UserError if a weight is missing, or if the result is not finite.
    """
    encoder = network.opened(found, layers.networks(found.recipe)["encoder"])
    parts = [
        encoder(to_unit(pictures.images[start : start + _AT_A_TIME], "float64"))
        for start in range(0, len(pictures), _AT_A_TIME)
    ]
    means: Array = np.split(np.concatenate(parts), 2, axis=1)[0]  # the other half is log σ²
    if not np.isfinite(means).all():
        raise UserError(
            "the encoder's means are NaN or infinite: the training of this run failed; use another"
        )
    return means


def _decoder(found: Checkpoint) -> dict[str, Any]:
    """The decoder for the page's script: it makes logits, so a sigmoid comes after it."""
    placed = layers.networks(found.recipe)["decoder"]
    if placed.output != found.recipe.image_shape:
        raise UserError(f"the decoder makes {placed.output}, not {found.recipe.image_shape}")
    network.require_known(placed)
    described = network.described(network.opened(found, placed), placed)
    return {"layers": [*described, {"layer": "sigmoid"}], "range": network.SIGMOID}


def _reach(means: Array) -> float:
    """How far the plane extends from 0: to the farthest mean, rounded up to an easy number."""
    farthest = max(_LEAST_REACH, float(np.abs(means).max()) * 1.02)
    unit = 10.0 ** math.floor(math.log10(farthest)) / 2  # 0.5 below 10, 5 below 100
    return math.ceil(farthest / unit) * unit


def _sheet(images: NDArray[np.uint8], columns: int) -> str:
    """All pictures (N×H×W×C) side by side in rows of `columns`, as one PNG in base64."""
    import cv2

    count, height, width, channels = images.shape
    rows = math.ceil(count / columns)
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:count] = images[..., ::-1]  # OpenCV's order is blue, green, red
    cells = cells.reshape(rows, columns, height, width, channels)
    sheet = cells.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    _, data = cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return base64.b64encode(data.tobytes()).decode()
