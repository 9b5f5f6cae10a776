"""The figure of question 16: what the examiner says, what three measures do with it, what N does.

    python assets/draw_metrics.py                          draws metrics.png
    python assets/draw_metrics.py runs/metrics_pytorch     measures with the examiner of that run

All that is measured is kept in `metrics.safetensors`. The points of the last panel of the middle
row are drawn by hand: in the plane one sees which balls are empty.
"""

from pathlib import Path

from knock import data, noise, questions
from knock.data import ladder
from knock.data.batches import to_unit
from knock.frameworks import numpy as plain
from knock.recipe import layers
from knock.scripts import load as script
from knock.training import checkpoint

import cv2
import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, FAINT, INK, SOFT, arrow, image, number, shape, text
from matplotlib.patches import Circle, Ellipse, FancyBboxPatch, Rectangle

KEPT = figures.HERE / "metrics.safetensors"
WIDTH, HEIGHT = 10.0, 8.5
SHOWN = 3  # the test picture that is examined
COUNTS, TIMES = (50, 100, 200, 382), 20  # how many pictures are measured, and how often
WAYS = {
    "every 2nd pixel": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "means of 2×2": cv2.INTER_AREA,
}
REAL, MADE = ENCODE, DECODE
LEFTS, PANEL, ROW = (0.55, 3.75, 6.95), 2.6, 3.72  # of the middle row, and its lower edge
TALL = 1.95  # inches of a panel
DOTS = {
    "real": [(0.20, 0.75), (0.32, 0.58), (0.42, 0.80), (0.55, 0.66), (0.86, 0.36), (0.96, 0.27)],
    "made": [(0.30, 0.68), (0.37, 0.70), (0.43, 0.66), (0.33, 0.77), (0.12, 0.38)],
}


def keep(run: Path):
    """Measure with the examiner of a run, and put the numbers into the kept file."""
    recipe = figures.recipe("metrics")
    reference = questions.find("metrics").reference_file
    plain.setup("cpu", "float64")
    made = script.model_class(script.load(reference), recipe.class_name, reference)(recipe)
    networks = figures.trained(recipe, checkpoint.load(run).state)
    made.examiner = networks["examiner"]
    train, test = (data.load(recipe.dataset, recipe.image_shape, one) for one in ("train", "test"))
    built = ladder.make(train, test, recipe.seed)

    def seen(images):
        return made.features(to_unit(images, "float64"))

    real, true = seen(built.real), seen(test.images)
    scale = np.sqrt((real**2).mean())
    real, true = real / scale, true / scale
    numbers = {"frechet": [], "kernel": []}
    for count in COUNTS:
        order = (noise.permutation(0, time, "figure", len(true))[:count] for time in range(TIMES))
        parts = [true[places] for places in order]
        for name, found in numbers.items():
            values = [getattr(made, name)(real, part) for part in parts]
            found.append([np.mean(values), np.std(values)])
    logits = made.classify(to_unit(test.images, "float64"))
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    half = seen(next(p for name, p in built.rungs.items() if name.endswith("kinds"))) / scale
    middle = real.mean(0)
    across = (half.mean(0) - middle) / np.linalg.norm(half.mean(0) - middle)
    rest = (real - middle) - np.outer((real - middle) @ across, across)
    axes = np.stack([across, np.linalg.svd(rest, full_matrices=False)[2][0]])
    resized = [
        made.frechet(true, seen(_resized(test.images, way)) / scale) for way in WAYS.values()
    ]
    tensors = {
        "frechet": np.array(numbers["frechet"], np.float32),
        "kernel": np.array(numbers["kernel"], np.float32),
        "one": shares[SHOWN].astype(np.float32),
        "all": shares.mean(0).astype(np.float32),
        "real": ((real - middle) @ axes.T).astype(np.float32),
        "half": ((half - middle) @ axes.T).astype(np.float32),
        "resized": np.array(resized, np.float32),
    }
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def _resized(images, way):
    """The pictures at half of their size and back, the way back always the same."""
    height, width = images.shape[1:3]
    small = [cv2.resize(one, (width // 2, height // 2), interpolation=way) for one in images]
    back = [cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in small]
    return np.stack(back).reshape(images.shape)


def draw():
    """The whole card."""
    recipe = figures.recipe("metrics")
    kept = safetensors.numpy.load_file(KEPT)
    test = data.load(recipe.dataset, recipe.image_shape, "test")
    figure, axis = figures.card(WIDTH, HEIGHT)
    _examined(axis, recipe, test.images[SHOWN, :, :, 0])
    _inception(axis, LEFTS[0], kept, test.classes)
    _frechet(axis, LEFTS[1], kept)
    _neighbours(axis, LEFTS[2], recipe.constants["neighbours"])
    axis.plot([0.45, WIDTH - 0.45], [3.3, 3.3], color=FAINT, linewidth=1)
    _counts(axis, 0.95, kept["frechet"], "Fréchet distance of the test pictures", CODE)
    _counts(axis, 4.1, kept["kernel"], "kernel distance of the same", CODE)
    _ways(axis, 7.35, kept["resized"], test.images[SHOWN])
    return figure


def _examined(axis, recipe, pixels):
    """A picture on its way through the examiner."""
    placed = layers.networks(recipe)["examiner"]
    y, side = 7.3, 1.0
    image(axis, pixels, 0.55, y - side / 2, side)
    text(axis, 0.55 + side / 2, y - side / 2 - 0.2, shape(placed.input), 8.5, SOFT)
    text(axis, 0.55, 8.1, "the examiner", 12, INK, ha="left", weight="bold")
    x = 2.15
    for one in placed.layers:
        if not one.parameters:
            continue
        last = one is placed.layers[-1]
        wide = 1.25 if len(one.output) == 3 else 1.0
        colour = MADE if last else CODE if one.name == "fc" else REAL
        corner = (x, y - 0.3)
        box = {"boxstyle": "round,pad=0,rounding_size=0.08", "facecolor": "#f6f8fa"}
        axis.add_patch(FancyBboxPatch(corner, wide, 0.6, edgecolor=colour, linewidth=1.4, **box))
        text(axis, x + wide / 2, y + 0.1, one.name, 10, colour, weight="bold")
        text(axis, x + wide / 2, y - 0.13, shape(one.output), 8.5, SOFT)
        arrow(axis, (x - 0.32, y), (x - 0.04, y))
        if one.name == "fc":
            text(axis, x + wide / 2, y - 0.55, "features", 10, CODE, weight="bold")
        x += wide + 0.36
    text(axis, x - 0.36 - 0.5, y - 0.55, "logits", 10, MADE, weight="bold")
    count = sum(p.size for p in placed.parameters)
    text(axis, WIDTH - 0.55, 8.1, f"{number(count)} weights", 8.5, SOFT, ha="right")


def _panel(axis, left, name, words, colour):
    """The frame of a panel of the middle row, with what it is about."""
    frame = Rectangle((left, ROW), PANEL, TALL, facecolor="#fbfcfd", edgecolor=SOFT, zorder=1)
    axis.add_patch(frame)
    text(axis, left, ROW + TALL + 0.36, name, 11, colour, ha="left", va="baseline", weight="bold")
    text(axis, left, ROW + TALL + 0.13, words, 8.5, SOFT, ha="left", va="baseline")


def _inception(axis, left, kept, classes):
    """The classes of one picture, and of all."""
    words = "one picture: sure; all of them: every class"
    _panel(axis, left, "inception score", words, MADE)
    step = (PANEL - 0.3) / len(classes)
    for bottom, tall, name, said in (
        (ROW + 1.12, 0.65, "one", "p(class | picture)"),
        (ROW + 0.26, 0.65, "all", "p(class)"),
    ):
        top = 1.0 if name == "one" else 3 * kept["all"].max()
        for place, share in enumerate(kept[name]):
            corner = (left + 0.15 + place * step, bottom)
            high = max(0.012, tall * float(share) / top)
            axis.add_patch(Rectangle(corner, step * 0.78, high, facecolor=MADE, zorder=3))
        text(axis, left + PANEL - 0.12, bottom + tall - 0.05, said, 8.5, INK, ha="right")
    for place, name in enumerate(classes):
        x = left + 0.15 + (place + 0.39) * step
        text(axis, x, ROW + 0.12, name, 7.5, SOFT)


def _frechet(axis, left, kept):
    """Two clouds of features, from mean to mean and along the real ones' widest; two ellipses."""
    _panel(axis, left, "Fréchet distance", "between two Gaussians, one around each set", CODE)
    every = np.concatenate([kept["real"], kept["half"]])
    low, high = np.percentile(every, 0.5, axis=0), np.percentile(every, 99.5, axis=0)
    inch = 0.86 * min(PANEL / (high - low)[0], TALL / (high - low)[1])
    centre = np.array([left + PANEL / 2, ROW + TALL / 2])
    for name, colour in (("real", REAL), ("half", MADE)):
        points = centre + (kept[name] - (low + high) / 2) * inch
        inside = np.abs(points - centre).max(1) < 9
        inside &= (np.abs(points - centre) < np.array([PANEL, TALL]) / 2 - 0.03).all(1)
        axis.plot(*points[inside].T, "o", color=colour, markersize=1.6, alpha=0.45, zorder=3, mew=0)
        values, vectors = np.linalg.eigh(np.cov(points.T))
        angle = np.degrees(np.arctan2(*vectors[::-1, 1]))
        wide, tall = 3 * np.sqrt(values[::-1])
        middle = points.mean(0)
        edge = {"fill": False, "edgecolor": colour, "linewidth": 1.8, "zorder": 5}
        axis.add_patch(Ellipse(middle, wide, tall, angle=angle, **edge))
        axis.plot(*middle, "o", color=colour, markersize=5, markeredgecolor="white", zorder=6)
    text(axis, left + 0.1, ROW + 0.14, "real", 8.5, REAL, ha="left", weight="bold")
    text(
        axis, left + PANEL - 0.1, ROW + 0.14, "5 of 10 kinds", 8.5, MADE, ha="right", weight="bold"
    )


def _neighbours(axis, left, k):
    """A few points, and the ball around each that reaches to its k-th neighbour (here: first)."""
    _panel(axis, left, "precision and recall", "whose balls hold whom? (here k = 1)", REAL)
    inch = min(PANEL, TALL) * 1.05
    place = {
        name: np.array([left + 0.3, ROW - 0.03]) + np.array(dots) * inch
        for name, dots in DOTS.items()
    }
    for name, colour in (("real", REAL), ("made", MADE)):
        own = place[name]
        for dot in own:
            radius = np.sort(np.hypot(*(own - dot).T))[1]
            ball = axis.add_patch(Circle(dot, radius, facecolor=colour, alpha=0.09, zorder=2))
            ball.set_clip_path(Rectangle((left, ROW), PANEL, TALL, transform=axis.transData))
        axis.plot(*own.T, "o", color=colour, markersize=5, markeredgecolor="white", zorder=6)
    text(
        axis,
        left + 0.12,
        ROW + 0.14,
        "far from all real:\nnot precise",
        7.5,
        MADE,
        ha="left",
        va="bottom",
    )
    text(
        axis,
        left + PANEL - 0.1,
        ROW + 0.1,
        "no made one near:\nnot recalled",
        7.5,
        REAL,
        ha="right",
        va="bottom",
    )
    text(
        axis,
        left + PANEL - 0.1,
        ROW + TALL - 0.14,
        f"the recipe has k = {k}",
        7.5,
        SOFT,
        ha="right",
    )


def _counts(axis, left, found, words, colour):
    """A distance over the number of pictures: its mean and deviation over samples of that size."""
    bottom, wide, tall = 0.85, 2.2, 1.75
    means, spread = found.T
    low, high = min(0.0, (means - spread).min()), (means + spread).max() * 1.08
    text(axis, left - 0.4, bottom + tall + 0.38, words, 9.5, colour, ha="left", weight="bold")
    axis.plot([left, left], [bottom, bottom + tall], color=SOFT, linewidth=1)

    def up(value):
        return bottom + tall * (value - low) / (high - low)

    axis.plot([left, left + wide], [up(0)] * 2, color=SOFT, linewidth=1)
    text(axis, left - 0.1, up(0), "0", 8.5, SOFT, ha="right")
    for place, count in enumerate(COUNTS):
        x = left + wide * (place + 0.5) / len(COUNTS)
        value, off = float(means[place]), float(spread[place])
        axis.plot([x, x], [up(value - off), up(value + off)], color=colour, linewidth=2.2)
        axis.plot(x, up(value), "o", color=colour, markersize=6, zorder=5)
        text(
            axis,
            x + 0.1,
            up(value),
            f"{value:.2f}" if high > 1 else f"{value:.3f}",
            8.5,
            INK,
            ha="left",
        )
        text(axis, x, bottom - 0.17, number(count), 8.5, SOFT)
    text(axis, left + wide / 2, bottom - 0.4, "how many pictures are measured", 8.5, SOFT)


def _ways(axis, left, found, picture):
    """The same pictures, halved in four ways and enlarged in one: how far from themselves?"""
    text(
        axis,
        left - 0.4,
        2.98,
        "the same, halved and enlarged",
        9.5,
        CODE,
        ha="left",
        weight="bold",
    )
    side, bottom = 0.52, 2.16
    for place, ((name, way), value) in enumerate(zip(WAYS.items(), found, strict=True)):
        y = bottom - place * 0.58
        pixels = _resized(picture[None], way)[0, :, :, 0]
        image(axis, pixels, left - 0.4, y, side)
        text(axis, left + 0.25, y + 0.35, name, 8.5, SOFT, ha="left")
        wide = 1.25 * float(value) / float(found.max())
        axis.add_patch(Rectangle((left + 0.25, y + 0.06), wide, 0.14, facecolor=CODE, zorder=3))
        text(axis, left + 0.33 + wide, y + 0.13, f"{float(value):.3f}", 8.5, INK, ha="left")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
