"""The figure of question 06: maps that are doubled four times, and halved four times.

    python assets/draw_dcgan.py      draws dcgan.png

Each block is a stack of maps: as high as their sides, as thick as there are channels (the fourth
root of both, so that all can be seen). The pictures are newts, the widths those of the preset
`full`.
"""

from knock import questions
from knock import recipe as recipes
from knock.recipe import layers

import figures
from figures import DECODE, ENCODE, SOFT, arrow, image, shape, text
from matplotlib.patches import Polygon

WIDTH, HEIGHT = 10.0, 5.2
UPPER, LOWER = 3.85, 1.45  # the height of the generator's middle, and of the discriminator's
LEFT, STEP = 1.75, 1.45


def draw():
    """The whole card."""
    recipe = recipes.load(questions.find("dcgan").recipe_file, dataset="newts", preset="full")
    generator, discriminator = layers.networks(recipe).values()
    figure, axis = figures.card(WIDTH, HEIGHT)
    maps = [one.output for one in generator.layers if one.layer.kind in ("reshape", "tconv")]
    picture = figures.pixels(figures.newt(recipe, 0))
    text(axis, 0.85, UPPER, f"noise  z\n{generator.input[0]}")
    _row(axis, maps, UPPER, DECODE)
    words = "generator: doubles the sides"
    text(axis, 0.3, HEIGHT - 0.4, words, 11, DECODE, ha="left", weight="bold")
    text(axis, WIDTH - 0.3, HEIGHT - 0.4, "widths of the preset full", 9, SOFT, ha="right")
    halved = [one.output for one in discriminator.layers if one.layer.kind == "conv"]
    text(axis, 0.85, LOWER, "logit:\nis it real?")
    _row(axis, halved[::-1], LOWER, ENCODE)
    image(axis, picture, LEFT + 4 * STEP + 0.25, LOWER - 0.6, 1.2)
    text(axis, LEFT + 4 * STEP + 0.85, LOWER - 0.85, shape(discriminator.input))
    words = "discriminator: halves them"
    text(axis, 0.3, HEIGHT - 2.75, words, 11, ENCODE, ha="left", weight="bold")
    kinds = ("linear", "conv", "tconv")
    steps = [one for one in generator.layers if one.layer.kind in kinds]
    backs = [one for one in discriminator.layers if one.layer.kind in kinds][::-1]
    for i in range(5):
        x = LEFT + i * STEP - 0.35
        arrow(axis, (x - 0.16, UPPER), (x + 0.16, UPPER), DECODE)
        arrow(axis, (x + 0.16, LOWER), (x - 0.16, LOWER), ENCODE)
        text(axis, x, UPPER + 0.16, _words(steps[i]), 8, DECODE, va="bottom")
        text(axis, x, LOWER + 0.16, _words(backs[i]), 8, ENCODE, va="bottom")
    return figure


def _words(placed):
    """A layer over its arrow: linear, or its kernel."""
    kernel = getattr(placed.layer, "kernel", None)
    return f"{kernel}×{kernel}" if kernel else placed.layer.kind


def _row(axis, maps, y, colour):
    """Blocks side by side, each with its shape below."""
    for place, (channels, side, _) in enumerate(maps):
        x = LEFT + place * STEP + 0.35
        _block(axis, x, y, 0.38 * side**0.25 * 1.15, 0.09 * channels**0.25, colour)
        text(axis, x, y - 0.85, shape((channels, side, side)))


def _block(axis, x, y, high, thick, colour):
    """A box in a slanted view: its front `high` on a side, `thick` to the right."""
    slant, half = 0.3 * high, high / 2
    left, right = x - (thick + slant) / 2, x - (thick + slant) / 2 + thick
    faces = (
        [(left, y - half), (right, y - half), (right, y + half - slant), (left, y + half - slant)],
        [
            (left, y + half - slant),
            (right, y + half - slant),
            (right + slant, y + half),
            (left + slant, y + half),
        ],
        [
            (right, y - half),
            (right + slant, y - half + slant),
            (right + slant, y + half),
            (right, y + half - slant),
        ],
    )
    for face, strength in zip(faces, (0.25, 0.12, 0.45), strict=True):
        axis.add_patch(Polygon(face, facecolor=(colour, strength), edgecolor=colour, linewidth=1))


if __name__ == "__main__":
    figures.main(__file__, draw)
