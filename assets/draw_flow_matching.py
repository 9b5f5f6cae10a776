"""The figure of question 18: straight lines, the ways that come of them, and guidance.

    python assets/draw_flow_matching.py                       draws flow_matching.png
    python assets/draw_flow_matching.py runs/flow_matching    takes the digits from that run

The plane is computed: there, the best direction that any network could learn is known. The digits
are a trained answer's; they are kept in `flow_matching.safetensors`.
"""

from pathlib import Path

from knock import noise
from knock.data.batches import to_pixels
from knock.questions import find
from knock.scripts import load as answers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, SOFT, text

KEPT = figures.HERE / "flow_matching.safetensors"
QUESTION = find("flow_matching")
REFERENCE = answers.load(QUESTION.reference_file)
SHOWN = 0, 4, 8, 12, 16, 18, 20  # strides of the way of a digit
GUIDANCE = 0.0, 1.0, 4.0
WAY, ASKED = 3, (0, 2, 4, 5, 6, 7, 8, 9)  # the digits that are asked for
NOISE = 5
POINTS = np.array([[-1.6, 1.1], [0.1, 1.6], [1.7, 0.9]])  # the pictures of the plane
BEGINNINGS, STRIDES = 14, 60
WIDTH, HEIGHT, SIDE = 10.0, 5.6, 0.78


def keep(folder: Path) -> None:
    """Take the way of one noise, and a row of digits for each guidance, from a run."""
    found = checkpoint.load(folder)
    recipe = found.recipe
    made = answers.model_class(REFERENCE, recipe.class_name, QUESTION.reference_file)(recipe)
    made.unet_mean = figures.trained(recipe, found.state)["unet_mean"]
    steps, x = made.sample_steps, _noise(recipe.image_shape, NOISE, 1)
    row, strip, ends = made.one_hot(np.array([WAY])), [], []
    for i in range(steps + 1):
        t = i / steps
        if i in SHOWN:
            strip.append(x[0])
            ends.append((x + (1 - t) * made.velocity(x, t, row) if i < steps else x)[0])
        if i < steps:
            x = made.stride(x, t, 1 / steps, row)
    begin = np.repeat(_noise(recipe.image_shape, NOISE, 1), len(ASKED), 0)
    tensors = {"strip": np.array(strip, np.float32), "ends": np.array(ends, np.float32)}
    for number, guidance in enumerate(GUIDANCE):
        made.guidance = guidance
        tensors[f"guided{number}"] = made.generate(begin, np.array(ASKED)).astype(np.float32)
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def _noise(shape, number, count):
    return noise.normal(0, number, "assets/noise", (count, *shape))


def draw():
    """The whole card."""
    figure, axis = figures.card(WIDTH, HEIGHT)
    kept = safetensors.numpy.load_file(KEPT)
    begin = noise.normal(0, 1, "assets/plane", (BEGINNINGS, 2)) * [0.75, 0.35] - [0.0, 1.6]
    words = "what is learnt from: lines from any noise to any picture"
    _plane(_axis(figure, 0.35, 3.1, 2.9, 1.95), words, begin, straight(begin))
    words = "what is learnt: the mean of the lines at each place"
    _plane(_axis(figure, 0.35, 0.45, 2.9, 1.95), words, begin, walked(begin))
    _way(axis, kept)
    _guided(axis, kept)
    return figure


def straight(begin):
    """Lines from each beginning to a picture that the draw gave it: 2 places each."""
    ends = POINTS[np.arange(len(begin)) % len(POINTS)]
    return np.stack([begin, ends])


def walked(begin):
    """The same beginnings, led by the mean of x − ε over all lines through a place.

    Noise is normal here, with the centre and the spread of `begin`, and every picture is as likely;
    so which pictures the lines through x lead to is a softmax.
    """
    centre, spread = np.array([0.0, -1.6]), np.array([0.75, 0.35])
    x, places = begin, [begin]
    for i in range(STRIDES):
        t = i / STRIDES
        off = (x[:, None] - t * POINTS - (1 - t) * centre) / ((1 - t) * spread)
        likely = -(off**2).sum(-1) / 2
        likely = np.exp(likely - likely.max(1, keepdims=True))
        likely /= likely.sum(1, keepdims=True)
        x = x + (likely @ POINTS - x) / (1 - t) / STRIDES
        places.append(x)
    return np.stack(places)


def _axis(figure, left, bottom, width, height):
    axis = figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))
    axis.axis("off")
    axis.set_xlim(-2.3, 2.3)
    axis.set_ylim(-2.6, 2.0)
    return axis


def _plane(axis, words, begin, places):
    """Ways from noise, below, to three pictures, above."""
    for number in range(len(begin)):
        axis.plot(*places[:, number].T, color=ENCODE, lw=0.9, alpha=0.75)
    axis.scatter(*begin.T, s=12, color=CODE, zorder=3)
    axis.scatter(*POINTS.T, s=70, marker="s", color=DECODE, zorder=3)
    axis.set_title(words, fontsize=8.0, color=INK, pad=5)


def _place(number, count):
    """The left edge of a picture in a row of so many."""
    return 3.95 + number * (5.7 - SIDE) / (count - 1)


def _row(axis, pictures, bottom, colour):
    for number, one in enumerate(pictures):
        left = _place(number, len(pictures))
        shown = to_pixels(one[None])[0, ..., 0]
        side = min(SIDE, 0.92 * 5.7 / len(pictures))
        figures.image(axis, shown, left, bottom, side, colour, 1.2)


def _way(axis, kept):
    words = f"the way to a {WAY}: where the arrow points, $x_t + (1 - t)\\,v$, and below it $x_t$"
    text(axis, 6.8, 5.25, words, 9.0)
    _row(axis, kept["ends"], 4.25, ENCODE)
    _row(axis, kept["strip"], 3.32, INK)
    for number, stride in enumerate(SHOWN):
        left = _place(number, len(SHOWN)) + SIDE / 2
        text(axis, left, 3.15, f"t = {stride / SHOWN[-1]:g}", 8.0, SOFT)


def _guided(axis, kept):
    text(axis, 6.8, 2.78, "one noise, asked for eight digits, with more and more guidance", 9.0)
    for number, guidance in enumerate(GUIDANCE):
        bottom = 1.98 - 0.72 * number
        text(axis, 3.83, bottom + 0.31, f"w = {guidance:g}", 8.0, SOFT, ha="right")
        _row(axis, kept[f"guided{number}"], bottom, DECODE)


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
