"""The figure of question 05: who makes what, who sees what, and which loss teaches whom.

    python assets/draw_gan.py                      draws gan.png
    python assets/draw_gan.py runs/gan_pytorch     takes the weights of that run, of digits

The noise, the picture made of it, and what the discriminator says of that picture and of the real
one are a trained answer's, kept in `gan.safetensors`.
"""

import math
from pathlib import Path

from knock import questions
from knock import recipe as recipes
from knock.recipe import layers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, SOFT, arrow, image, number, shape, text
from matplotlib.patches import Polygon

KEPT = figures.HERE / "gan.safetensors"
SHOWN = 3  # which test picture
SEED = 2  # of the noise
WIDTH, HEIGHT = 10.0, 4.9
PICTURE, NOISE = 1.15, 0.8  # inches a side
HIGH, LOW = 3.2, 1.65  # the height of the real picture's middle, and of the made one's
MIDDLE = (HIGH + LOW) / 2
GENERATOR, DISCRIMINATOR = (1.5, 3.28), (5.4, 7.05)  # their ends, from the left
MADE = 4.12  # where the pictures' middles are, from the left
SAID = 7.85  # where the logits are
LOSSES = 9.12


def keep(run: Path):
    """Put what a trained run makes of the noise, and says of two pictures, into the kept file."""
    recipe = _recipe()
    networks = figures.trained(recipe, checkpoint.load(run).state)
    noise = np.random.default_rng(SEED).uniform(-1, 1, (1, recipe.constants["z"]))
    made = 2 * networks["generator"](noise) - 1
    logits = [networks["discriminator"](one) for one in (figures.newt(recipe, SHOWN), made)]
    tensors = {
        "noise": noise.astype(np.float32),
        "made": figures.pixels(made),
        "logits": np.concatenate(logits).ravel().astype(np.float32),
    }
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def draw():
    """The whole card."""
    recipe = _recipe()
    generator, discriminator = layers.networks(recipe).values()
    kept = safetensors.numpy.load_file(KEPT)
    figure, axis = figures.card(WIDTH, HEIGHT)
    side = math.isqrt(kept["noise"].size)
    _picture(axis, kept["noise"].reshape(side, side), 0.85, LOW, NOISE)
    text(axis, 0.85, LOW - 0.72, f"noise  z\n{number(generator.input[0])} numbers", 9.5, CODE)
    _network(axis, generator, DECODE, GENERATOR, LOW, (0.34, 0.6))
    _picture(axis, kept["made"], MADE, LOW, PICTURE)
    text(axis, MADE, LOW - 0.76, f"made  G(z)   {shape(generator.output)}", 9.5, DECODE)
    _picture(axis, figures.pixels(figures.newt(recipe, SHOWN)), MADE, HIGH, PICTURE)
    text(axis, MADE, HIGH + 0.76, f"real  x   {shape(discriminator.input)}", 9.5)
    _network(axis, discriminator, ENCODE, DISCRIMINATOR, MIDDLE, (0.95, 0.42))
    arrow(axis, (1.28, LOW), (GENERATOR[0] - 0.03, LOW))
    arrow(axis, (GENERATOR[1] + 0.03, LOW), (MADE - PICTURE / 2 - 0.04, LOW), DECODE)
    for y, toward in ((HIGH, MIDDLE + 0.5), (LOW, MIDDLE - 0.5)):
        arrow(
            axis,
            (MADE + PICTURE / 2 + 0.06, y),
            (DISCRIMINATOR[0] - 0.04, toward),
            INK if y == HIGH else DECODE,
        )
    _said(axis, kept["logits"])
    _losses(axis)
    return figure


def _recipe():
    return recipes.load(questions.find("gan").recipe_file, dataset="digits")


def _picture(axis, pixels, x, y, side):
    """A picture around a middle."""
    image(axis, pixels, x - side / 2, y - side / 2, side)


def _network(axis, network, colour, ends, y, halves):
    """A network as a funnel between two heights, with the widths of its layers."""
    (left, right), (first, last) = ends, halves
    corners = [(left, y + first), (right, y + last), (right, y - last), (left, y - first)]
    axis.add_patch(Polygon(corners, facecolor=colour, alpha=0.13, linewidth=0, zorder=1))
    widths = [math.prod(network.input)]
    widths += [one.output[0] for one in network.layers if one.layer.kind == "linear"]
    middle = (left + right) / 2
    text(axis, middle, y + 0.21, network.name, 11, colour, weight="bold")
    text(axis, middle, y - 0.02, " → ".join(map(str, widths)), 7.6, colour)
    parameters = number(sum(p.size for p in network.parameters))
    text(axis, middle, y - 0.23, f"{parameters} parameters", 8, colour)


def _said(axis, logits):
    """What the discriminator says of either picture: the logit, and the probability it means."""
    for (name, logit), y in zip(
        (("x", logits[0]), ("G(z)", logits[1])), (MIDDLE + 0.36, MIDDLE - 0.36), strict=True
    ):
        arrow(axis, (DISCRIMINATOR[1] + 0.03, MIDDLE + (y - MIDDLE) * 0.6), (SAID - 0.47, y))
        words = f"{name}:  {logit:.1f}".replace("-", "−")
        text(axis, SAID, y + 0.1, words, 10.5, weight="bold")
        chance = 1 / (1 + math.exp(-logit))
        text(axis, SAID, y - 0.12, f"real with {chance:.0%}".replace("%", " %"), 8.5, SOFT)


def _losses(axis):
    """Either loss beside the answers that it looks at, and the way of its gradient."""
    up, down = HEIGHT - 0.45, 0.42
    text(axis, LOSSES, MIDDLE + 0.5, "loss of D", 11, ENCODE, weight="bold")
    text(axis, LOSSES, MIDDLE + 0.25, "x is 1, G(z) is 0", 9, ENCODE)
    text(axis, LOSSES, MIDDLE - 0.3, "loss of G", 11, DECODE, weight="bold")
    text(axis, LOSSES, MIDDLE - 0.55, "G(z) is 1", 9, DECODE)
    back = sum(DISCRIMINATOR) / 2
    axis.plot([LOSSES, LOSSES, back], [MIDDLE + 0.7, up, up], ENCODE, linewidth=1.4)
    arrow(axis, (back, up), (back, MIDDLE + 0.78), ENCODE)
    words = "first: teaches D,\nand stops there"
    text(axis, (back + LOSSES) / 2, up - 0.3, words, 8.5, ENCODE)
    end = sum(GENERATOR) / 2
    axis.plot([LOSSES, LOSSES, end], [MIDDLE - 0.75, down, down], DECODE, linewidth=1.4)
    arrow(axis, (end, down), (end, LOW - 0.5), DECODE)
    words = "then: goes back through D, whose weights stay, and teaches G"
    text(axis, (end + LOSSES) / 2 + 0.9, down + 0.18, words, 8.5, DECODE)


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
