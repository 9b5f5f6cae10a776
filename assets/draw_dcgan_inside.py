"""The figure of question 15: where both networks are opened, and what came out three times.

    python assets/draw_dcgan_inside.py                 draws dcgan_inside.png
    python assets/draw_dcgan_inside.py runs/insides    takes the tables of the looks in there

The tables of all looks in a folder, each at a DCGAN of another seed, are kept in
`dcgan_inside.safetensors`.
"""

import json
from pathlib import Path

from knock.look.inside import TABLES
from knock.recipe import layers

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, FAINT, INK, SOFT, arrow, number, shape, text
from matplotlib.patches import FancyBboxPatch

KEPT = figures.HERE / "dcgan_inside.safetensors"
FEATURES = {"pixels": SOFT, "random": DECODE, "trained": ENCODE}
OBJECTS = "horizontal", "vertical"
DROPPED = {"w > 0": CODE, "lowest w": DECODE, "by chance": SOFT}
WIDTH, HEIGHT = 10.0, 6.8
ROWS = 5.65, 3.85  # where the networks stand
BOX, STEP = 1.2, 1.55


def keep(folder: Path) -> None:
    """Put the tables of all looks in a folder into the kept file."""
    paths = sorted(folder.glob(f"*/{TABLES}"))
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    told = [[list(one["features"][name].values()) for name in FEATURES] for one in found]
    left = [
        [
            [list(one["forget"][f"{what}: {which}"].values())[1:] for which in DROPPED]
            for what in OBJECTS
        ]
        for one in found
    ]
    names = ",".join(found[0]["features"]["pixels"])
    tensors = {"told": np.array(told, np.float32), "left": np.array(left, np.float32)}
    KEPT.write_bytes(safetensors.numpy.save(tensors, {"labels": names}))


def draw():
    """The whole card."""
    recipe = figures.recipe("dcgan_inside")
    with safetensors.safe_open(KEPT, "numpy") as file:
        kept = {name: file.get_tensor(name) for name in ("told", "left")}
        names = file.metadata()["labels"].split(",")
    figure, axis = figures.card(WIDTH, HEIGHT)
    _generator(axis, layers.networks(recipe)["generator"])
    _discriminator(axis, layers.networks(recipe)["discriminator"])
    axis.plot([0.45, WIDTH - 0.45], [2.75, 2.75], color=FAINT, linewidth=1)
    _left(_inner(figure, 0.75, 0.62, 3.6, 1.6), kept["left"])
    text(axis, 0.45, 2.5, "forget", 11, CODE, ha="left", weight="bold")
    words = f"strokes that are left, in {len(kept['left'])} DCGANs"
    text(axis, 1.1, 2.5, words, 8.5, SOFT, ha="left")
    _told(_inner(figure, 5.35, 0.62, 4.2, 1.6), kept["told"], names)
    text(axis, 5.0, 2.5, "features", 11, ENCODE, ha="left", weight="bold")
    words = "test digits told right, by labels of each class"
    text(axis, 5.85, 2.5, words, 8.5, SOFT, ha="left")
    return figure


def _box(axis, x, y, name, sides, colour):
    shown = {"boxstyle": "round,pad=0,rounding_size=0.08", "facecolor": "#f6f8fa"}
    axis.add_patch(FancyBboxPatch((x, y - 0.3), BOX, 0.6, edgecolor=colour, linewidth=1.4, **shown))
    text(axis, x + BOX / 2, y + 0.1, name, 10, colour, weight="bold")
    text(axis, x + BOX / 2, y - 0.13, shape(sides), 8.5, SOFT)


def _chain(axis, y, parts, marked):
    """Boxes from left to right, with arrows between; where each of them begins."""
    places = {}
    for index, (name, sides) in enumerate(parts):
        places[name] = x = 0.55 + index * STEP
        _box(axis, x, y, name, sides, marked.get(name, INK))
        if index:
            arrow(axis, (x - STEP + BOX + 0.04, y), (x - 0.04, y))
    return places


def _generator(axis, placed):
    """The chain of the generator, open after tconv2."""
    y = ROWS[0]
    text(axis, 0.55, y + 0.72, "generator", 12, INK, ha="left", weight="bold")
    maps = [one for one in placed.layers if one.layer.kind == "tconv"]
    first = next(one for one in placed.layers if one.layer.kind == "reshape")
    parts = [("noise", placed.input), ("fc", first.output)]
    parts += [(one.name, one.output) for one in maps]
    places = _chain(axis, y, parts, {"tconv2": CODE, "noise": DECODE})
    x = places["tconv2"] + BOX / 2
    text(axis, x, y - 0.5, f"hidden: {number(maps[0].output[0])} maps", 9, CODE, weight="bold")
    text(
        axis,
        x,
        y - 0.72,
        "important: which of them draw a stroke?  forget: set them to 0",
        8.5,
        SOFT,
    )
    text(
        axis,
        places["noise"],
        y + 0.46,
        "walk, arithmetic, turn: which noise?",
        8.5,
        DECODE,
        ha="left",
    )


def _discriminator(axis, placed):
    """The chain of the discriminator; what its convolutions say is used, and sent back."""
    y = ROWS[1]
    text(axis, 0.55, y + 0.72, "discriminator", 12, INK, ha="left", weight="bold")
    maps = [one for one in placed.layers if one.layer.kind == "conv"]
    last = placed.layers[-1]
    parts = [("picture", placed.input), *((one.name, one.output) for one in maps)]
    places = _chain(axis, y, [*parts, (last.name, last.output)], {one.name: ENCODE for one in maps})
    ends = places[maps[-1].name] + BOX / 2, places["picture"] + BOX * 0.8
    arrow(axis, (ends[0], y + 0.34), (ends[1], y + 0.34), CODE, bend=0.12)
    words = "guided: back to what a filter looks at"
    text(axis, ends[0] + 0.15, y + 0.46, words, 8.5, CODE, ha="left")
    right = 8.7
    for one in maps:
        x = places[one.name] + BOX / 2
        axis.plot([x, x], [y - 0.3, y - 0.6], color=ENCODE, linewidth=1.3)
    first = places[maps[0].name] + BOX / 2
    axis.plot([first, right], [y - 0.6, y - 0.6], color=ENCODE, linewidth=1.3)
    count = sum(one.output[0] * min(4, one.output[1]) * min(4, one.output[2]) for one in maps)
    arrow(axis, (right - 0.1, y - 0.6), (right, y - 0.6), ENCODE)
    text(axis, right + 0.08, y - 0.52, number(count), 9, ENCODE, ha="left", weight="bold")
    text(axis, right + 0.08, y - 0.7, "features", 9, ENCODE, ha="left", weight="bold")
    text(
        axis, first + 0.1, y - 0.74, "the largest number of each cell of 4×4", 8.5, SOFT, ha="left"
    )


def _inner(figure, *place):
    axis = figures.plot(figure, *place, size=8, edge=FAINT)
    axis.grid(color=FAINT, linewidth=0.6, axis="y")
    return axis


def _left(axis, left):
    """A dot for each DCGAN: what is left of horizontal and of vertical strokes."""
    places, names = [], []
    for object_, what in enumerate(OBJECTS):
        for stroke, which in enumerate(OBJECTS):
            place = 2.4 * object_ + stroke
            places.append(place)
            names.append(f"{which}\nstrokes")
            for index, (rows, colour) in enumerate(DROPPED.items()):
                xs = place + 0.22 * (index - 1) + 0.03 * (np.arange(len(left)) - 1)
                label = rows if place == 0 else None
                axis.plot(
                    xs, left[:, object_, index, stroke], "o", color=colour, ms=3.5, label=label
                )
        axis.text(2.4 * object_ + 0.5, 1.32, f"{what} dropped", ha="center", fontsize=8, color=INK)
    axis.set_xticks(places, names)
    axis.set_ylim(0, 1.3)
    axis.legend(fontsize=7, frameon=False, ncols=3, loc="lower center", handletextpad=0.1)


def _told(axis, told, names):
    """A line for each DCGAN."""
    for index, (name, colour) in enumerate(FEATURES.items()):
        for run, line in enumerate(told[:, index]):
            axis.plot(line, "o-", color=colour, ms=2.5, lw=1.1, label=None if run else name)
    axis.set_xticks(range(len(names)), names)
    axis.legend(fontsize=8, frameon=False, loc="lower right")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
