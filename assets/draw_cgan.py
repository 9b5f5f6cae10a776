"""The figure of question 07: the class goes into both networks, as a row and as planes.

    python assets/draw_cgan.py      draws cgan.png

No network is asked: the noise comes from a fixed seed, and the digit that stands for a made one is
another test picture of the same class.
"""

import math

from knock import data
from knock.recipe import layers

import figures
import numpy as np
from figures import CODE, DECODE, ENCODE, INK, SOFT, arrow, image, number, shape, text
from matplotlib.patches import Polygon, Rectangle

ASKED = 3  # the class
PLACES = 0, 13  # which of its test pictures stand for the made one and the real one
SEED = 2  # of the noise
WIDTH, HEIGHT = 10.0, 5.3
UPPER, LOWER = 3.2, 0.82  # the lower edges of the real picture and of the made one
MIDDLE = 2.75  # the height of the discriminator's middle, and of the class's way
CENTRE = 1.0  # of the noise and of the class, from the left
PICTURE, NOISE, CELL = 1.05, 0.9, 0.145  # inches a side
GENERATOR, DISCRIMINATOR = (2.12, 3.42), (7.1, 8.4)  # their ends, from the left
FRONT = 3.95  # the left edge of the pictures
GAP, SHIFT = (0.3, 0.1), (0.125, 0.042)  # to the first plane behind a picture, to the next one
SAID = 9.18


def draw():
    """The whole card."""
    recipe = figures.recipe("cgan")
    generator, discriminator = layers.networks(recipe).values()
    classes = recipe.constants["classes"]
    figure, axis = figures.card(WIDTH, HEIGHT)
    made, real = _pictures(recipe)
    lane = LOWER + PICTURE / 2
    _noise(axis, recipe.constants["z"], lane)
    _row(axis, classes)
    _network(axis, generator, DECODE, GENERATOR, lane, (0.34, 0.62))
    _network(axis, discriminator, ENCODE, DISCRIMINATOR, MIDDLE, (1.0, 0.45))
    _told(axis, real, classes, UPPER, INK)
    _told(axis, made, classes, LOWER, DECODE)
    middle = FRONT + PICTURE / 2
    back = FRONT + GAP[0] + (classes - 1) * SHIFT[0] + PICTURE
    top = UPPER + GAP[1] + (classes - 1) * SHIFT[1] + PICTURE
    words = f"{classes} planes: zeros, but one of ones"
    text(axis, back, top + 0.16, words, 8.5, CODE, ha="right")
    text(axis, middle, UPPER - 0.2, f"real  x   {shape(recipe.image_shape)}", 9.5)
    words = f"made  G(z | y)   {shape(generator.output)}"
    text(axis, middle, LOWER - 0.2, words, 9.5, DECODE)
    arrow(axis, (CENTRE + NOISE / 2 + 0.05, lane - 0.1), (GENERATOR[0] - 0.04, lane - 0.1))
    arrow(axis, (GENERATOR[1] + 0.04, lane), (FRONT - 0.06, lane), DECODE)
    _way(axis, classes, lane)
    _said(axis)
    return figure


def _pictures(recipe):
    """The two digits, as bytes."""
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    of_class = np.flatnonzero(found.labels == ASKED)
    return [found.images[of_class[place]] for place in PLACES]


def _noise(axis, count, y):
    """The noise as a square of grey cells."""
    side = math.isqrt(count)
    values = np.random.default_rng(SEED).uniform(-1, 1, (side, side))
    image(axis, values, CENTRE - NOISE / 2, y - 0.1 - NOISE / 2, NOISE)
    text(axis, CENTRE, y - 0.3 - NOISE / 2, f"noise  z   {number(count)} numbers", 9.5)


def _row(axis, classes):
    """The class as a row of cells, black but for one, with the classes' names above."""
    left = CENTRE - classes * CELL / 2
    for k in range(classes):
        _sheet(axis, left + k * CELL, MIDDLE - CELL / 2, CELL, CELL, k == ASKED, 2)
        told = {"colour": CODE, "weight": "bold"} if k == ASKED else {"colour": SOFT}
        text(axis, left + (k + 0.5) * CELL, MIDDLE + 0.17, str(k), 7.5, **told)
    text(axis, CENTRE, MIDDLE + 0.42, f"class  y = {ASKED}", 11, CODE, weight="bold")


def _told(axis, picture, classes, y, edge):
    """A picture with a plane for each class behind it, the last farthest."""
    for k in reversed(range(classes)):
        x, up = (gap + k * shift for gap, shift in zip(GAP, SHIFT, strict=True))
        _sheet(axis, FRONT + x, y + up, PICTURE, PICTURE, k == ASKED, 2 + (classes - k) / 20)
    halo = {"facecolor": "none", "edgecolor": "white", "linewidth": 4, "zorder": 3}
    axis.add_patch(Rectangle((FRONT, y), PICTURE, PICTURE, **halo))
    image(axis, picture, FRONT, y, PICTURE, edge, 1.2, zorder=4)


def _sheet(axis, x, y, width, height, lit, zorder):
    """A cell or a plane: white for the class asked for, black for all others."""
    face, edge, line = ("white", CODE, 1.3) if lit else ("black", "white", 0.7)
    options = {"facecolor": face, "edgecolor": edge, "linewidth": line}
    axis.add_patch(Rectangle((x, y), width, height, zorder=zorder + 0.01 * lit, **options))


def _way(axis, classes, lane):
    """Where the class goes: into the generator, and as planes behind either picture."""
    begin = CENTRE + classes * CELL / 2 + 0.08
    turn = FRONT + GAP[0] + PICTURE + 4.5 * SHIFT[0]
    down = 1.93  # where it turns to the generator
    axis.plot([begin, turn], [MIDDLE, MIDDLE], CODE, linewidth=1.4)
    arrow(axis, (turn, MIDDLE), (turn, UPPER + 0.06), CODE)
    top = LOWER + GAP[1] + PICTURE + (classes - 1) * SHIFT[1]
    arrow(axis, (turn, MIDDLE), (turn, top + 0.04), CODE)
    axis.plot([down, down], [MIDDLE, lane + 0.12], CODE, linewidth=1.4)
    arrow(axis, (down, lane + 0.12), (GENERATOR[0] - 0.04, lane + 0.12), CODE)
    middle = (down + turn) / 2
    text(axis, middle, MIDDLE - 0.14, "the same row, each number as a plane", 8.5, CODE)


def _network(axis, network, colour, ends, y, halves):
    """A network as a funnel, with what goes in and what comes out."""
    (left, right), (first, last) = ends, halves
    corners = [(left, y + first), (right, y + last), (right, y - last), (left, y - first)]
    axis.add_patch(Polygon(corners, facecolor=colour, alpha=0.13, linewidth=0, zorder=1))
    middle = (left + right) / 2
    text(axis, middle, y + 0.13, network.name, 11, colour, weight="bold")
    words = f"{shape(network.input)} → {shape(network.output)}"
    text(axis, middle, y - 0.13, words, 8.5, colour)


def _said(axis):
    """The two questions to the discriminator, and what it is to learn to answer."""
    right = FRONT + GAP[0] + PICTURE + 9 * SHIFT[0]
    for bottom, name, answer, colour in (
        (UPPER, "D(x | y)", "real", INK),
        (LOWER, "D(G(z | y) | y)", "made", DECODE),
    ):
        side = 1 if bottom == UPPER else -1
        start = bottom + PICTURE / 2 + GAP[1] + 4.5 * SHIFT[1]
        arrow(axis, (right + 0.08, start), (DISCRIMINATOR[0] - 0.05, MIDDLE + side * 0.62), colour)
        y = MIDDLE + side * 0.4
        arrow(axis, (DISCRIMINATOR[1] + 0.04, MIDDLE + side * 0.22), (SAID - 0.5, y - side * 0.08))
        text(axis, SAID, y + side * 0.13 + 0.09, name, 9.5, colour, weight="bold")
        text(axis, SAID, y + side * 0.13 - 0.12, f"to be called {answer}", 8.5, SOFT)
    text(axis, SAID, MIDDLE, f"real, as a {ASKED}?", 9.5, ENCODE)


if __name__ == "__main__":
    figures.main(__file__, draw)
