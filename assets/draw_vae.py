"""The figure of question 03: a digit becomes a small cloud in the plane, and a point of it a digit.

    python assets/draw_vae.py                      draws vae.png
    python assets/draw_vae.py runs/vae_pytorch     takes the weights of that run

The four numbers, the cloud, the dots of the other test pictures and the picture on the right are a
trained answer's, kept in `vae.safetensors`.
"""

import math
from pathlib import Path

from knock import data
from knock.data.batches import to_unit
from knock.recipe import layers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, SOFT, arrow, image, number, shape, text
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Polygon, Rectangle

KEPT = figures.HERE / "vae.safetensors"
SHOWN = 31  # which test picture
EPSILON = np.array([1.15, -1.05])  # the noise that it gets
NOISE = "#2e8062"
WIDTH, HEIGHT = 10.0, 5.95
PICTURE = 1.5  # inches a side
EDGE = 0.4  # from the card's side to a picture
NETWORK, SLOPE = 1.32, (0.78, 0.5)  # a network's width, half its height at either end
MIDDLE, CENTRE, LOW = WIDTH / 2, 3.75, 0.42
LOUPE, PLANE = 1.62, 1.66  # inches a side: the cloud enlarged, and the whole plane
PLANE_CENTRE = 1.6
REACH = 4.4  # how far the plane goes to either side of the origin
SIGMAS = 2.4  # how many of the cloud's larger σ the loupe shows to either side


def keep(run: Path):
    """Put what a trained run makes of the pictures into the kept file."""
    recipe = figures.recipe("vae")
    networks = figures.trained(recipe, checkpoint.load(run).state)
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    codes = networks["encoder"](to_unit(found.images, "float64"))
    means, log_variances = np.split(codes, 2, axis=1)
    z = means[SHOWN] + np.exp(log_variances[SHOWN] / 2) * EPSILON
    made = 2 / (1 + np.exp(-networks["decoder"](z[None]))) - 1
    tensors = {
        "code": codes[SHOWN].astype(np.float32),
        "means": means.astype(np.float32),
        "reconstruction": figures.pixels(made),
    }
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def draw():
    """The whole card."""
    recipe = figures.recipe("vae")
    encoder, decoder = layers.networks(recipe).values()
    kept = safetensors.numpy.load_file(KEPT)
    figure, axis = figures.card(WIDTH, HEIGHT)
    x = EDGE + PICTURE / 2
    given = figures.pixels(figures.newt(recipe, SHOWN))
    _picture(axis, x, given, "input  x", encoder.input)
    _picture(axis, WIDTH - x, kept["reconstruction"], "reconstruction  x̂", decoder.output)
    _network(axis, encoder, ENCODE, EDGE + PICTURE + 0.12, 1)
    _network(axis, decoder, DECODE, WIDTH - EDGE - PICTURE - 0.12, -1)
    mean, deviation = kept["code"][:2], np.exp(kept["code"][2:] / 2)
    _numbers(axis, mean, deviation)
    _loupe(axis, deviation)
    _plane(axis, kept["means"], mean)
    _losses(axis, x)
    return figure


def _picture(axis, x, pixels, title, sizes):
    image(axis, pixels, x - PICTURE / 2, CENTRE - PICTURE / 2, PICTURE)
    text(axis, x, CENTRE + PICTURE / 2 + 0.2, title, 10)
    text(axis, x, CENTRE - PICTURE / 2 - 0.18, shape(sizes), 9, SOFT)


def _network(axis, network, colour, x, side):
    """A network as a funnel between its widest layer and its narrowest, with what it is made of."""
    wide, narrow = SLOPE
    end = x + side * NETWORK
    corners = [(x, CENTRE + wide), (end, CENTRE + narrow), (end, CENTRE - narrow)]
    corners.append((x, CENTRE - wide))
    axis.add_patch(Polygon(corners, facecolor=colour, alpha=0.13, linewidth=0, zorder=1))
    middle = (x + end) / 2
    text(axis, middle, CENTRE + 0.28, network.name, 12, colour, weight="bold")
    widths = [math.prod(network.input)]
    widths += [one.output[0] for one in network.layers if one.layer.kind == "linear"]
    text(axis, middle, CENTRE, " → ".join(number(width) for width in widths), 8.5, colour)
    parameters = number(sum(p.size for p in network.parameters))
    text(axis, middle, CENTRE - 0.28, f"{parameters}\nparameters", 8, colour)


def _numbers(axis, mean, deviation):
    """What the encoder says of the picture: two numbers for the place, two for the width."""
    x = EDGE + PICTURE + 0.12 + NETWORK + 0.33
    for name, values, y in (("μ", mean, CENTRE + 0.32), ("σ", deviation, CENTRE - 0.32)):
        lines = "\n".join(f"{value:.2f}".replace("-", "−") for value in values)
        text(axis, x - 0.2, y, name, 12, CODE, weight="bold")
        text(axis, x + 0.13, y, lines, 9, CODE)


def _loupe(axis, deviation):
    """The cloud enlarged; the noise comes in from outside and picks a point of it."""
    left, bottom = MIDDLE - LOUPE / 2, CENTRE - LOUPE / 2
    inch = LOUPE / 2 / SIGMAS / deviation.max()
    width, height = deviation * inch
    _cloud(axis, (MIDDLE, CENTRE), (width, height), (left, bottom, LOUPE), CODE)
    frame = Rectangle((left, bottom), LOUPE, LOUPE, fill=False, edgecolor=CODE, zorder=6)
    axis.add_patch(frame)
    z = MIDDLE + EPSILON[0] * width, CENTRE + EPSILON[1] * height
    axis.plot(MIDDLE, CENTRE, "+", color=CODE, markersize=9, markeredgewidth=1.6, zorder=7)
    text(axis, MIDDLE - 0.14, CENTRE + 0.1, "μ", 11, CODE, weight="bold")
    arrow(axis, (MIDDLE, CENTRE), z, NOISE, line=1.6)
    axis.plot(*z, "o", color=INK, markersize=5.5, zorder=9)
    text(axis, z[0] + 0.13, z[1] + 0.06, "z", 11, INK, weight="bold")
    text(axis, MIDDLE, bottom + LOUPE - 0.14, "z = μ + σ·ε", 9.5, CODE)

    side, y = 0.72, HEIGHT - 0.57
    sigma = side / 2 / 3.6
    _cloud(axis, (MIDDLE, y), (sigma, sigma), (MIDDLE - side / 2, y - side / 2, side), NOISE)
    axis.plot(MIDDLE, y, "+", color=NOISE, markersize=5, zorder=7)
    spot = MIDDLE + EPSILON[0] * sigma, y + EPSILON[1] * sigma
    axis.plot(*spot, "o", color=INK, markersize=3.5, zorder=9)
    text(axis, MIDDLE + 0.45, y + 0.12, "noise  ε ~ N(0, I)", 10, NOISE, ha="left", weight="bold")
    text(axis, MIDDLE + 0.45, y - 0.12, "comes with the batch", 8.5, NOISE, ha="left")
    arrow(axis, (MIDDLE, y - side / 2 + 0.02), (MIDDLE, CENTRE + LOUPE / 2 + 0.03), NOISE)
    near = EDGE + PICTURE + 0.12 + NETWORK
    arrow(axis, (near + 0.03, CENTRE), (left - 0.04, CENTRE), ENCODE)
    start = (left + LOUPE + 0.04, CENTRE)
    arrow(axis, start, (WIDTH - near - 0.03, CENTRE), DECODE)


def _cloud(axis, centre, sigmas, window, colour):
    """A normal distribution's density as a tint, in a square window (left, bottom, side)."""
    left, bottom, side = window
    across = left + side * (np.arange(300) + 0.5) / 300
    up = bottom + side * (np.arange(300) + 0.5) / 300
    density = np.exp(-(((across[None] - centre[0]) / sigmas[0]) ** 2) / 2)
    density = density * np.exp(-(((up[:, None] - centre[1]) / sigmas[1]) ** 2) / 2)
    tint = 1 - 0.62 * density[..., None] * (1 - np.array(to_rgb(colour)))
    axis.imshow(
        tint,
        extent=(left, left + side, bottom, bottom + side),
        aspect="auto",
        origin="lower",
        zorder=2,
    )


def _plane(axis, means, mean):
    """Where the cloud lies among those of all test pictures, and how large it really is."""
    left, bottom, inch = MIDDLE - PLANE / 2, PLANE_CENTRE - PLANE / 2, PLANE / 2 / REACH
    frame = Rectangle((left, bottom), PLANE, PLANE, fill=False, edgecolor=SOFT, zorder=6)
    axis.add_patch(frame)
    for radius in (1, 2, 3):
        ring = Circle((MIDDLE, PLANE_CENTRE), radius * inch, fill=False, edgecolor="#b9c3cc")
        axis.add_patch(ring)
    inside = means[np.abs(means).max(axis=1) < REACH]
    places = np.array([MIDDLE, PLANE_CENTRE]) + inside * inch
    axis.plot(*places.T, "o", color="#8d9aa7", markersize=1.5, markeredgewidth=0, zorder=4)
    x, y = np.array([MIDDLE, PLANE_CENTRE]) + mean * inch
    axis.plot(x, y, "o", color=CODE, markersize=4, zorder=7)
    bottom = CENTRE - LOUPE / 2
    for corner in (MIDDLE - LOUPE / 2, MIDDLE + LOUPE / 2):
        axis.plot([x, corner], [y, bottom], color=CODE, linewidth=0.7, linestyle=(0, (3, 2)))


def _losses(axis, x):
    """Which parts of the picture the two terms of the loss compare."""
    for place in (x, WIDTH - x):
        near = MIDDLE + math.copysign(3.1, place - MIDDLE)
        axis.plot([place, place, near], [CENTRE - 1.1, LOW, LOW], INK, linewidth=1.3)
    words = "loss  =  reconstruction (cross-entropy of x̂ with x, summed over the pixels)  +  KL"
    text(axis, MIDDLE, LOW, words, 10)
    side = MIDDLE - PLANE / 2 - 0.12
    text(axis, side, PLANE_CENTRE + 0.3, "the whole plane", 10, CODE, ha="right", weight="bold")
    words = "here the cloud is the dot, no larger;\nthe grey ones: all other test pictures"
    text(axis, side, PLANE_CENTRE - 0.03, words, 8.5, SOFT, ha="right")
    side = MIDDLE + PLANE / 2 + 0.12
    text(axis, side, PLANE_CENTRE + 0.3, "KL: the cloud against  N(0, I)", 10, INK, ha="left")
    words = "whose rings these are: one, two\nand three σ from the origin"
    text(axis, side, PLANE_CENTRE - 0.03, words, 8.5, SOFT, ha="left")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
