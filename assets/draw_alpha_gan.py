"""The figure of question 12: two ways to a picture, two networks that judge, four losses.

    python assets/draw_alpha_gan.py                   draws alpha_gan.png
    python assets/draw_alpha_gan.py runs/alpha_gan    takes the weights of that run

The code, both made pictures and the five logits are a trained answer's, kept in
`alpha_gan.safetensors`.
"""

from pathlib import Path

from knock import data, noise
from knock.data.batches import to_unit
from knock.frameworks import numpy as plain
from knock.recipe import layers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, SOFT, arrow, funnel, image, shape, text
from matplotlib import colormaps
from matplotlib.patches import Polygon, Rectangle

KEPT = figures.HERE / "alpha_gan.safetensors"
TOGETHER = 64  # test pictures, and codes, that the discriminator is shown at a time
SHOWN, DRAWN = 31, 28  # which of them
JUDGE = "#2e8062"
WIDTH, HEIGHT = 10.0, 6.35
UPPER, LOWER = 4.62, 2.62  # the middles of the two ways
SIDE = 1.22  # of a picture, inches
GIVEN, CODES, MADE = 0.98, 3.62, 6.72  # the middles of what goes in, of the codes, of the pictures
STRIP = 0.2, 1.3  # a code's sides
DISCRIMINATOR, CODE_DISCRIMINATOR = 8.35, 2.3  # where the two judges begin


def keep(run: Path):
    """Put what a trained run makes of the pictures, and says of them, into the kept file."""
    recipe = figures.recipe("alpha_gan")
    networks = figures.trained(recipe, checkpoint.load(run).state)
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    images = to_unit(found.images[:TOGETHER], "float64")
    codes = plain.evaluate(networks["encoder"], images)
    drawn = noise.normal(recipe.seed, 0, "figure", codes.shape)
    copies, fakes = (plain.evaluate(networks["generator"], given) for given in (codes, drawn))
    real, copied, faked = (networks["discriminator"](given) for given in (images, copies, fakes))
    encoded, prior = (networks["code_discriminator"](given) for given in (codes, drawn))
    logits = [real[SHOWN], copied[SHOWN], faked[DRAWN], encoded[SHOWN], prior[DRAWN]]
    tensors = {
        "code": codes[SHOWN],
        "noise": drawn[DRAWN],
        "logits": np.concatenate(logits),
        "l1": np.abs(images - copies)[SHOWN].sum(keepdims=True).ravel(),
    }
    tensors = {name: value.astype(np.float32) for name, value in tensors.items()}
    tensors["copy"] = figures.pixels(copies[SHOWN : SHOWN + 1])
    tensors["fake"] = figures.pixels(fakes[DRAWN : DRAWN + 1])
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def draw():
    """The whole card."""
    recipe = figures.recipe("alpha_gan")
    networks = layers.networks(recipe)
    kept = safetensors.numpy.load_file(KEPT)
    figure, axis = figures.card(WIDTH, HEIGHT)
    given = figures.pixels(figures.newt(recipe, SHOWN))
    _picture(axis, GIVEN, UPPER, given, "picture  x")
    _picture(axis, MADE, UPPER, kept["copy"], "reconstruction  x̂")
    _picture(axis, MADE, LOWER, kept["fake"], "sample  x̃")
    _code(axis, UPPER, kept["code"], "code  ẑ")
    _code(axis, LOWER, kept["noise"], "noise  z ~ N(0, 1)")
    _ways(axis, networks)
    _judge_pictures(axis, networks["discriminator"], kept["logits"][:3])
    _judge_codes(axis, networks["code_discriminator"], kept["logits"][3:])
    _distance(axis, kept["l1"][0])
    _losses(axis, recipe.constants["l1_weight"])
    return figure


def _picture(axis, x, y, pixels, words):
    image(axis, np.repeat(pixels, 3, axis=2), x - SIDE / 2, y - SIDE / 2, SIDE)
    text(axis, x, y - SIDE / 2 - 0.17, words, 10)


def _code(axis, y, values, words):
    """A code as a strip of cells: blue below 0, red above, white at 0."""
    wide, high = STRIP
    cell = high / len(values)
    for place, value in enumerate(values):
        colour = colormaps["RdBu_r"](0.5 + np.clip(value, -2.5, 2.5) / 5)
        corner = CODES - wide / 2, y + high / 2 - (place + 1) * cell
        axis.add_patch(
            Rectangle(corner, wide, cell, facecolor=colour, edgecolor=INK, linewidth=0.6)
        )
    text(axis, CODES, y - high / 2 - 0.17, words, 10, CODE)


def _ways(axis, networks):
    """From the picture through encoder and generator, and from noise through the same generator."""
    left, right = CODES - STRIP[0] / 2 - 0.1, CODES + STRIP[0] / 2 + 0.1
    ends = GIVEN + SIDE / 2 + 0.08, MADE - SIDE / 2 - 0.08
    sizes = networks["encoder"]
    words = f"{shape(sizes.input)} → {shape(sizes.output)}"
    funnel(axis, ends[0], left, UPPER, 0.62, 0.36, ENCODE, "encoder  E", words)
    sizes = networks["generator"]
    words = f"{shape(sizes.input)} → {shape(sizes.output)}"
    funnel(axis, right, ends[1], UPPER, 0.36, 0.62, DECODE, "generator  G", words)
    funnel(axis, right, ends[1], LOWER, 0.36, 0.62, DECODE, "generator  G", "the same")


def _judge_pictures(axis, network, logits):
    """The discriminator on the right: three kinds of picture go in, a logit each comes out."""
    start, end = DISCRIMINATOR, DISCRIMINATOR + 0.62
    top, bottom = UPPER + 0.75, LOWER - 0.5
    corners = [(start, top), (end, top - 0.3), (end, bottom + 0.3), (start, bottom)]
    axis.add_patch(Polygon(corners, facecolor=JUDGE, alpha=0.13, linewidth=0, zorder=1))
    middle = (top + bottom) / 2
    words = f"discriminator  D\n{shape(network.input)} → {shape(network.output)}"
    text(axis, (start + end) / 2, middle, words, 10.5, JUDGE, rotation=90, weight="bold")
    over = UPPER + SIDE / 2 + 0.62
    axis.plot([GIVEN, GIVEN], [UPPER + SIDE / 2 + 0.05, over], color=INK, linewidth=1.3)
    axis.plot([GIVEN, 7.85], [over, over], color=INK, linewidth=1.3)
    inlet = UPPER + 0.45
    axis.plot([7.85, 7.85], [over, inlet], color=INK, linewidth=1.3)
    arrow(axis, (7.85, inlet), (start - 0.04, inlet), INK)
    ways = (
        (inlet, UPPER + 0.24, logits[0], "D(x)"),
        (UPPER - 0.2, UPPER - 0.32, logits[1], "D(x̂)"),
        (LOWER, LOWER, logits[2], "D(x̃)"),
    )
    for y, said, logit, words in ways:
        if y != inlet:
            arrow(axis, (MADE + SIDE / 2 + 0.08, y), (start - 0.04, y), DECODE)
        arrow(axis, (end + 0.04, said), (end + 0.22, said), JUDGE)
        text(axis, end + 0.28, said, f"{words}\n{_signed(logit)}", 9, JUDGE, ha="left")


def _judge_codes(axis, network, logits):
    """The code discriminator at the lower left: two kinds of code go in, a logit each comes out."""
    start, end = CODE_DISCRIMINATOR + 0.35, CODE_DISCRIMINATOR - 0.97
    wide, narrow = 0.62, 0.4
    corners = [(start, LOWER + wide), (end, LOWER + narrow)]
    corners += [(end, LOWER - narrow), (start, LOWER - wide)]
    axis.add_patch(Polygon(corners, facecolor=CODE, alpha=0.13, linewidth=0, zorder=1))
    words = f"code\ndiscriminator  C\n{shape(network.input)} → {shape(network.output)}"
    text(axis, (start + end) / 2 + 0.02, LOWER, words, 9.5, CODE, weight="bold")
    edge = CODES - STRIP[0] / 2 - 0.08
    arrow(axis, (edge, LOWER - 0.25), (start + 0.05, LOWER - 0.25), CODE)
    corner = 3.1
    axis.plot([edge, corner], [UPPER - 0.52, UPPER - 0.52], color=CODE, linewidth=1.3)
    axis.plot([corner, corner], [UPPER - 0.52, LOWER + 0.3], color=CODE, linewidth=1.3)
    arrow(axis, (corner, LOWER + 0.3), (start + 0.05, LOWER + 0.3), CODE)
    for y, words, logit in ((0.22, "C(ẑ)", logits[0]), (-0.22, "C(z)", logits[1])):
        arrow(axis, (end - 0.04, LOWER + y), (end - 0.24, LOWER + y), CODE)
        text(axis, end - 0.3, LOWER + y, f"{words}\n{_signed(logit)}", 9, CODE, ha="right")


def _signed(value):
    return f"{value:+.1f}".replace("-", "−")


def _distance(axis, l1):
    """The distance from the picture to its reconstruction, above the first way."""
    y = UPPER + SIDE / 2 + 0.33
    for x, colour in ((GIVEN + 0.25, SOFT), (MADE, SOFT)):
        axis.plot([x, x], [UPPER + SIDE / 2 + 0.05, y], color=colour, linewidth=1.0)
    axis.plot([GIVEN + 0.25, MADE], [y, y], color=SOFT, linewidth=1.0)
    words = f"distance  ‖x − x̂‖₁ = {l1:.0f}"
    text(axis, (GIVEN + MADE) / 2, y, words, 10, INK, bbox={"facecolor": "white", "linewidth": 0})


def _losses(axis, weight):
    """What each of the four networks learns from, and nothing else."""
    near = f"{weight:g} · ‖x − x̂‖₁"
    told = (
        ("loss of E", f"{near} − C(ẑ)", ENCODE),
        ("loss of G", f"{near} − D(x̂) − D(x̃)", DECODE),
        ("loss of D", "x is real, x̂ and x̃ are fake", JUDGE),
        ("loss of C", "z is drawn, ẑ is encoded", CODE),
    )
    places = (0.4, 1.2), (0.4, 0.62), (5.3, 1.2), (5.3, 0.62)
    axis.plot([0.4, WIDTH - 0.4], [1.56, 1.56], color=figures.FAINT, linewidth=1.0)
    for (x, y), (name, words, colour) in zip(places, told, strict=True):
        text(axis, x, y, name, 11, colour, ha="left", weight="bold")
        text(axis, x + 1.0, y, words, 11, colour, ha="left")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
