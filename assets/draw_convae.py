"""The figure of question 02: maps that shrink and multiply, drawn to scale.

    python assets/draw_convae.py                         draws convae.png
    python assets/draw_convae.py runs/convae_pytorch     takes the weights of that run

What the maps show is real: one test picture on its way through a trained answer, whose weights are
kept in `convae.safetensors`. A stack has as many sheets as the layer has maps, the liveliest in
front.
"""

from dataclasses import dataclass
from pathlib import Path

from knock.recipe import layers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, arrow, image, number, shape, text
from matplotlib.colors import LinearSegmentedColormap

KEPT = figures.HERE / "convae.safetensors"
SHOWN = 24  # which test picture
WIDTH, HEIGHT = 10.0, 3.55
INCH = 1 / 54  # that a pixel takes
SHEET = 0.0115  # inches that a map stands behind the one before it, to the right and up
GAP = 0.36  # inches between two stacks
MIDDLE = 2.02  # the height of the stacks' middles
NAMES = {"conv": "conv {k}×{k}", "tconv": "tconv {k}×{k}", "maxpool": "max pool {k}×{k}"}


@dataclass
class Stage:
    """What stands after a layer (and the ReLU behind it): the maps, and how they came about."""

    maps: np.ndarray
    words: str
    colour: str

    @property
    def sides(self):
        """Width and height of the stack in inches."""
        channels, height, width = self.maps.shape
        return width * INCH + (channels - 1) * SHEET, height * INCH + (channels - 1) * SHEET


def keep(run: Path):
    """Put a trained run's weights into the kept file."""
    recipe = figures.recipe("convae")
    state = figures.weights(recipe, checkpoint.load(run).state)
    KEPT.write_bytes(safetensors.numpy.save(state))


def draw():
    """The whole card."""
    recipe = figures.recipe("convae")
    given = figures.newt(recipe, SHOWN)
    encoder, decoder = _stages(recipe, given)
    stages = [Stage(given[0], "the picture", INK), *encoder, *decoder]
    code = encoder[-1]
    code.colour = CODE
    figure, axis = figures.card(WIDTH, HEIGHT)
    lefts = _lefts(stages)
    for stage, left in zip(stages, lefts, strict=True):
        _stack(axis, stage, left)
        centre = left + stage.maps.shape[2] * INCH / 2
        text(axis, centre, 0.99, shape(stage.maps.shape), 9.5, weight="bold")
        text(axis, centre, 0.83, stage.words, 8, stage.colour, va="top")
    for before, after, left in zip(lefts, lefts[1:], stages, strict=False):
        start = before + left.sides[0]
        arrow(axis, (start + 0.06, MIDDLE), (after - 0.05, MIDDLE))
    ends = [
        (1, len(encoder), ENCODE, "encoder"),
        (len(encoder) + 1, len(stages) - 1, DECODE, "decoder"),
    ]
    for first, last, colour, name in ends:
        _span(axis, lefts[first], lefts[last] + stages[last].sides[0], colour, name)
    x = lefts[len(encoder)] + code.maps.shape[2] * INCH / 2
    words = f"the code\n{number(code.maps.size)} numbers"
    text(axis, x, MIDDLE + 0.55, words, 9, CODE, weight="bold")
    return figure


def _stages(recipe, batch):
    """Both networks' stages, a list each."""
    networks = figures.trained(recipe, safetensors.numpy.load_file(KEPT))
    found = []
    for (name, placed), colour in zip(
        layers.networks(recipe).items(), (ENCODE, DECODE), strict=True
    ):
        stages = []
        for module, one in zip(networks[name].modules, placed.layers, strict=True):
            batch = module(batch)
            kind = one.layer.kind
            if kind == "relu":
                stages[-1].maps = batch[0]
                stages[-1].words = stages[-1].words.replace("\n", "\nReLU\n", 1)
                continue
            words = NAMES[kind].format(k=one.layer.kernel)
            count = sum(p.size for p in one.parameters)
            words += f"\n{number(count)} parameters" if count else ""
            stages.append(Stage(batch[0], words, colour))
        found.append(stages)
    return found


def _lefts(stages):
    """Where the stacks begin, the row centred on the card."""
    widths = [stage.sides[0] for stage in stages]
    left = (WIDTH - sum(widths) - GAP * (len(stages) - 1)) / 2
    found = []
    for width in widths:
        found.append(left)
        left += width + GAP
    return found


def _stack(axis, stage, left):
    """The maps one behind the other, the first in front; three are a picture's colours."""
    channels, height, width = stage.maps.shape
    bottom = MIDDLE - stage.sides[1] / 2
    if channels == 3:
        sheets = [figures.pixels(stage.maps[None])]
        sheets += [np.full((1, 1, 3), tint) for tint in ((0.35, 0.6, 0.35), (0.35, 0.45, 0.7))]
    else:
        top = np.quantile(stage.maps, 0.995)
        order = np.argsort(-stage.maps.std((1, 2)), kind="stable")
        ink = LinearSegmentedColormap.from_list("ink", ["#f6f8fa", stage.colour, "#10151c"])
        sheets = [ink(np.clip(stage.maps[index] / top, 0, 1)) for index in order]
    for index in reversed(range(channels)):
        x, y = left + index * SHEET, bottom + index * SHEET
        image(axis, sheets[index], x, y, height * INCH, line=0.8 if index == 0 else 0.25)


def _span(axis, left, right, colour, name):
    """A line over the stacks of a network, with its name."""
    y = HEIGHT - 0.4
    middle = (left + right) / 2
    room = 0.42
    axis.plot([left, left, middle - room], [y - 0.1, y, y], colour, linewidth=1.4)
    axis.plot([middle + room, right, right], [y, y, y - 0.1], colour, linewidth=1.4)
    text(axis, middle, y, name, 11, colour, weight="bold")


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
