"""What an examiner's measures say of made pictures, compared with real ones.

The measures themselves are an answer's, in whatever framework. Here they are asked: in batches, of
features in float64 that are scaled alike, and of pictures in an order that each of them needs.
"""

from typing import Any

from knock.data.batches import to_unit
from knock.data.imageset import Labels, Pixels
from knock.errors import UserError
from knock.frameworks.adapter import Adapter
from knock.recipe import Recipe

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BETTER = {
    "inception": "↑",
    "frechet": "↓",
    "kernel": "↓",
    "precision": "↑",
    "recall": "↑",
    "density": "↑",
    "coverage": "↑",
    "similarity": "↓",
    "parzen": "↑",
    "kinds": "↑",
    "nearest": "",
}
"""What is measured, and in which direction it is better."""

_AT_ONCE = 256  # pictures
_REAL_AT_ONCE = 2048  # pictures that a nearest one is looked for among
_OWNED = 0.02  # the share of the pictures that makes a kind count


class Measures:
    """The measures of a trained model of question 16, with one set of real pictures.

    `scale` is the root mean square of the real pictures' features; all features are divided by it,
    so that a distance does not depend on how large an examiner's numbers happen to be.
    """

    def __init__(self, model: Any, adapter: Adapter, recipe: Recipe, real: Pixels) -> None:
        """`real` is uint8 N×H×W×C. Raises UserError where they are too few."""
        self._model, self._adapter, self._recipe = model, adapter, recipe
        require(recipe, len(real), "real pictures")
        self.real = real
        features, _ = self._seen(real)
        self.scale = float(np.sqrt((features**2).mean())) or 1.0
        self._features = features / self.scale
        flat = _flat(real)
        self._validation, self._held_out = flat[: len(flat) // 2], flat[len(flat) // 2 :]

    def of(self, made: Pixels) -> dict[str, float]:
        """Every measure of some pictures (uint8 M×H×W×C); the keys are those of `BETTER`.

        similarity is NaN where no two pictures are of one kind. nearest is the root mean square
        distance to the nearest real picture in grey levels, the median over the pictures. Raises
        UserError where there are too few pictures.
        """
        require(self._recipe, len(made), "made pictures")
        features, logits = self._seen(made)
        features /= self.scale
        kinds = logits.argmax(1)
        precision, recall, density, coverage = self._ask("neighbourhoods", self._features, features)
        return {
            "inception": float(self._ask("inception", logits)),
            "frechet": float(self._ask("frechet", self._features, features)),
            "kernel": float(self._ask("kernel", self._features, features)),
            "precision": float(precision),
            "recall": float(recall),
            "density": float(density),
            "coverage": float(coverage),
            "similarity": self._similarity(made, kinds),
            "parzen": self._parzen(_flat(made)),
            "kinds": owners(kinds),
            "nearest": float(np.median(nearest(made, self.real)[1])),
        }

    def _seen(self, pixels: Pixels) -> tuple[Floats, Floats]:
        """Features and logits."""
        features, logits = [], []
        for first in range(0, len(pixels), _AT_ONCE):
            images = to_unit(pixels[first : first + _AT_ONCE], self._recipe.dtype)
            tensor = self._adapter.to_device({"images": images})["images"]
            features.append(self._adapter.to_numpy(self._model.features(tensor)))
            logits.append(self._adapter.to_numpy(self._model.classify(tensor)))
        return (
            np.concatenate(features).astype(np.float64),
            np.concatenate(logits).astype(np.float64),
        )

    def _ask(self, name: str, *arrays: Floats) -> Any:
        given = self._adapter.to_device({str(n): array for n, array in enumerate(arrays)})
        return self._adapter.to_numpy(getattr(self._model, name)(*given.values()))

    def _similarity(self, pixels: Pixels, kinds: Labels) -> float:
        order = pairs(kinds)
        if not len(order):
            return float("nan")
        return float(self._ask("similarity", to_unit(pixels[order], "float64")))

    def _parzen(self, made: Floats) -> float:
        """The mean log-likelihood of one half of the real pictures, the width of the windows chosen
        by the other half.
        """
        chosen = self._ask("parzen", self._validation, made).mean(0).argmax()
        return float(self._ask("parzen", self._held_out, made).mean(0)[chosen])


def require(recipe: Recipe, count: int, what: str) -> None:
    """Raise UserError where these are too few pictures for the measures."""
    constants = recipe.constants
    least = max(2, int(constants["neighbours"]) + 1, int(constants["splits"]))
    if count < least:
        raise UserError(
            f"the measures need at least {least} pictures on each side, and there are {count} "
            f"{what}; take a larger set, or smaller --neighbours and --splits"
        )


def pairs(kinds: Labels) -> NDArray[np.int64]:
    """An order of pictures in which two and two are of one kind; a last one of a kind is left out.

    Of each kind, the first half meets the second: neighbours in a data set may be alike, as where
    one hand wrote both. kinds: int64 N. Returns up to N places, an even number.
    """
    found = []
    for kind in np.unique(kinds):
        places = np.flatnonzero(kinds == kind)
        half = len(places) // 2
        found.append(np.stack([places[:half], places[half : 2 * half]], axis=1).ravel())
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _flat(pixels: Pixels) -> Floats:
    """N×HWC in [0, 1]."""
    return pixels.reshape(len(pixels), -1) / 255.0


def owners(kinds: Labels) -> int:
    """How many kinds (int64 N, not empty) own at least 2 % of the pictures."""
    return int((np.bincount(kinds) / len(kinds) >= _OWNED).sum())


def nearest(made: Pixels, real: Pixels) -> tuple[Labels, list[float]]:
    """The places of the real pictures that are nearest to made ones (uint8 N×H×W×C), and how far.

    A distance is the root of the mean square of the pixels' differences, in grey levels: 0 is a
    copy.
    """
    flat = made.reshape(len(made), -1).astype(np.float64)
    best = np.full(len(made), np.inf)
    places = np.zeros(len(made), np.int64)
    for first in range(0, len(real), _REAL_AT_ONCE):
        part = real[first : first + _REAL_AT_ONCE].reshape(-1, flat.shape[1]).astype(np.float64)
        # Whole numbers below 2⁵³: exact, so the quick formula finds a copy at 0.
        far = (flat**2).sum(1)[:, None] + (part**2).sum(1) - 2 * flat @ part.T
        found = far.argmin(1)
        nearer = far[np.arange(len(made)), found] < best
        best[nearer] = far[np.arange(len(made)), found][nearer]
        places[nearer] = first + found[nearer]
    return places, np.sqrt(best / flat.shape[1]).tolist()
