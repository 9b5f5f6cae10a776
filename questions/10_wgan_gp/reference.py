"""Question 10 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

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


def leak(generator, slope):
    """What the critic's steps teach the generator: nothing."""


def step(model):
    """The critic's update."""
    model.c_optimizer.update()


def not_cleared(model):
    """The critic's update, after which its gradients are still there."""
    kept = [{n: g.copy() for n, g in m.gradients.items()} for m in model.critic.modules]
    step_of(model)
    for module, before in zip(model.critic.modules, kept, strict=True):
        module.gradients = before


def weighed(weight, slope):
    """What the penalty counts for the critic."""
    return weight * slope


def networks(recipe):
    return framework.networks(recipe)


class OnceRight(framework.LayerNorm):
    """Its variance takes the mean for a constant: its slope is right, the slope's slope is not."""

    def __call__(self, x):
        self.stopped = 1j * x.mean(self.axes, keepdims=True).imag if np.iscomplexobj(x) else 0.0
        return super().__call__(x)

    def backward(self, d):
        along = d * self.values["weight"][:, None, None] * self.normal
        dx = super().backward(d)
        return dx - self.stopped * self.scale**2 * along.mean(self.axes, keepdims=True)


def once_right(recipe):
    made = framework.networks(recipe)
    for module in made["critic"].modules:
        if isinstance(module, framework.LayerNorm):
            module.__class__ = OnceRight
    return made


def first_round_only(batch, count, rows):
    for _ in range(count):
        yield batch["images"][:rows], batch["noise"][:rows], batch["epsilon"][:rows]


def first_pictures_only(batch, count, rows):
    for _, noise, epsilon in rounds_of(batch, count, rows):
        yield batch["images"][:rows], noise, epsilon


# What `knock check` knows by the first step, and what then stands in the place of a name above.
MISTAKES = {
    "one and the same batch is taken for all of the critic's steps": {"rounds": first_round_only},
    "each of the critic's steps takes the first batch's real pictures, with a noise of its own": {
        "rounds": first_pictures_only
    },
    "the critic's gradients are not cleared before each of its steps": {"step": not_cleared},
    "the penalty teaches nothing: no gradient goes back through the slope": {
        "far": lambda length: ((length - 1) ** 2, 0 * length)
    },
    "the penalty is taken on the real pictures only": {"between": lambda real, made, e: real},
    "ε weighs the made picture instead of the real one": {
        "between": lambda real, made, e: (1 - e) * real + e * made
    },
    "the weight of the penalty is left out": {"weighed": lambda weight, slope: slope},
    "the generator receives gradients from the critic's step: the fake batch is not detached": {
        "leak": lambda generator, slope: generator.backward(slope)
    },
    "layer normalisation's mean lets no gradient pass in its variance (tf.nn.moments): the slope "
    "is right, its own slope is not": {"networks": once_right},
    "the slope's length is taken at each pixel, over its channels": {"AXES": (1,)},
    "the whole batch has one slope's length": {"AXES": (0, 1, 2, 3)},
}
rounds_of, step_of = rounds, step  # by other names: these may be replaced


class WGANGP:
    def __init__(self, recipe):
        made = networks(recipe)
        self.generator, self.critic = made["generator"], made["critic"]
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
        along = weighed(self.penalty_weight, slope) / length.size * slopes / length
        framework.add_mixed_slopes(self.critic, x, along)
        return cost.mean(), length.mean()

    def train_step(self, batch):
        for images, noise, epsilon in rounds(batch, self.rounds, self.rows):
            fake = self.generator(noise)
            real, _ = self.score(images, -1.0)
            made, d = self.score(fake, 1.0)
            leak(self.generator, d)
            penalty, length = self.penalty(between(images, fake, epsilon))
            step(self)

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
