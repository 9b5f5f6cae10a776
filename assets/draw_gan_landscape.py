"""The figure of question 14: a matrix's largest stretch, three losses, and what norms do to slopes.

    python assets/draw_gan_landscape.py               draws gan_landscape.png
    python assets/draw_gan_landscape.py runs/sweep    takes the slopes from the runs of that sweep

The ellipse and the power iteration are computed here. The slopes are those of trained
discriminators, one for each norm with the non-saturating loss, at test pictures and at made
ones; and the two curves are the estimate of a layer's largest stretch and the
SVD's during the first steps of training, by NumPy. Both are kept in `gan_landscape.safetensors`.
"""

from pathlib import Path

from knock import data, noise
from knock import recipe as recipes
from knock.data.batches import Batches, to_unit
from knock.frameworks import numpy as plain
from knock.questions import find
from knock.recipe.weights import initial_weights
from knock.scripts import load as answers
from knock.training import checkpoint

import figures
import numpy as np
import safetensors.numpy
from figures import CODE, DECODE, ENCODE, FAINT, INK, SOFT, text

KEPT = figures.HERE / "gan_landscape.safetensors"
NORMS = "none", "batch", "layer", "spectral"
COLOURS = dict(zip(NORMS, (INK, DECODE, ENCODE, CODE), strict=True))
PICTURES = 200  # of each kind at which slopes are taken
STEPS, LAYER = 40, "conv4"
MATRIX = np.array([[1.5, 0.9], [0.2, 0.7]])
FIRST = np.array([-0.35, 0.94])  # the first u
WIDTH, HEIGHT = 10.0, 5.55


def keep(folder: Path) -> None:
    """Take the slopes from a sweep's runs, and train a little for the curves."""
    found = {}
    for norm in NORMS:
        (run,) = folder.glob(f"*non_saturating*norm_{norm}*")
        for name, slopes in _slopes(checkpoint.load(run)).items():
            found[f"{norm}.{name}"] = slopes
    found["estimate"], found["svd"] = _stretches()
    tensors = {name: np.ascontiguousarray(one, np.float32) for name, one in found.items()}
    KEPT.write_bytes(safetensors.numpy.save(tensors))


def _slopes(found):
    """How steep a discriminator is at test pictures, and at those that the generator makes."""
    recipe, networks = found.recipe, figures.trained(found.recipe, found.state)
    test = data.load(recipe.dataset, recipe.image_shape, "test")
    real = to_unit(test.images[:PICTURES], "float64")
    z = noise.normal(0, 0, "assets/z", (PICTURES, recipe.constants["z"]))
    made = plain.evaluate(networks["generator"], z)
    return {
        name: _slope(networks["discriminator"], x) for name, x in (("real", real), ("made", made))
    }


def _slope(network, images):
    """The length of the score's gradient by each picture; with batch normalisation, by its own."""
    found = []
    for some in np.array_split(images, len(images) // 50):
        d = network.backward(np.ones_like(network(some)))
        found.append(np.sqrt((d**2).sum((1, 2, 3))))
    return np.concatenate(found)


def _stretches():
    """A layer's largest stretch before each step: what its kept u says, and what the SVD says."""
    question = find("gan_landscape")
    recipe = recipes.load(question.recipe_file, "digits", dtype="float64")
    plain.setup("cpu", "float64")
    made = answers.model_class(
        answers.load(question.reference_file), recipe.class_name, question.reference_file
    )(recipe)
    plain.write(made, recipe, initial_weights(recipe))
    batches = Batches(data.load("digits", recipe.image_shape, "train"), recipe, False)
    (layer,) = (m for m in made.discriminator.modules if m.name == LAYER)
    estimates, largest = [], []
    for step in range(STEPS):
        layer.used()
        estimates.append(layer.sigma)
        largest.append(np.linalg.svd(layer.matrix(), compute_uv=False)[0])
        made.train_step(batches.batch(step))
    return np.array(estimates), np.array(largest)


def draw():
    """The whole card."""
    figure, axis = figures.card(WIDTH, HEIGHT)
    kept = safetensors.numpy.load_file(KEPT)
    _stretch(axis)
    _losses(figures.plot(figure, 6.1, 3.25, 3.4, 1.8))
    _curves(figures.plot(figure, 0.75, 0.62, 3.55, 1.75), kept)
    _histograms(figures.plot(figure, 5.35, 0.62, 4.15, 1.75), kept)
    return figure


def _stretch(axis):
    """A circle, what the matrix makes of it, and two rounds of the power iteration."""
    angles = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    ellipse = MATRIX @ circle
    scale, middle = 0.62, np.array([[1.4], [4.17]])
    other = np.array([[4.05], [4.17]])
    v = u = FIRST / np.linalg.norm(FIRST)
    rounds = []
    for _ in range(2):
        v = MATRIX.T @ u
        v /= np.linalg.norm(v)
        u = MATRIX @ v
        rounds.append((v, u))
        u = u / np.linalg.norm(u)
    axis.plot(*(middle + scale * circle), color=SOFT, lw=1.2)
    axis.plot(*(other + scale * circle), color=FAINT, lw=1.0, ls="--")
    axis.plot(*(other + scale * ellipse), color=CODE, lw=1.4)
    for number, (v, stretched) in enumerate(rounds, 1):
        for start, end, name in ((middle, v, "v"), (other, stretched, "Mv")):
            tip = start[:, 0] + scale * end
            figures.arrow(axis, tuple(start[:, 0]), tuple(tip), (DECODE, ENCODE)[number - 1])
            where = tip + 0.21 * end / np.linalg.norm(end)
            text(axis, *where, f"{name}$_{number}$", 8.0, (DECODE, ENCODE)[number - 1])
    largest = np.linalg.svd(MATRIX, compute_uv=False)[0]
    text(axis, 1.4, 5.16, "all directions v", 9.0, INK)
    text(axis, 4.05, 5.16, "what the matrix makes of them", 9.0, INK)
    words = f"u = Mv / |Mv|, v = Mᵀu / |Mᵀu|: the longest axis is σ = {largest:.2f}"
    text(axis, 2.75, 3.08, words, 8.5, SOFT)


def _losses(axis):
    """What the generator pays for a score, in the three losses."""
    e = np.linspace(-3, 3.5, 200)
    axis.plot(e, (e - 1) ** 2 / 2, color=DECODE, lw=1.6, label="least squares: ½(e − 1)²")
    axis.plot(e, np.logaddexp(0, -e), color=CODE, lw=1.6, label="non-saturating: −log σ(e)")
    axis.plot(e, -e, color=ENCODE, lw=1.6, label="Wasserstein: −e")
    axis.set_ylim(-3.6, 5.2)
    axis.set_xlabel("score e of a made picture", fontsize=8, color=SOFT, labelpad=1)
    axis.set_title("what the generator pays", fontsize=9, color=INK)
    axis.legend(fontsize=7.5, frameon=False, loc="upper right", labelcolor=INK)


def _curves(axis, kept):
    steps = np.arange(len(kept["svd"]))
    axis.plot(steps, kept["svd"], color=SOFT, lw=2.4, label="the SVD's")
    axis.plot(steps, kept["estimate"], color=CODE, lw=1.2, label="one round a step")
    axis.set_ylim(0, None)
    axis.set_xlabel("step", fontsize=8, color=SOFT, labelpad=1)
    axis.set_title(f"largest stretch σ of {LAYER}", fontsize=9, color=INK)
    axis.legend(fontsize=7.5, frameon=False, loc="lower right", labelcolor=INK)


def _histograms(axis, kept):
    every = np.concatenate([one for name, one in kept.items() if "." in name])
    low = max(every.min(), 1e-4)
    edges = np.geomspace(low, every.max() * 1.01, 45)
    for norm in NORMS:
        slopes = np.concatenate([kept[f"{norm}.real"], kept[f"{norm}.made"]])
        axis.hist(slopes, edges, color=COLOURS[norm], alpha=0.25)
        axis.hist(slopes, edges, color=COLOURS[norm], histtype="step", lw=1.3, label=norm)
    axis.set_xscale("log")
    axis.set_yticks([])
    axis.set_xlabel("slope of D at a picture", fontsize=8, color=SOFT, labelpad=1)
    axis.set_title("slopes after training, for each norm", fontsize=9, color=INK)
    axis.legend(fontsize=7.5, frameon=False, labelcolor=INK)


if __name__ == "__main__":
    figures.main(__file__, draw, keep)
