"""Question 10 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.check import plain as framework

import numpy as np


def rounds(batch, count, rows):
    """Every round's own pictures, noise and ε: `count` rounds of `rows` each."""
    for k in range(count):
        mine = slice(k * rows, (k + 1) * rows)
        yield batch["images"][mine], batch["noise"][mine], batch["epsilon"][mine]


def between(real, made, epsilon):
    """Where the slope is taken: on the line from a made picture to a real one."""
    return epsilon * real + (1 - epsilon) * made


AXES = (1, 2, 3)  # over which a slope's length is taken: all of a picture's


def lengths(slopes):
    """‖·‖₂ of each picture's slope."""
    return np.sqrt((slopes**2).sum(AXES, keepdims=True) + 1e-12)


def far(length):
    """What a slope's length costs, and its derivative."""
    return (length - 1) ** 2, 2 * (length - 1)


def first_round_only(batch, count, rows):
    for _ in range(count):
        yield batch["images"][:rows], batch["noise"][:rows], batch["epsilon"][:rows]


def first_pictures_only(batch, count, rows):
    for _, noise, epsilon in rounds_of(batch, count, rows):
        yield batch["images"][:rows], noise, epsilon


# What `knock check` knows by the first loss, and what then stands in the place of a name above.
MISTAKES = {
    "one and the same batch is taken for all of the critic's steps": {"rounds": first_round_only},
    "each of the critic's steps takes the first batch's real pictures, with a noise of its own": {
        "rounds": first_pictures_only
    },
    "the penalty teaches nothing: no gradient goes back through the slope": {
        "far": lambda length: ((length - 1) ** 2, 0 * length)
    },
    "the penalty is taken on the real pictures only": {"between": lambda real, made, e: real},
    "ε weighs the made picture instead of the real one": {
        "between": lambda real, made, e: (1 - e) * real + e * made
    },
    "the slope's length is taken at each pixel, over its channels": {"AXES": (1,)},
    "the whole batch has one slope's length": {"AXES": (0, 1, 2, 3)},
}
rounds_of = rounds  # by another name: `rounds` may be replaced


class WGANGP:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator, self.critic = networks["generator"], networks["critic"]
        self.rounds, self.rows = recipe.train.rounds, recipe.train.batch_size
        self.penalty_weight = recipe.constants["penalty_weight"]
        settings = recipe.optimizers
        self.c_optimizer = framework.Adam(settings["c_optimizer"], self.critic)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def score(self, images, weight):
        """The mean score; `weight` times its slopes are added to the critic's gradients."""
        scores = self.critic(images)
        d = self.critic.backward(weight * np.ones_like(scores) / len(scores))
        return scores.mean(), d

    def penalty(self, x):
        """The mean of (‖∂C/∂x‖ − 1)², its weights' slopes added; and the mean length."""
        kept = [{name: g.copy() for name, g in m.gradients.items()} for m in self.critic.modules]
        slopes = self.critic.backward(np.ones_like(self.critic(x)))
        for module, before in zip(self.critic.modules, kept, strict=True):
            module.gradients = before  # only the slopes at x were wanted
        length = lengths(slopes)
        cost, slope = far(length)
        along = self.penalty_weight * slope / length.size * slopes / length
        framework.add_mixed_slopes(self.critic, x, along)
        return cost.mean(), length.mean()

    def train_step(self, batch):
        for images, noise, epsilon in rounds(batch, self.rounds, self.rows):
            fake = self.generator(noise)
            real, _ = self.score(images, -1.0)
            made, _ = self.score(fake, 1.0)
            penalty, length = self.penalty(between(images, fake, epsilon))
            self.c_optimizer.update()

        generator_loss, d = self.score(self.generator(batch["g_noise"]), -1.0)
        self.generator.backward(d)
        self.critic.clear()
        self.g_optimizer.update()
        return {
            "wasserstein": real - made,
            "penalty": penalty,
            "gradient_norm": length,
            "generator": -generator_loss,
        }

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)
