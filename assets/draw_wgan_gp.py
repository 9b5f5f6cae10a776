"""The figure of question 10: where the critic's slope is looked at, and what it is to be.

    python assets/draw_wgan_gp.py      draws wgan_gp.png

No network is asked. The made picture is a stand-in: a digit under noise from a fixed seed. The
slopes' lengths are made up, to show one that is too small, two that are about right, and one that
is too large; what each costs is computed. The mixtures are real ones.
"""

from knock import data, questions
from knock import recipe as recipes
from knock.data.batches import to_pixels, to_unit
from knock.recipe import layers

import figures
import numpy as np
from figures import CODE, DECODE, ENCODE, FAINT, INK, SOFT, arrow, image, text
from matplotlib.patches import Circle, Polygon

REAL, MADE = (5, 4), (3, 13)  # the class, and which of its test pictures
NOISE, SEED = 0.45, 4  # on the made one
EPSILON = 0.2, 0.4, 0.6, 0.8
LENGTHS = 0.5, 1.0, 1.6, 0.9  # of the slopes there
TURNS = 62, 38, 50, 30  # and their angles, in degrees
WIDTH, HEIGHT = 10.0, 5.9
LEFT, RIGHT = 1.15, 8.85  # the middles of the made picture and of the real one
LINE, BOTTOM = 4.42, 2.87  # the heights of the line and of the pictures' lower edges
END, MIX = 1.1, 0.92  # the pictures' sides
RADIUS = 0.42  # of a slope of length 1
CRITIC = 2.12, 1.42  # the heights of the critic's ends
TERMS = 0.72  # the height of the loss


def draw():
    """The whole card."""
    recipe = recipes.load(questions.find("wgan_gp").recipe_file, dataset="digits")
    critic = layers.networks(recipe)["critic"]
    real, made = _pictures(recipe)
    figure, axis = figures.card(WIDTH, HEIGHT)
    _line(axis, real, made)
    for epsilon, length, turn in zip(EPSILON, LENGTHS, TURNS, strict=True):
        x = LEFT + epsilon * (RIGHT - LEFT)
        _mixture(axis, x, epsilon, epsilon * real + (1 - epsilon) * made)
        _slope(axis, x, length, turn)
    _critic(axis, critic)
    _loss(axis, recipe.constants["penalty_weight"])
    return figure


def _pictures(recipe):
    """The real digit and the stand-in for a made one, 1×C×H×W in [−1, 1]."""
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    places = [np.flatnonzero(found.labels == label)[place] for label, place in (REAL, MADE)]
    real, made = (to_unit(found.images[k : k + 1], "float64") for k in places)
    noise = np.random.default_rng(SEED).normal(0, NOISE, made.shape)
    return real, np.clip(made + noise, -1, 1)


def _pixels(batch):
    """A picture as colours, so that no grey is stretched."""
    return np.repeat(to_pixels(batch)[0], 3, axis=2)


def _line(axis, real, made):
    """The line from the made picture to the real one, and the two pictures below its ends."""
    axis.plot([LEFT, RIGHT], [LINE, LINE], color=FAINT, linewidth=2.2, zorder=1)
    for x, picture, words, colour in (
        (LEFT, made, "made  G(z)", DECODE),
        (RIGHT, real, "real  x", INK),
    ):
        axis.add_patch(Circle((x, LINE), 0.06, color=colour, zorder=5))
        axis.plot([x, x], [LINE, BOTTOM + END - 0.09], color=colour, linewidth=0.8, zorder=1)
        image(axis, _pixels(picture), x - END / 2, BOTTOM - 0.09, END, colour, 1.4)
        text(axis, x, LINE + 0.24, words, 11, colour, weight="bold")
    words = "on the line between a made picture and a real one, the slope's length should be 1"
    text(axis, WIDTH / 2, HEIGHT - 0.36, words, 11, CODE, weight="bold")


def _mixture(axis, x, epsilon, picture):
    """A mixture below its place on the line."""
    axis.plot([x, x], [LINE, BOTTOM + MIX], color=FAINT, linewidth=0.8, zorder=1)
    image(axis, _pixels(picture), x - MIX / 2, BOTTOM, MIX, SOFT)
    text(axis, x, BOTTOM - 0.16, f"ε = {epsilon}", 9.5)


def _slope(axis, x, length, turn):
    """The critic's slope at a place of the line, and the circle that it should reach."""
    options = {"facecolor": "white", "edgecolor": CODE, "linestyle": (0, (3, 2.5))}
    axis.add_patch(Circle((x, LINE), RADIUS, linewidth=1.0, zorder=2, **options))
    axis.plot([x - RADIUS, x + RADIUS], [LINE, LINE], color=FAINT, linewidth=2.2, zorder=3)
    angle = np.deg2rad(turn)
    tip = x + length * RADIUS * np.cos(angle), LINE + length * RADIUS * np.sin(angle)
    arrow(axis, (x, LINE), tip, CODE, line=2.0)
    axis.add_patch(Circle((x, LINE), 0.05, color=CODE, zorder=9))
    cost = (length - 1) ** 2
    words = f"‖slope‖ {length:.1f}\ncosts {cost:.2f}"
    text(axis, x, LINE + RADIUS + 0.3, words, 8.5, CODE if cost < 0.02 else SOFT)


def _critic(axis, critic):
    """The critic with what goes in from three sides, and the slope that comes back."""
    top, bottom = CRITIC
    middle = WIDTH / 2
    corners = [(middle - 1.75, top), (middle + 1.75, top), (middle + 0.75, bottom)]
    corners += [(middle - 0.75, bottom)]
    axis.add_patch(Polygon(corners, facecolor=ENCODE, alpha=0.13, linewidth=0, zorder=1))
    text(axis, middle, top - 0.24, critic.name, 11, ENCODE, weight="bold")
    words = f"{figures.shape(critic.input)} → a score"
    text(axis, middle, top - 0.48, words, 8.5, ENCODE)
    for side, x, colour, words in (
        (-1, LEFT, DECODE, "a score, to be low"),
        (1, RIGHT, INK, "a score, to be high"),
    ):
        height = (top + bottom) / 2
        axis.plot([x, x], [BOTTOM - 0.15, height], color=colour, linewidth=1.4)
        arrow(axis, (x, height), (middle + side * 1.4, height), colour)
        text(axis, (x + middle + side * 1.4) / 2, height - 0.16, words, 8.5, SOFT)
    upper = BOTTOM - 0.31
    arrow(axis, (middle - 0.14, upper), (middle - 0.14, top + 0.03), SOFT)
    arrow(axis, (middle + 0.14, top + 0.03), (middle + 0.14, upper), CODE)
    text(axis, middle - 0.26, (upper + top) / 2, "mixtures  x̂", 8.5, SOFT, ha="right")
    text(axis, middle + 0.26, (upper + top) / 2, "their slopes  ∂C/∂x̂", 8.5, CODE, ha="left")


def _loss(axis, weight):
    """The two terms of the critic's loss."""
    middle = WIDTH / 2
    first, second = middle - 1.2, middle + 2.45
    arrow(axis, (middle - 0.45, CRITIC[1] - 0.03), (first + 0.2, TERMS + 0.24), ENCODE)
    arrow(axis, (middle + 0.45, CRITIC[1] - 0.03), (second - 0.5, TERMS + 0.24), CODE)
    text(axis, 1.5, TERMS, "loss of C   =", 11, INK, weight="bold")
    text(axis, first, TERMS, "mean C(G(z)) − mean C(x)", 11.5, ENCODE)
    text(axis, first, TERMS - 0.27, "the scores far apart", 8.5, SOFT)
    text(axis, middle + 0.5, TERMS, "+", 11.5)
    words = f"{weight:g} · mean ( ‖∂C/∂x̂‖ − 1 )²"
    text(axis, second, TERMS, words, 11.5, CODE)
    text(axis, second, TERMS - 0.27, "each slope near 1, from both sides", 8.5, SOFT)


if __name__ == "__main__":
    figures.main(__file__, draw)
