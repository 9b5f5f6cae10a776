"""The figure of question 11: a digit down its pyramid and up again, and who works at each level.

    python assets/draw_lapgan.py       draws lapgan.png

The digit is a test picture. Its pyramid and what is enlarged are computed by the question's own
reference, and the noise is what the recipe draws for the first batch. No network is asked: where
a generator would draw, the real digit's own picture and residuals stand in.
"""

import math

from knock import data, questions
from knock import recipe as recipes
from knock.data.batches import random_draws, to_pixels, to_unit
from knock.scripts import load as answers

import figures
import numpy as np
from figures import CODE, DECODE, ENCODE, INK, SOFT, arrow, image, text
from matplotlib.patches import Polygon

DIGIT = 3, 6  # the class, and which of its test pictures
WIDTH, HEIGHT = 10.0, 6.75
SIDE = 1.04  # of a picture, inches
FIRST, STEP, WAY = 0.96, 1.24, 1.56  # the first column's middle, to the next, and across a u
TOP, LOOK, BACK, MAKE = 5.3, 4.05, 2.8, 1.12  # the heights of the rows' middles
BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def draw():
    """The whole card."""
    question = questions.find("lapgan")
    recipe = recipes.load(question.recipe_file)
    reference = answers.load(question.folder / "reference.py")
    noises = random_draws(recipe, 0)
    figure, axis = figures.card(WIDTH, HEIGHT)
    words = "a real picture goes down its pyramid"
    text(axis, WIDTH - 0.3, HEIGHT - 0.35, words, 11, INK, ha="right", weight="bold")
    words = "a made one comes up, level by level"
    text(axis, 0.3, 0.33, words, 11, DECODE, ha="left", weight="bold")
    words = "each G and its D learn by themselves, from real pictures"
    text(axis, WIDTH - 0.3, 0.33, words, 9, SOFT, ha="right")
    x, coarser = FIRST, None
    for k, picture in enumerate(_pyramid(recipe, reference), 1):
        low = None
        if k > 1:
            low = reference.enlarge(coarser, recipe.levels[k - 1])
            start, x = x, x + WAY
            _part(axis, x, BACK, low, f"low  l{_below(k)} = u(I{_below(k - 1)})", CODE)
            _operator(axis, start, x, BACK, "u")
            _sign(axis, x + STEP / 2, "+")
            x += STEP
            _part(axis, x, BACK, picture - low, f"residual  h{_below(k)}", DECODE)
            _sign(axis, x + STEP / 2, "=")
        _generator(axis, x, k, noises[f"noise{k}"][0])
        if k > 1:
            x += STEP
            _operator(axis, x, start, TOP, "d")
        _part(axis, x, TOP, picture, f"I{_below(k)}   {figures.shape(picture.shape[2:])}", INK)
        _part(axis, x, BACK, picture if low is None else low + (picture - low), "", DECODE)
        _discriminator(axis, x, k)
        coarser = picture
    return figure


def _pyramid(recipe, reference):
    """The digit at every level, the coarsest first, 1×C×H×W in [−1, 1]."""
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    label, place = DIGIT
    index = np.flatnonzero(found.labels == label)[place]
    pictures = [to_unit(found.images[index : index + 1], "float64")]
    for sides in recipe.levels[-2::-1]:
        pictures.insert(0, reference.shrink(pictures[0], sides))
    return pictures


def _below(k):
    """A level's number as it stands behind a letter."""
    return str(k).translate(BELOW)


def _part(axis, x, y, picture, words, colour):
    """A picture, a low one or a residual, with its name above; −1 black, 0 grey, 1 white."""
    pixels = np.repeat(to_pixels(picture)[0], 3, axis=2)
    image(axis, pixels, x - SIDE / 2, y - SIDE / 2, SIDE, colour, 1.2)
    text(axis, x, y + SIDE / 2 + 0.16, words, 9.5, colour, weight="bold")


def _operator(axis, start, end, y, name):
    """An arrow from one column's picture to another's, which makes it smaller or larger."""
    reach = np.sign(end - start) * (SIDE / 2 + 0.06)
    arrow(axis, (start + reach, y), (end - reach, y), CODE, line=1.6)
    text(axis, (start + end) / 2, y + 0.17, name, 11.5, CODE, style="italic", weight="bold")
    if name == "d":
        text(axis, (start + end) / 2, y - 0.16, "smooth, then fewer pixels", 8.5, CODE)
    else:
        text(axis, (start + end) / 2, y - SIDE / 2 - 0.22, "more pixels,\nthen smooth", 8.5, CODE)


def _sign(axis, x, sign):
    text(axis, x, BACK, sign, 13, INK)


def _generator(axis, x, k, noise):
    """G with its noise and, above the coarsest level, with the low picture."""
    wide, high = 0.4, 0.2
    corners = [(-wide * 0.6, -high), (wide * 0.6, -high), (wide, high), (-wide, high)]
    outline = [(x + across, MAKE + up) for across, up in corners]
    axis.add_patch(Polygon(outline, facecolor=(DECODE, 0.16), edgecolor=DECODE, zorder=3))
    text(axis, x, MAKE, f"G{_below(k)}", 11, DECODE, weight="bold")
    arrow(axis, (x, MAKE + high + 0.03), (x, BACK - SIDE / 2 - 0.06), DECODE, line=1.6)
    if k == 1:
        side, beside = math.isqrt(noise.size), x + 0.98
        noise, words = noise.reshape(1, side, side), f"{noise.size} numbers"
    else:
        low, beside = x - STEP, x + STEP
        axis.plot([low, low], [BACK - SIDE / 2 - 0.04, MAKE], color=CODE, linewidth=1.3, zorder=2)
        arrow(axis, (low, MAKE), (x - wide, MAKE), CODE)
        words = figures.shape(noise.shape[1:])
    side = 0.62
    plane = np.repeat(to_pixels(noise[None])[0], 3, axis=2)
    image(axis, plane, beside - side / 2, MAKE - side / 2, side, SOFT)
    arrow(axis, (beside - side / 2 - 0.05, MAKE), (x + wide, MAKE), SOFT)
    text(axis, beside, MAKE - side / 2 - 0.15, f"z{_below(k)}   {words}", 9, SOFT)


def _discriminator(axis, x, k):
    """D between the real picture above it and the made one below."""
    wide, high = 0.3, 0.19
    corners = [(-wide, -high), (wide, -high), (wide, high), (-wide, high)]
    outline = [(x + across, LOOK + up) for across, up in corners]
    axis.add_patch(Polygon(outline, facecolor=(ENCODE, 0.13), edgecolor=ENCODE, zorder=3))
    text(axis, x, LOOK, f"D{_below(k)}", 11, ENCODE, weight="bold")
    arrow(axis, (x, TOP - SIDE / 2 - 0.05), (x, LOOK + high + 0.02), INK)
    arrow(axis, (x, BACK + SIDE / 2 + 0.05), (x, LOOK - high - 0.02), DECODE)
    middles = (TOP - SIDE / 2 + LOOK + high) / 2, (BACK + SIDE / 2 + LOOK - high) / 2
    for y, words, colour in zip(middles, ("real", "made"), (INK, DECODE), strict=True):
        text(axis, x + 0.1, y, words, 9, colour, ha="left")


if __name__ == "__main__":
    figures.main(__file__, draw)
