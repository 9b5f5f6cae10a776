"""The figure of question 13: four generators, what closeness sees, a game, and a few labels.

    python assets/draw_improved_gan.py                       draws improved_gan.png
    python assets/draw_improved_gan.py runs/improved_gan     takes what the runs in there made

The folder has runs of these names, each of which `knock score` has seen:

    plain       --each 0 --classes 1 --closeness 0 --real-label 1
    close       --each 0 --classes 1 --real-label 1
    labels      --closeness 0 --real-label 1
    matching    --adversarial 0 --matching 1
    all         no options

And for the curves, with N of 1, 3, 10 and 30, after `--test`:

    few_N       --each N --closeness 0 --real-label 1
    alone_N     the same, and --unlabelled 0 --g-width 1 --references 1

What is needed of them is kept in `improved_gan.safetensors`. The game is computed here.
"""

import json
from pathlib import Path

from knock import data
from knock.data.batches import to_unit
from knock.training import checkpoint, measured, record

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, FAINT, INK, SOFT, image, text

KEPT = figures.HERE / "improved_gan.safetensors"
WIDTH, HEIGHT = 10.0, 8.3
RUNS = {
    "plain": "a plain GAN",
    "close": "+ closeness",
    "labels": "+ 100 labels",
    "all": "all of it",
    "matching": "only matching",
}
SHOWN = 12  # pictures of each, in three columns
EACH = (1, 3, 10, 30)
TOGETHER = 32  # pictures that are compared
TURNS, RATE = 60.0, 0.05  # time of the game, and its step


def keep(folder: Path):
    """Put what the runs made, and what was measured of it, into the kept file."""
    tensors = {}
    for name in RUNS:
        made = record.read_pictures(folder / name / "result.safetensors")["sample"]
        tensors[f"{name}.pictures"] = np.ascontiguousarray(made[:SHOWN])
        scores = measured.read(folder / name).scores
        tensors[f"{name}.scores"] = np.array([scores.frechet, scores.kinds], np.float32)
    for kind in ("few", "alone"):
        found = [
            json.loads((folder / f"{kind}_{n}" / "test.json").read_text(encoding="utf-8"))
            for n in EACH
        ]
        tensors[kind] = np.array([one["named"]["named"] for one in found], np.float32)
    tensors |= _closeness(folder)
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def _closeness(folder):
    """How close pictures are to each other: real ones, and those of the plain generator.

    Of the discriminator's ways to compare, the one in which the two differ most.
    """
    recipe = figures.recipe("improved_gan")
    judge = figures.trained(recipe, checkpoint.load(folder / "all").state)["discriminator"]
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    real = to_unit(found.images[:TOGETHER], "float64")
    pictures = record.read_pictures(folder / "plain" / "result.safetensors")["sample"]
    made = to_unit(pictures[:TOGETHER], "float64")
    (layer,) = (one for one in judge.modules if one.name == "closeness")
    seen = []
    for images in (real, made):
        judge(images)
        seen.append(layer.close.copy())
    way = int(np.abs(seen[1].mean((0, 1)) - seen[0].mean((0, 1))).argmax())
    return {
        name: np.ascontiguousarray(close[:, :, way], np.float32)
        for name, close in zip(("real", "made"), seen, strict=True)
    }


def draw():
    """The whole card."""
    kept = safetensors.numpy.load_file(KEPT)
    figure, axis = figures.card(WIDTH, HEIGHT)
    for place, (name, title) in enumerate(RUNS.items()):
        _generator(
            axis, 0.42 + 1.87 * place, kept[f"{name}.pictures"], kept[f"{name}.scores"], title
        )
    axis.plot([0.45, WIDTH - 0.45], [3.72, 3.72], color=FAINT, linewidth=1)
    _matrices(axis, kept["real"], kept["made"])
    _game(figure)
    _labels(figure, kept["few"], kept["alone"])
    return figure


def _generator(axis, left, pictures, scores, title):
    """Twelve pictures of a generator, and two numbers about two thousand of them."""
    side = 0.555
    colour = CODE if title == RUNS["all"] else INK
    text(axis, left + 1.5 * side, HEIGHT - 0.42, title, 10.5, colour, weight="bold")
    for number, pixels in enumerate(pictures):
        row, column = divmod(number, 3)
        bottom = HEIGHT - 1.28 - side * row
        image(axis, np.repeat(pixels, 3, axis=2), left + side * column, bottom, side - 0.03)
    distance, kinds = scores
    middle = left + 1.5 * side
    text(axis, middle, HEIGHT - 3.2, f"Fréchet distance {distance:.2f}", 9, colour)
    text(axis, middle, HEIGHT - 3.47, f"{int(kinds)} of 10 kinds", 9, colour)
    parts = {
        "a plain GAN": "K = 1, no label,\nno closeness",
        "+ closeness": "K = 1, no label",
        "+ 100 labels": "K = 10,\nno closeness",
        "all of it": "K = 10, closeness,\nreal = 0.9",
        "only matching": "as before, without\nthe usual loss",
    }
    text(axis, middle, HEIGHT - 3.92, parts[title], 8, SOFT)


def _matrices(axis, real, made):
    """How close each of 32 pictures is to each other one, dark where they are alike."""
    side, bottom = 1.28, 1.35
    for left, close, words in ((0.45, real, "real pictures"), (1.95, made, "collapsed ones")):
        image(axis, 1 - close, left, bottom, side)
        others = (close.sum(1) - 1).mean()
        text(axis, left + side / 2, bottom - 0.2, words, 8.5)
        text(axis, left + side / 2, bottom - 0.42, f"o = {others:.1f}", 8.5, CODE)
    text(axis, 1.84, 3.42, "what closeness sees", 10, INK, weight="bold")
    text(axis, 1.84, 3.1, "c(i, j) of 32 pictures: dark is close", 8, SOFT)
    text(axis, 1.84, 0.5, "o: the sum of a row without itself", 8, SOFT)


def _panel(figure, left, title, words):
    """An empty panel in the lower row with a title; its axis."""
    panel = figure.add_axes((left / WIDTH, 1.0 / HEIGHT, 2.45 / WIDTH, 1.95 / HEIGHT))
    panel.tick_params(labelsize=7, colors=SOFT)
    for side in panel.spines.values():
        side.set_color(FAINT)
    middle = (left + 1.22) / WIDTH
    figure.text(
        middle,
        3.42 / HEIGHT,
        title,
        fontsize=10,
        color=INK,
        weight="bold",
        ha="center",
        va="center",
    )
    figure.text(middle, 3.1 / HEIGHT, words, fontsize=8, color=SOFT, ha="center", va="center")
    return panel


def play(history: float):
    """The game min over x, max over y of x·y from (1, 0), each player's weight of history: its way.

    Both move at once, against their slopes, x by y + 2h (x − x̄) and y by −x + 2h (y − ȳ).
    """
    place = mean = np.array([1.0, 0.0])
    way = [place]
    for step in range(1, int(TURNS / RATE) + 1):
        slope = np.array([place[1], -place[0]]) + 2 * history * (place - mean)
        place = place - RATE * slope
        mean = mean + (place - mean) / (step + 1)
        way.append(place)
    return np.array(way)


def _game(figure):
    """Two players with one number each, with and without a memory."""
    panel = _panel(figure, 3.85, "a game of two numbers", "x wants x·y small, y wants it large")
    for history, colour, words in ((0.0, DECODE, "h = 0"), (0.25, ENCODE, "h = 0.25")):
        way = play(history)
        panel.plot(*way.T, color=colour, linewidth=0.9, label=words)
    panel.plot([1], [0], "o", color=INK, markersize=3)
    panel.plot([0], [0], "+", color=INK, markersize=7)
    reach = 5
    panel.set_xlim(-reach, reach)
    panel.set_ylim(-reach, reach)
    panel.legend(fontsize=7, frameon=False, loc="upper left", handlelength=1.2)


def _labels(figure, few, alone):
    """How many test pictures get their class, by how many labels are known."""
    panel = _panel(
        figure, 7.1, "few labels, many pictures", "digits: test pictures that get their class"
    )
    panel.plot(EACH, 100 * few, "o-", color=CODE, markersize=4, label="with all pictures")
    panel.plot(EACH, 100 * alone, "o-", color=SOFT, markersize=4, label="with the labelled alone")
    for values, up in ((few, 5), (alone, -11)):
        for n, value in zip(EACH, values, strict=True):
            panel.annotate(
                f"{100 * value:.0f} %",
                (n, 100 * value),
                (0, up),
                textcoords="offset points",
                fontsize=7,
                color=INK,
                ha="center",
            )
    panel.set_xscale("log")
    panel.set_xticks(EACH, [str(n) for n in EACH])
    panel.set_xticks([], minor=True)
    panel.set_xlim(0.8, 38)
    panel.set_ylim(50, 100)
    panel.set_xlabel("labels of each class", fontsize=7.5, color=SOFT, labelpad=2)
    panel.legend(fontsize=7, frameon=False, loc="lower right")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
