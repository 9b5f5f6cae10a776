"""The figure of question 17: noise comes in, and a network takes it away again.

    python assets/draw_ddpm.py               draws ddpm.png
    python assets/draw_ddpm.py runs/ddpm     takes the way back and the errors from that run

The way there and the schedules are computed. The way back, what the network takes for the picture
at each step, and how wrong it is about the noise are a trained answer's; they are kept in
`ddpm.safetensors`.
"""

from pathlib import Path

from knock import data, noise
from knock.data.batches import to_pixels, to_unit
from knock.questions import find
from knock.scripts import load as answers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, INK, SOFT, text

KEPT = figures.HERE / "ddpm.safetensors"
QUESTION = find("ddpm")
REFERENCE = answers.load(QUESTION.reference_file)
SHOWN = 0, 100, 200, 400, 700, 1000  # the times of the way there
BACK = 50, 40, 30, 20, 10, 5, 0  # strides that are still to take
TIMES = np.arange(1, 1001, 37)  # at which errors are measured
PICTURES = 60
DIGIT, NOISE = 12, 5
WIDTH, HEIGHT, SIDE = 10.0, 5.1, 0.82


def keep(folder: Path) -> None:
    """Take the way back of one noise, and the mean error for each t, from a run."""
    found = checkpoint.load(folder)
    recipe = found.recipe
    made = answers.model_class(REFERENCE, recipe.class_name, QUESTION.reference_file)(recipe)
    made.unet_mean = figures.trained(recipe, found.state)["unet_mean"]
    steps, x = recipe.constants["sample_steps"], _noise(recipe.image_shape, NOISE)
    times = [-(-i * made.times // steps) for i in range(steps + 1)]
    strip, believed = [], []
    for i in range(steps, -1, -1):
        picture = x
        if i:
            epsilon = made.unet_mean(x, np.full(1, times[i]))
            picture = REFERENCE.clean(x, epsilon, made.bars[times[i]])
        if i in BACK:
            strip.append(x[0])
            believed.append(picture[0])
        if i:
            x = made.back(x, times[i], times[i - 1], None)
    test = data.load(recipe.dataset, recipe.image_shape, "test")
    images = to_unit(test.images[:PICTURES], "float64")
    epsilon = noise.normal(0, 1, "assets/epsilon", images.shape)
    errors = []
    for t in TIMES:
        guess = made.unet_mean(
            REFERENCE.noised(images, epsilon, made.bars[t]), np.full(len(images), t)
        )
        errors.append(REFERENCE.noise_loss(guess, epsilon)[0])
    arrays = {"strip": strip, "believed": believed, "errors": errors}
    tensors = {name: np.array(one, np.float32) for name, one in arrays.items()}
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def _noise(shape, number):
    return noise.normal(0, number, "assets/noise", (1, *shape))


def draw():
    """The whole card."""
    figure, axis = figures.card(WIDTH, HEIGHT)
    recipe, kept = figures.recipe("ddpm"), safetensors.numpy.load_file(KEPT)
    _there(axis, recipe)
    _schedules(figures.plot(figure, 7.0, 3.25, 2.6, 1.25), recipe)
    _back(axis, recipe, kept)
    _errors(figures.plot(figure, 7.0, 0.72, 2.6, 1.25), kept)
    return figure


def _place(number, count):
    """The left edge of a picture in a row of so many."""
    return 0.35 + number * (6.15 - SIDE) / (count - 1)


def _there(axis, recipe):
    """A test digit with more and more noise."""
    text(axis, 3.4, 4.78, "the way there: noise comes in, nothing is learnt", 9.5)
    test = data.load(recipe.dataset, recipe.image_shape, "test")
    image = to_unit(test.images[DIGIT : DIGIT + 1], "float64")
    bars = REFERENCE.alpha_bars("linear", recipe.constants["times"])
    epsilon = _noise(recipe.image_shape, 0)
    for number, t in enumerate(SHOWN):
        left = _place(number, len(SHOWN))
        shown = to_pixels(REFERENCE.noised(image, epsilon, bars[t]))[0, ..., 0]
        figures.image(axis, shown, left, 3.6, SIDE)
        text(axis, left + SIDE / 2, 3.42, f"t = {t}", 8.0, SOFT)
        text(axis, left + SIDE / 2, 3.2, f"ᾱ = {bars[t]:.2f}", 8.0, SOFT)


def _back(axis, recipe, kept):
    """What the network takes for the picture, and where the walk is."""
    words = "the way back: what the network takes for the picture, and below it $x_t$"
    text(axis, 3.4, 2.88, words, 9.5)
    steps, times = recipe.constants["sample_steps"], recipe.constants["times"]
    for number, left_over in enumerate(BACK):
        left = _place(number, len(BACK))
        for row, bottom, colour in (("believed", 1.72, ENCODE), ("strip", 0.72, INK)):
            shown = to_pixels(kept[row][number : number + 1])[0, ..., 0]
            figures.image(axis, shown, left, bottom + 0.05, SIDE, colour, 1.2)
        text(axis, left + SIDE / 2, 0.55, f"t = {left_over * times // steps}", 8.0, SOFT)


def _schedules(axis, recipe):
    times = recipe.constants["times"]
    for name, colour in (("linear", CODE), ("cosine", DECODE)):
        axis.plot(REFERENCE.alpha_bars(name, times), color=colour, lw=1.5, label=name)
    axis.set_title("how much of the picture is left: ᾱ", fontsize=9, color=INK)
    axis.set_xlabel("t", fontsize=8, color=SOFT, labelpad=0)
    axis.legend(fontsize=7.5, frameon=False, labelcolor=INK)


def _errors(axis, kept):
    axis.plot(TIMES, kept["errors"], color=ENCODE, lw=1.5)
    axis.set_yscale("log")
    axis.set_title("mean error of the noise, test pictures", fontsize=9, color=INK)
    axis.set_xlabel("t", fontsize=8, color=SOFT, labelpad=0)


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
