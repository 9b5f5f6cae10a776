"""What features and classes say of made pictures, as numbers: question 16's measures."""

from dataclasses import dataclass
from typing import Any

from knock.data.batches import to_unit
from knock.data.imageset import Labels, Pixels
from knock.measure.examiner import Array, evenly
from knock.training.measured import Scores
from knock.training.measures import owners, pairs

from threadpoolctl import threadpool_limits

_WINDOW = 7  # pixels: the side of MS-SSIM's


@dataclass(frozen=True, eq=False)
class Seen:
    """Made pictures as the measures need them.

    pixels: uint8 N×H×W×C. features: float64 N×d. logits: float64 N×classes, None without an
    examiner. asked: int64 N, the classes asked for, None where none can be.
    """

    pixels: Pixels
    features: Array
    logits: Array | None
    asked: Labels | None


def take(metrics: Any, seen: Seen, real: Array) -> Scores:
    """All measures of made pictures, against the features of real ones (float64 M×d).

    `metrics` is question 16's model, which computes them. The Fréchet distance is to all real ones;
    the other distances, which compare picture with picture, are to as many as were made. A measure
    that cannot be taken is None, and `missing` says why.
    """
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    few = real[evenly(len(real), len(seen.features))]
    numbers, nearest = seen.features.shape[1], int(metrics.neighbours)
    count = min(len(real), len(seen.features))
    with threadpool_limits(1):
        if count > numbers:
            found["frechet"] = max(float(metrics.frechet(real, seen.features)), 0.0)
        else:
            which = "test" if len(real) <= numbers else "made"
            missing["frechet"] = (
                f"a distance of {numbers} features needs more than {numbers} pictures on each "
                f"side; {count} {which} pictures would say little"
            )
        if count > nearest:
            found["kernel"] = float(metrics.kernel(few, seen.features))
            names = ("precision", "recall", "density", "coverage")
            values = metrics.neighbourhoods(few, seen.features)
            found |= {name: float(value) for name, value in zip(names, values, strict=True)}
        else:
            why = f"needs more than {nearest} pictures on each side; there are {count}"
            missing |= dict.fromkeys(("kernel", "precision", "recall", "density", "coverage"), why)
        if seen.logits is None:
            why = "there are no classes to train an examiner with"
            missing |= dict.fromkeys(("inception", "similarity", "kinds"), why)
        else:
            found |= _of_classes(metrics, seen.pixels, seen.logits, missing)
            if seen.asked is not None:
                right = seen.logits.argmax(1) == seen.asked
                found["asked_for"] = float(right.mean())
    return Scores(**found, missing=missing)


def _of_classes(
    metrics: Any, pixels: Pixels, logits: Array, missing: dict[str, str]
) -> dict[str, Any]:
    """The measures that need classes; what cannot be taken goes into `missing`."""
    kinds = logits.argmax(1)
    found: dict[str, Any] = {
        "inception": float(metrics.inception(logits)),
        "kinds": owners(kinds),
    }
    places = pairs(kinds)
    side = min(pixels.shape[1:3])
    if side < _WINDOW:
        missing["similarity"] = f"needs pictures of at least {_WINDOW} pixels; these have {side}"
    elif not len(places):
        missing["similarity"] = "no two pictures are of one class"
    else:
        found["similarity"] = float(metrics.similarity(to_unit(pixels[places], "float64")))
    return found
