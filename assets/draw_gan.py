"""The figure of question 05: who sees what, and which loss goes where.

    python assets/draw_gan.py        draws gan.png

The made picture is a stand-in: a real one with noise laid over it.
"""

from knock import layers

import figures
import numpy as np
from figures import DECODE, ENCODE, arrow, image, number, text
from matplotlib.patches import FancyBboxPatch

WIDTH, HEIGHT = 10.0, 4.4
PICTURE, NOISE = 1.05, 0.62  # inches a side
HIGH, LOW = 3.2, 1.35  # the height of the real pictures' middle, and of the made ones'
MIDDLE = (HIGH + LOW) / 2
BOX = (1.5, 0.8)


def draw():
    """The whole card."""
    recipe = figures.recipe("gan")
    generator, _ = layers.networks(recipe).values()
    figure, axis = figures.card(WIDTH, HEIGHT)
    rng = np.random.default_rng(0)
    real = figures.pixels(figures.newt(recipe, 0))
    grain = rng.normal(0.0, 45.0, real.shape)
    _picture(axis, rng.uniform(size=(10, 10)), 0.9, LOW, NOISE)
    text(axis, 0.9, LOW - 0.62, f"noise  z\n{number(generator.input[0])} numbers")
    _box(axis, 2.7, LOW, "generator  G", DECODE)
    _picture(axis, np.clip(real + grain, 0, 255).astype(np.uint8), 4.75, LOW, PICTURE)
    text(axis, 4.75, LOW - 0.72, "made  G(z)")
    _picture(axis, real, 4.75, HIGH, PICTURE)
    text(axis, 4.75, HIGH + 0.7, "real  x")
    _box(axis, 6.95, MIDDLE, "discriminator  D", ENCODE)
    for start, end in (
        ((1.28, LOW), (1.9, LOW)),
        ((3.5, LOW), (4.17, LOW)),
        ((5.33, LOW), (6.4, MIDDLE - 0.45)),
        ((5.33, HIGH), (6.4, MIDDLE + 0.45)),
        ((7.75, MIDDLE), (8.3, MIDDLE)),
    ):
        arrow(axis, start, end)
    text(axis, 8.95, MIDDLE, "a logit:\nis it real?", 10)
    text(axis, 8.2, HIGH + 0.3, "loss of D:\nreal is 1, made is 0", 10, ENCODE)
    arrow(axis, (8.2, HIGH - 0.02), (7.3, MIDDLE + 0.47), ENCODE, bend=0.25)
    text(axis, 8.2, LOW - 0.45, "loss of G:\nmade is 1", 10, DECODE)
    arrow(axis, (7.5, LOW - 0.6), (2.7, LOW - 0.45), DECODE, bend=-0.16)
    return figure


def _picture(axis, pixels, x, y, side):
    """A picture around a middle."""
    image(axis, pixels, x - side / 2, y - side / 2, side)


def _box(axis, x, y, words, colour):
    """A network: a box around a middle."""
    width, height = BOX
    axis.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor="white",
            edgecolor=colour,
            linewidth=1.6,
        )
    )
    text(axis, x, y, words, 10, colour)


if __name__ == "__main__":
    figures.main(__file__, draw)
