"""The figure of question 19: a digit as a map of codes, the codebook, and a map that is written.

    python assets/draw_vq_vae.py                 draws vq_vae.png
    python assets/draw_vq_vae.py runs/vq_vae     takes the weights of that run

The codes, the tiles, how often each is used, and the prior's chances are a trained answer's, kept
in `vq_vae.safetensors`. A cell of a map is as bright as the tile of its code.
"""

from pathlib import Path

from knock import data, noise
from knock.data.batches import to_unit
from knock.recipe import layers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import (
    CODE,
    DECODE,
    ENCODE,
    FAINT,
    INK,
    SOFT,
    arrow,
    funnel,
    image,
    number,
    shape,
    text,
)
from matplotlib.patches import Polygon, Rectangle

KEPT = figures.HERE / "vq_vae.safetensors"
SHOWN = 5  # which test picture
DRAWN = 3  # which of the maps that are written
ROW, COLUMN = 3, 4  # the place in hand
LIKELY = 7  # codes whose chances are shown
PRIOR = "#2e8062"
WIDTH, HEIGHT = 10.0, 7.15
SIDE = 1.5  # of a picture and of a map, inches
UPPER, LOWER = 6.0, 1.25  # the middles of the two ways
TILE, ACROSS = 0.245, 32  # tiles of the codebook, how many in a row
APART = 0.96  # from one row of tiles to the next
BOOK = 4.42  # the upper edge of the first row of tiles


def keep(run: Path):
    """Put what a trained run makes of pictures, and writes itself, into the kept file."""
    recipe = figures.recipe("vq_vae")
    networks = figures.trained(recipe, checkpoint.load(run).state)
    (book,) = networks["codebook"].modules
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    every = book.nearest(networks["encoder"](to_unit(found.images, "float64")))
    count = recipe.constants["codes"]
    high, wide = every.shape[1:]

    def decoded(codes):
        return networks["decoder"](book.vectors(codes))

    alone = decoded(np.tile(np.arange(count)[:, None, None], (1, high, wide)))
    middle = [slice(4 * (side // 2), 4 * (side // 2) + 4) for side in (high, wide)]
    numbers = noise.uniform(recipe.seed, 0, "figure", (DRAWN + 1, high, wide))[DRAWN:]
    codes = np.zeros((1, high, wide), np.int64)
    for i, j in np.ndindex(high, wide):
        logits = networks["prior"](np.moveaxis(np.eye(count)[codes], -1, 1))[0, :, i, j]
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        codes[0, i, j] = (chances.cumsum()[:-1] <= numbers[0, i, j]).sum()
        if (i, j) == (ROW, COLUMN):
            kept = chances
    tensors = {
        "codes": every[SHOWN].astype(np.uint8),
        "copy": figures.pixels(decoded(every[SHOWN : SHOWN + 1])),
        "tiles": np.stack([figures.pixels(one[None, :, *middle]) for one in alone]),
        "shares": np.bincount(every.ravel(), minlength=count) / every.size,
        "chances": kept.astype(np.float32),
        "written": codes[0].astype(np.uint8),
        "sample": figures.pixels(decoded(codes)),
    }
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def draw():
    """The whole card."""
    recipe = figures.recipe("vq_vae")
    networks = layers.networks(recipe)
    kept = safetensors.numpy.load_file(KEPT)
    bright = kept["tiles"].mean((1, 2, 3)) / 255
    figure, axis = figures.card(WIDTH, HEIGHT)
    _there_and_back(axis, recipe, networks, kept, bright)
    _codebook(axis, recipe, kept)
    _written(axis, networks, kept, bright)
    return figure


def _there_and_back(axis, recipe, networks, kept, bright):
    """A picture, its map of codes, the picture again."""
    left, middle, right = 1.15, 5.0, 8.85
    given = figures.pixels(figures.newt(recipe, SHOWN))
    _picture(axis, left, UPPER, given, "picture  x")
    _map(axis, middle, UPPER, kept["codes"], bright)
    text(axis, middle, UPPER - SIDE / 2 - 0.17, "codes  k: which vector is the nearest", 10, CODE)
    _picture(axis, right, UPPER, kept["copy"], "reconstruction  x̂")
    gap = SIDE / 2 + 0.1
    for start, end, name, colour in (
        (left, middle, "encoder", ENCODE),
        (middle, right, "decoder", DECODE),
    ):
        sizes = networks[name]
        words = f"{shape(sizes.input)} → {shape(sizes.output)}"
        ends = (0.62, 0.42) if name == "encoder" else (0.42, 0.62)
        funnel(axis, start + gap, end - gap, UPPER, *ends, colour, name, words)


def _codebook(axis, recipe, kept):
    """All vectors, as the decoder draws them, with a bar for how often each is used."""
    tiles, shares = kept["tiles"], kept["shares"]
    used = shares[shares > 0]
    left = (WIDTH - ACROSS * (TILE + 0.04)) / 2
    for code, (tile, share) in enumerate(zip(tiles, shares, strict=True)):
        row, column = divmod(code, ACROSS)
        x, y = left + column * (TILE + 0.04), BOOK - row * APART - TILE
        pixels = np.repeat(tile, 3, axis=2)
        if not share:
            pixels = (0.15 * pixels + 0.85 * 255).astype(np.uint8)
        image(axis, pixels, x, y, TILE, edge=INK if share else FAINT, line=0.6)
        text(axis, x + TILE / 2, y - 0.09, str(code), 6.5, CODE if share else FAINT)
        height = 0.42 * np.sqrt(share / shares.max())
        axis.add_patch(Rectangle((x, y + TILE + 0.03), TILE, height, facecolor=CODE, linewidth=0))
    words = (
        f"the codebook: {len(shares)} vectors of {number(recipe.constants['dims'])} numbers, each "
        f"as the decoder draws it; bars: the root of how often each is used\n{len(used)} are in "
        f"use, as evenly as {np.exp(-(used * np.log(used)).sum()):.1f} would be; the faint ones "
        "are dead"
    )
    text(axis, WIDTH / 2, BOOK - APART - TILE - 0.45, words, 9.5, CODE)


def _written(axis, networks, kept, bright):
    """A map half written, the chances at the next place, the whole map, and its picture."""
    half, whole, made = 1.15, 6.15, 8.85
    there = np.arange(kept["written"].size).reshape(kept["written"].shape)
    place = ROW * kept["written"].shape[1] + COLUMN
    _map(axis, half, LOWER, kept["written"], bright, there < place)
    _window(axis, half, networks["prior"])
    text(axis, half, LOWER - SIDE / 2 - 0.17, "written so far; ? is next", 10, PRIOR)
    _chances(axis, half + SIDE / 2 + 0.75, kept)
    _map(axis, whole, LOWER, kept["written"], bright)
    text(axis, whole, LOWER - SIDE / 2 - 0.17, "the map when it is full", 10, PRIOR)
    _picture(axis, made, LOWER, kept["sample"], "sample")
    arrow(axis, (half + SIDE / 2 + 0.1, LOWER), (half + SIDE / 2 + 0.55, LOWER), PRIOR)
    text(axis, half + SIDE / 2 + 0.33, LOWER + 0.17, "prior", 11, PRIOR, weight="bold")
    arrow(axis, (whole - SIDE / 2 - 0.75, LOWER), (whole - SIDE / 2 - 0.12, LOWER), PRIOR)
    text(axis, whole - SIDE / 2 - 0.45, LOWER + 0.24, "draw, write,\nask again", 9, PRIOR)
    gap = SIDE / 2 + 0.1
    funnel(axis, whole + gap, made - gap, LOWER, 0.42, 0.62, DECODE, "decoder", "the same")


def _window(axis, x, prior):
    """The places that the prior's first window lies on: those that it sees, and the one in hand."""
    reach = prior.layers[0].layer.kernel // 2
    side = SIDE / prior.input[1]
    left, top = x - SIDE / 2, LOWER + SIDE / 2

    def corner(row, column):
        return left + column * side, top - row * side

    outline = [
        corner(ROW - reach, COLUMN - reach),
        corner(ROW - reach, COLUMN + reach + 1),
        corner(ROW, COLUMN + reach + 1),
        corner(ROW, COLUMN),
        corner(ROW + 1, COLUMN),
        corner(ROW + 1, COLUMN - reach),
    ]
    axis.add_patch(Polygon(outline, facecolor=PRIOR, alpha=0.22, linewidth=0, zorder=5))
    axis.add_patch(Polygon(outline, fill=False, edgecolor=PRIOR, linewidth=1.6, zorder=6))
    here = corner(ROW + 1, COLUMN)
    axis.add_patch(
        Rectangle(here, side, side, facecolor="white", edgecolor=DECODE, linewidth=1.8, zorder=7)
    )
    text(axis, here[0] + side / 2, here[1] + side / 2, "?", 8, DECODE, weight="bold")


def _chances(axis, left, kept):
    """The likeliest codes at the place in hand: tile, number, a bar for its chance."""
    chances, drawn = kept["chances"], kept["written"][ROW, COLUMN]
    order = np.argsort(-chances, kind="stable")[:LIKELY]
    step = SIDE / LIKELY
    for place, code in enumerate(order):
        y = LOWER + SIDE / 2 - (place + 1) * step
        pixels = np.repeat(kept["tiles"][code], 3, axis=2)
        image(axis, pixels, left, y + 0.02, step - 0.04, line=0.6)
        colour = DECODE if code == drawn else SOFT
        text(axis, left + step + 0.13, y + step / 2, str(code), 7.5, colour)
        long = 1.0 * chances[code] / chances.max()
        corner = left + step + 0.28, y + 0.035
        axis.add_patch(Rectangle(corner, long, step - 0.07, facecolor=colour, linewidth=0))
        text(
            axis,
            corner[0] + long + 0.05,
            y + step / 2,
            f"{chances[code]:.2f}",
            7.5,
            colour,
            ha="left",
        )
    text(axis, left + 0.75, LOWER - SIDE / 2 - 0.17, "its chances; one is drawn", 10, PRIOR)


def _picture(axis, x, y, pixels, words):
    image(axis, np.repeat(pixels, 3, axis=2), x - SIDE / 2, y - SIDE / 2, SIDE)
    text(axis, x, y - SIDE / 2 - 0.17, words, 10)


def _map(axis, x, y, codes, bright, there=None):
    """Codes as cells with their numbers; those that are not there yet are empty."""
    rows, columns = codes.shape
    side = SIDE / columns
    for (row, column), code in np.ndenumerate(codes):
        corner = x - SIDE / 2 + column * side, y + SIDE / 2 - (row + 1) * side
        empty = there is not None and not there[row, column]
        level = 1.0 if empty else bright[code]
        axis.add_patch(
            Rectangle(corner, side, side, facecolor=str(level), edgecolor=SOFT, linewidth=0.4)
        )
        if not empty:
            middle = corner[0] + side / 2, corner[1] + side / 2
            text(axis, *middle, str(code), 6.5, INK if level > 0.5 else "white")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
