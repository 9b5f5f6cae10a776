"""Makes the page: fills the template's three files with one checkpoint."""

import base64
import html
import json
import math
from pathlib import Path
from typing import Any

from knock.data import ImageSet, to_unit
from knock.errors import UserError
from knock.frameworks import FRAMEWORKS
from knock.frameworks import numpy as plain
from knock.recipe import kinds, layers
from knock.training.checkpoint import Checkpoint

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_TEMPLATE = Path(__file__).parent
_AT_A_TIME = 1000  # pictures per pass of the encoder: ten thousand need too much memory
_MEANS_BYTES = 1 << 20  # the most bytes for the dots of the scatter
_PICTURES_BYTES = 2_000_000  # the most bytes for the dots' pictures, before compression
_LEAST_REACH = 3.0  # the plane shows at least −3 … 3: the prior is N(0, 1)
_MANY_CLASSES = 1 << 16


def make(found: Checkpoint, pictures: ImageSet) -> str:
    """The page of a checkpoint with a test set, as HTML; the same arguments give the same text.

    Raises UserError if the page cannot evaluate the decoder, or a weight is missing.
    """
    content = json.dumps(describe(found, pictures), ensure_ascii=False, sort_keys=True)
    # In an HTML file a script ends at the first "</script", even inside a JSON string.
    content = content.replace("<", "\\u003c")
    title = f"{found.recipe.title}, {found.recipe.dataset}: a latent space to walk through"
    page = _read("page.html")
    for place, text in (
        ("<title></title>", f"<title>{html.escape(title)}</title>"),
        ('<link rel="stylesheet" href="page.css">', f"<style>\n{_read('page.css')}</style>"),
        ('<script src="page.js"></script>', f"<script>\n{_read('page.js')}</script>"),
        (
            '<script type="application/json" id="content"></script>',
            f'<script type="application/json" id="content">{content}</script>',
        ),
    ):
        before, found_place, after = page.partition(place)
        if not found_place:
            raise ValueError(f"page.html has no {place}")
        page = before + text + after
    return page


def describe(found: Checkpoint, pictures: ImageSet) -> dict[str, Any]:
    """Everything that the page's script reads, ready for JSON.

    Arrays are base64 text of little-endian numbers: float32 for weights and means (N×z), uint16
    for labels. `places` says for each picture of the sheet which of the means belongs to it.
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
        "title": recipe.title,
        "dataset": recipe.dataset,
        "framework": FRAMEWORKS[found.framework].title
        if found.framework in FRAMEWORKS
        else found.framework,
        "step": found.step,
        "seed": recipe.seed,
        "constants": recipe.constants,
        "image": recipe.image_shape,
        "z": means.shape[1],
        "decoder": decoder,
        "classes": pictures.classes if len(pictures.classes) < _MANY_CLASSES else (),
        "labels": _base64(labels, "<u2"),
        "means": _base64(means, "<f4"),
        "reach": _reach(means),
        "axes": widest,
        "sheet": {
            "places": _base64(places, "<u4"),
            "columns": columns,
            "png": _sheet(images[places], columns),
        },
    }


def encode(found: Checkpoint, pictures: ImageSet) -> Array:
    """μ of every picture, float64 N×z, from the checkpoint's encoder in plain NumPy.

    Raises UserError if a weight is missing, or if the result is not finite.
    """
    network = plain.networks(found.recipe)["encoder"]
    for module in network.modules:
        module.values = {
            name: _weight(found, f"encoder.{module.name}.{name}", value.shape)
            for name, value in module.values.items()
        }
    parts = [
        network(to_unit(pictures.images[start : start + _AT_A_TIME], "float64"))
        for start in range(0, len(pictures), _AT_A_TIME)
    ]
    means: Array = np.split(np.concatenate(parts), 2, axis=1)[0]  # the other half is log σ²
    if not np.isfinite(means).all():
        raise UserError(
            "the encoder's means are NaN or infinite: the training of this run failed; use another"
        )
    return means


def _decoder(found: Checkpoint) -> list[dict[str, Any]]:
    """The decoder's layers for the page's script, in order and with their weights.

    The script's result has C, H, W order, which is the canonical one, so it skips a reshape.
    """
    placed = layers.networks(found.recipe)["decoder"]
    if placed.output != found.recipe.image_shape:
        raise UserError(f"the decoder makes {placed.output}, not {found.recipe.image_shape}")
    described: list[dict[str, Any]] = []
    for index, one in enumerate(placed.layers):
        match one.layer:
            case kinds.Linear():
                values = {
                    kind: _base64(_weight(found, f"decoder.{p.name}", p.shape), "<f4")
                    for p in one.parameters
                    for kind in [p.name.rpartition(".")[2]]
                }
                shape = {"in": one.input[0], "out": one.output[0]}
                described.append({"layer": "linear", **shape, **values})
            case kinds.ReLU():
                described.append({"layer": "relu"})
            case kinds.Reshape():
                pass
            case other:
                raise UserError(
                    f"networks.decoder.layers[{index}] is {other.kind!r}; the page can evaluate: "
                    "linear, relu, reshape"
                )
    return described


def _weight(found: Checkpoint, key: str, shape: tuple[int, ...]) -> Array:
    value = found.state.get(key)
    if value is None or value.shape != shape:
        raise UserError(
            f"the checkpoint has no {key} of shape {shape}: it belongs to other networks"
        )
    return value.astype(np.float64)


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


def _base64(values: Array, dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()


def _read(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8")
