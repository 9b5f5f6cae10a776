"""What the figures of the questions share: a white card to draw on, pictures, arrows, the recipe.

A figure is a function `draw()` in a script of its own, `draw_NAME.py`, which writes `NAME.png`
beside itself. Sizes and counts are read off the question's recipe, never typed. The axis of a card
measures inches from its lower left corner.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from knock import data, questions
from knock import recipe as recipes
from knock.data.batches import to_pixels, to_unit
from knock.frameworks import numpy as plain
from knock.recipe import layers

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon

HERE = Path(__file__).resolve().parent
INK, SOFT, FAINT = "#22303c", "#667685", "#d5dce3"
ENCODE, CODE, DECODE = "#2f6fa7", "#7b4fa0", "#c9701d"
DPI = 200


def card(width, height):
    """A white card with round corners on nothing: it reads the same on a light and a dark page."""
    figure = Figure(figsize=(width, height))
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axis.set_autoscale_on(False)
    axis.axis("off")
    box = FancyBboxPatch(
        (0.08, 0.08),
        width - 0.16,
        height - 0.16,
        boxstyle="round,pad=0,rounding_size=0.15",
        facecolor="white",
        edgecolor=FAINT,
        linewidth=1.2,
    )
    axis.add_patch(box)
    return figure, axis


def plot(figure, left, bottom, width, height, size=7, edge=SOFT):
    """A small plot within a card: its place and sides in inches, its numbers `size` points."""
    across, up = figure.get_size_inches()
    axis = figure.add_axes((left / across, bottom / up, width / across, height / up))
    axis.set_facecolor("none")
    axis.tick_params(labelsize=size, colors=SOFT, length=2)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(edge)
    return axis


def image(axis, pixels, left, bottom, side, edge=INK, line=0.8, zorder=2):
    """Pixels (H×W×C, or H×W in grey) as a square of `side` inches with a thin frame."""
    axis.imshow(
        pixels,
        extent=(left, left + side, bottom, bottom + side),
        aspect="auto",
        interpolation="nearest",
        cmap="gray",
        zorder=zorder,
    )
    corners = [(0, 0), (side, 0), (side, side), (0, side)]
    outline = [(left + x, bottom + y) for x, y in corners]
    axis.add_patch(Polygon(outline, fill=False, edgecolor=edge, linewidth=line, zorder=zorder))


def text(axis, x, y, words, size=9.0, colour=INK, **options):
    """Words centred at a place, unless `options` say otherwise."""
    settings = {"ha": "center", "va": "center", "linespacing": 1.35} | options
    axis.text(x, y, words, fontsize=size, color=colour, zorder=9, **settings)


def arrow(axis, start, end, colour=SOFT, bend=0.0, line=1.3, style="-|>"):
    """An arrow from one place to another, bent by a share of its length."""
    axis.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle=style,
            mutation_scale=10,
            color=colour,
            linewidth=line,
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=0,
            shrinkB=0,
            zorder=8,
        )
    )


def funnel(axis, start, end, y, first, last, colour, name, words):
    """A network from `start` to `end` around the height y, half as high as `first` and `last`."""
    corners = [(start, y + first), (end, y + last), (end, y - last), (start, y - first)]
    axis.add_patch(Polygon(corners, facecolor=colour, alpha=0.13, linewidth=0, zorder=1))
    middle = (start + end) / 2
    text(axis, middle, y + 0.11, name, 11.5, colour, weight="bold")
    text(axis, middle, y - 0.14, words, 8.5, colour)
    arrow(axis, (middle - 0.3, y - 0.32), (middle + 0.3, y - 0.32), colour)


def number(value):
    """A count with its thousands apart: 12,288."""
    return f"{value:,}"


def shape(sides):
    """A shape as people write it: 3×64×64."""
    return "×".join(number(side) for side in sides)


def recipe(question):
    """The question's recipe for its default data set."""
    return recipes.load(questions.find(question).recipe_file)


def newt(recipe, index):
    """One test picture as a batch of one, in [−1, 1]."""
    found = data.load(recipe.dataset, recipe.image_shape, "test")
    return to_unit(found.images[index : index + 1], "float64")


def pixels(batch):
    """The first picture of a batch in [−1, 1] as H×W×C bytes."""
    return to_pixels(batch)[0]


def trained(recipe, state):
    """The recipe's networks in plain NumPy with the weights in `state`."""
    plain.setup("cpu", "float64")
    networks = plain.networks(recipe)
    for name, placed in layers.networks(recipe).items():
        for module in networks[name].modules:
            for key, value in module.values.items():
                value[...] = state[f"{placed.name}.{module.name}.{key}"]
    return networks


def weights(recipe, state):
    """Of a checkpoint's state the networks' part alone, as float32."""
    found = layers.networks(recipe).values()
    keys = [f"{placed.name}.{p.name}" for placed in found for p in placed.parameters]
    return {key: np.ascontiguousarray(state[key], np.float32) for key in keys}


def main(file: str, draw: Callable[[], Figure], keep: Callable[[Path], None] | None = None) -> None:
    """Draw `NAME.png` beside `draw_NAME.py`, from the run in the folder that was given, if any."""
    if keep and len(sys.argv) > 1:
        keep(Path(sys.argv[1]))
    path = picture_of(Path(file))
    save(draw(), path)
    print(path)


def picture_of(script: Path) -> Path:
    """`ae.png` for `draw_ae.py`."""
    return script.resolve().with_name(f"{script.stem.removeprefix('draw_')}.png")


def save(figure, path):
    """Write a card as PNG; nothing in the file tells when or with what."""
    figure.savefig(path, dpi=DPI, transparent=True, metadata={"Software": None})
