"""The figure of question 04: into the plane by the encoder, out of it by the decoder.

    python assets/draw_vae_latent.py                      draws vae_latent.png
    python assets/draw_vae_latent.py runs/vae_pytorch     takes the weights of that run

The dots are the means that a trained answer of question 03 gives to the test pictures; the walk and
the grid are what its decoder makes of places. All are kept in `vae_latent.safetensors`.
"""

from pathlib import Path

from knock import data
from knock.data.batches import to_pixels, to_unit
from knock.recipe import layers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, SOFT, arrow, image, text
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke

KEPT = figures.HERE / "vae_latent.safetensors"
COLOURS = ["#115e5e", "#757f0c", "#882205", "#1da2b7", "#5966ce"]
COLOURS += ["#5f2789", "#9d99ee", "#e76777", "#dfba25", "#12b88f"]
SHOWN = (92, 48, 67, 349, 299)  # test pictures on their way in, from the top
END, STOPS = 2.0, 10  # the walk goes from (−END, −END) to (END, END)
GRID, CELLS = 4.0, 30  # the grid: CELLS places a side over [−GRID, GRID]²
SMALL = 8  # pixels a side of a picture of the grid: too small to show more
REACH = 4.4  # how far the plane is drawn to either side of the origin
WIDTH, HEIGHT = 10.0, 6.4
PLANE, LEFT, BOTTOM = 3.74, 1.95, 1.92  # the plane's side in inches, and where it stands
CENTRE = BOTTOM + PLANE / 2
INCH = PLANE / 2 / REACH  # of a unit of the plane
PICTURE, STOP = 0.56, 0.8  # inches a side of a picture on its way in, and of one on the walk


def keep(run: Path):
    """Put what a trained run makes of the test pictures and of the places into the kept file."""
    recipe = figures.recipe("vae")
    networks = figures.trained(recipe, checkpoint.load(run).state)
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    means = np.split(networks["encoder"](to_unit(found.images, "float64")), 2, axis=1)[0]
    across, up = np.meshgrid(np.linspace(-GRID, GRID, CELLS), np.linspace(GRID, -GRID, CELLS))
    places = np.stack([across.ravel(), up.ravel()], axis=1)
    walk, grid = (
        to_pixels(2 / (1 + np.exp(-networks["decoder"](z))) - 1)[..., 0] for z in (_walk(), places)
    )
    count, height, width = grid.shape
    blocks = grid.reshape(count, SMALL, height // SMALL, SMALL, width // SMALL)
    small = blocks.mean(axis=(2, 4)).round().astype(np.uint8)
    tensors = {"means": means.astype(np.float32), "walk": walk, "grid": small}
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def _walk():
    """The places of the walk, both ends included."""
    return np.linspace(-END, END, STOPS)[:, None].repeat(2, axis=1)


def draw():
    """The whole card."""
    recipe = figures.recipe("vae")
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    kept = safetensors.numpy.load_file(KEPT)
    figure, axis = figures.card(WIDTH, HEIGHT)
    _plane(axis, kept["means"], found.labels)
    _in(axis, layers.networks(recipe)["encoder"].name, found, kept["means"])
    _grid(axis, kept["grid"])
    _on_the_walk(axis, kept["walk"])
    return figure


def _place(z):
    """Where a point of the plane lies on the card."""
    return np.array([LEFT + PLANE / 2, CENTRE]) + np.asarray(z) * INCH


def _title(axis, x, y, name, words, colour):
    """What a part of the figure is called in the answers, and what it shows."""
    text(axis, x, y, name, 11, colour, ha="left", weight="bold")
    text(axis, x, y - 0.19, words, 8.5, SOFT, ha="left")


def _plane(axis, means, labels):
    """The plane with its dots, the prior's rings, and the edge of the grid."""
    frame = Rectangle((LEFT, BOTTOM), PLANE, PLANE, facecolor="#fbfcfd", edgecolor=SOFT, zorder=1)
    axis.add_patch(frame)
    for radius in (1, 2, 3):
        axis.add_patch(Circle(_place((0, 0)), radius * INCH, fill=False, edgecolor="#c5ced6"))
    for label, colour in enumerate(COLOURS):
        own = means[labels == label]
        axis.plot(*_place(own).T, "o", color=colour, markersize=2.8, markeredgewidth=0, zorder=4)
    for label, colour in enumerate(COLOURS):
        own = means[labels == label]
        x, y = _place(own[np.abs(own - np.median(own, axis=0)).sum(axis=1).argmin()])
        rim = [withStroke(linewidth=4.5, foreground=colour)]
        text(axis, x, y, str(label), 10.5, "white", weight="bold", path_effects=rim)
    _title(axis, LEFT, BOTTOM + PLANE + 0.37, "show", "the middle μ of every test picture", CODE)


def _in(axis, name, found, means):
    """Some test pictures, each tied to its dot."""
    x, step = 0.85, (PLANE - PICTURE) / (len(SHOWN) - 1)
    for row, index in enumerate(SHOWN):
        y = BOTTOM + PLANE - PICTURE / 2 - row * step
        colour = COLOURS[found.labels[index]]
        pixels = found.images[index, :, :, 0]
        image(axis, pixels, x - PICTURE / 2, y - PICTURE / 2, PICTURE, colour, 1.6)
        end = _place(means[index])
        arrow(axis, (x + PICTURE / 2 + 0.06, y), tuple(end), ENCODE, line=0.9)
        axis.plot(*end, "o", color=colour, markersize=5, markeredgecolor="white", zorder=9)
    text(axis, x, BOTTOM + PLANE + 0.28, name, 12, ENCODE, weight="bold")


def _grid(axis, pictures):
    """What the decoder makes of the same plane, place by place."""
    side, right = 2 * GRID * INCH, WIDTH - 0.5
    left, bottom = right - side, CENTRE - side / 2
    apart = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))  # black, as the pictures' edges are
    cell = apart.shape[1]
    rows = apart.reshape(CELLS, CELLS, cell, cell).transpose(0, 2, 1, 3)
    axis.imshow(
        rows.reshape(CELLS * cell, CELLS * cell),
        extent=(left, right, bottom, bottom + side),
        aspect="auto",
        interpolation="bilinear",
        cmap="gray",
        zorder=2,
    )
    corner = _place((-GRID, -GRID))
    axis.add_patch(
        Rectangle(corner, side, side, fill=False, edgecolor=DECODE, linestyle=(0, (1, 2)), zorder=6)
    )
    for y in (bottom, bottom + side):
        ends = [corner[0] + side, left]
        axis.plot(ends, [y, y], color=DECODE, linewidth=0.7, linestyle=(0, (1, 2)))
    words = f"what the decoder has at {CELLS}×{CELLS} places"
    _title(axis, left, BOTTOM + PLANE + 0.37, "change2", words, DECODE)


def _on_the_walk(axis, pictures):
    """The walk through the plane, and what stands at its stops."""
    stops = _place(_walk())
    axis.plot(*stops.T, color=INK, linewidth=1.3, zorder=7)
    axis.plot(*stops.T, "o", color="white", markeredgecolor=INK, markersize=4.2, zorder=8)
    left, bottom = 1.75, 0.4
    step = (WIDTH - 0.5 - left - STOP) / (STOPS - 1)
    for index, pixels in enumerate(pictures):
        image(axis, pixels, left + index * step, bottom, STOP, INK, 0.8)
    end = f"{END:.0f}"
    for index, words in ((0, f"(−{end}, −{end})"), (STOPS - 1, f"({end}, {end})")):
        text(axis, left + index * step + STOP / 2, bottom + STOP + 0.14, words, 8.5, INK)
    text(axis, 0.5, bottom + STOP / 2 + 0.17, "change", 11, INK, ha="left", weight="bold")
    words = "the decoder\nalong the line"
    text(axis, 0.5, bottom + STOP / 2 - 0.12, words, 8.5, SOFT, ha="left")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
