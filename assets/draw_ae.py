"""The figure of question 01: a picture squeezed through a row of a few numbers, to scale.

    python assets/draw_ae.py                     draws ae.png
    python assets/draw_ae.py runs/ae_pytorch     takes the code and the reconstruction of that run

The 64 numbers and the picture on the right are a trained answer's, kept in `ae.safetensors`.
"""

import math
from pathlib import Path

from knock.recipe import layers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, SOFT, arrow, image, number, shape, text
from matplotlib.patches import Polygon, Rectangle

KEPT = figures.HERE / "ae.safetensors"
SHOWN = 0  # which test picture
WIDTH, HEIGHT = 10.0, 4.7
PICTURE = 1.55  # inches a side
TALL = 3.1  # inches that the row of all the picture's numbers takes
BAR = 0.2
EDGE, ROW = 0.35, 2.75  # where the picture and the row begin
MIDDLE, CENTRE, LOW = WIDTH / 2, HEIGHT / 2 + 0.05, 0.42


def keep(run: Path):
    """Put what a trained run makes of the picture into the kept file."""
    recipe = figures.recipe("ae")
    networks = figures.trained(recipe, checkpoint.load(run).state)
    code = networks["encoder"](figures.newt(recipe, SHOWN))
    reconstruction = figures.pixels(networks["decoder"](code))
    tensors = {"code": code[0].astype(np.float32), "reconstruction": reconstruction}
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def draw():
    """The whole card."""
    recipe = figures.recipe("ae")
    encoder, decoder = layers.networks(recipe).values()
    kept = safetensors.numpy.load_file(KEPT)
    figure, axis = figures.card(WIDTH, HEIGHT)
    given = figures.pixels(figures.newt(recipe, SHOWN))
    _side(axis, encoder.input, given, "input  x", 1)
    _side(axis, decoder.output, kept["reconstruction"], "reconstruction  x̂", -1)
    _squeeze(axis, encoder, ENCODE, 1)
    _squeeze(axis, decoder, DECODE, -1)
    _code(axis, encoder, kept["code"])
    for side in (1, -1):
        x = _from(side, EDGE + PICTURE / 2)
        axis.plot([x, x, _from(side, MIDDLE - 2.1)], [CENTRE - 1.15, LOW, LOW], INK, linewidth=1.3)
    text(axis, MIDDLE, LOW, "loss: the mean of  (x̂ − x)²  over all pixels and channels", 10)
    return figure


def _from(side, inches):
    """A place so far from the left edge (side 1) or from the right one (−1)."""
    return inches if side == 1 else WIDTH - inches


def _side(axis, sizes, pixels, title, side):
    """A picture, and beside it its numbers in one row."""
    x = _from(side, EDGE + PICTURE / 2)
    image(axis, pixels, x - PICTURE / 2, CENTRE - PICTURE / 2, PICTURE)
    text(axis, x, CENTRE + PICTURE / 2 + 0.2, title, 10)
    text(axis, x, CENTRE - PICTURE / 2 - 0.18, shape(sizes), 9, SOFT)
    near, far = _from(side, EDGE + PICTURE + 0.08), _from(side, ROW - 0.08)
    arrow(axis, (min(near, far), CENTRE), (max(near, far), CENTRE))
    text(axis, (near + far) / 2, CENTRE + 0.14, "flatten" if side == 1 else "reshape", 8.5, SOFT)
    left = min(_from(side, ROW), _from(side, ROW + BAR))
    _row(axis, pixels, left, CENTRE - TALL / 2)
    numbers = f"{number(math.prod(sizes))} numbers"
    text(axis, left + BAR / 2, CENTRE + TALL / 2 + 0.2, numbers, 9, SOFT)


def _squeeze(axis, network, colour, side):
    """A network as what it is: everything on its wide side tied to everything on its narrow one."""
    ends = sorted(math.prod(sizes) for sizes in (network.input, network.output))
    narrow = TALL / 2 * ends[0] / ends[1]
    wide_x = _from(side, ROW + BAR)
    corners = [(wide_x, CENTRE + TALL / 2), (wide_x, CENTRE - TALL / 2)]
    corners += [(MIDDLE, CENTRE - narrow), (MIDDLE, CENTRE + narrow)]
    axis.add_patch(Polygon(corners, facecolor=colour, alpha=0.13, linewidth=0, zorder=1))
    x = wide_x + (MIDDLE - wide_x) * 0.35
    text(axis, x, CENTRE + 0.22, network.name, 12, colour, weight="bold")
    parameters = number(sum(p.size for p in network.parameters))
    text(axis, x, CENTRE - 0.14, f"one linear layer\n{parameters} parameters", 8.5, colour)


def _code(axis, encoder, code):
    """The narrow middle: on the scale of the rows, and enlarged."""
    narrow = TALL * len(code) / math.prod(encoder.input)
    sliver = (MIDDLE - 0.05, CENTRE - narrow / 2)
    axis.add_patch(Rectangle(sliver, 0.1, narrow, color=CODE, linewidth=0, zorder=5))
    text(axis, MIDDLE, CENTRE + 1.0, f"the code\n{len(code)} numbers", 10, CODE, weight="bold")
    text(axis, MIDDLE, CENTRE + 0.66, "on the same scale", 8.5, CODE)
    arrow(axis, (MIDDLE, CENTRE + 0.52), (MIDDLE, CENTRE + 0.08), CODE)
    left, right, top = _loupe(axis, code, MIDDLE, CENTRE - 1.2)
    for x in (left, right):
        line = [(MIDDLE, CENTRE - 0.04), (x, top)]
        axis.plot(*zip(*line, strict=True), color=CODE, linewidth=0.7, linestyle=(0, (3, 2)))
    text(axis, MIDDLE, CENTRE - 0.62, "enlarged", 8.5, CODE)


def _row(axis, pixels, left, bottom):
    """A picture's numbers one under the other: all reds, then all greens, then all blues."""
    planes = pixels.transpose(2, 0, 1)
    tints = np.eye(3, dtype=np.uint8) if len(planes) == 3 else np.ones((1, 3), np.uint8)
    # a line of the strip is a line of the picture; the code's numbers fill one such line
    strip = (planes[..., None] * tints[:, None, None]).reshape(-1, pixels.shape[1], 3)
    axis.imshow(
        strip,
        extent=(left, left + BAR, bottom, bottom + TALL),
        aspect="auto",
        interpolation="nearest",
        zorder=2,
    )
    frame = Rectangle((left, bottom), BAR, TALL, fill=False, edgecolor=INK, linewidth=0.8, zorder=3)
    axis.add_patch(frame)


def _loupe(axis, code, x, y):
    """The code enlarged, a cell a number: its colour tells the sign, its depth the size."""
    side, columns = 0.125, 16
    rows = math.ceil(len(code) / columns)
    cells = np.full(rows * columns, np.nan)
    cells[: len(code)] = code
    limit = np.abs(code).max()
    left, bottom = x - side * columns / 2, y - side * rows / 2
    extent = (left, left + side * columns, bottom, bottom + side * rows)
    axis.imshow(
        cells.reshape(rows, columns),
        extent=extent,
        aspect="auto",
        interpolation="nearest",
        cmap="PuOr",
        vmin=-limit,
        vmax=limit,
        zorder=3,
    )
    for column in range(columns + 1):
        axis.plot([left + side * column] * 2, extent[2:], color="white", linewidth=0.8, zorder=4)
    for row in range(rows + 1):
        axis.plot(extent[:2], [bottom + side * row] * 2, color="white", linewidth=0.8, zorder=4)
    return extent[0], extent[1], extent[3]


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
