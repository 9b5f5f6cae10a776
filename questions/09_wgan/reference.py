"""Question 09 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np

BETTER = 1.0  # what the critic wants: real pictures above made ones


def rounds(batch, count, rows):
    """Every round's own pictures and noise: `count` rounds of `rows` each."""
    for k in range(count):
        mine = slice(k * rows, (k + 1) * rows)
        yield batch["images"][mine], batch["noise"][mine]


def end(scores):
    """What stands behind the critic's last layer: nothing."""
    return scores, 1.0


def step(model):
    """The critic's update, and then the clipping."""
    model.c_optimizer.update()
    model.clip()


def kept(name):
    """Whether an array is no weight, and so not clipped."""
    return name.startswith("running_")


def boxed(model):
    """The layers that are clipped: all of the critic's."""
    return model.critic.modules


def leak(generator, slope):
    """What the critic's steps teach the generator: nothing."""


def hear(critic, made):
    """What the critic says of the made pictures when the generator learns."""
    return critic(made)


def first_round_only(batch, count, rows):
    for _ in range(count):
        yield batch["images"][:rows], batch["noise"][:rows]


def first_pictures_only(batch, count, rows):
    for _, noise in rounds_of(batch, count, rows):
        yield batch["images"][:rows], noise


def clip_first(model):
    model.clip()
    model.c_optimizer.update()


def not_cleared(model):
    """The critic's update, after which its gradients are still there."""
    kept = [{n: g.copy() for n, g in m.gradients.items()} for m in model.critic.modules]
    step_of(model)
    for module, before in zip(model.critic.modules, kept, strict=True):
        module.gradients = before


def sigmoid(scores):
    y = 1 / (1 + np.exp(-scores))
    return y, y * (1 - y)


# What `knock check` knows by the first step, and what then stands in the place of a name above.
MISTAKES = {
    "one and the same batch is taken for all of the critic's steps": {"rounds": first_round_only},
    "each of the critic's steps takes the first batch's real pictures, with a noise of its own": {
        "rounds": first_pictures_only
    },
    "the critic takes one step instead of five": {
        "rounds": lambda batch, count, rows: list(rounds_of(batch, count, rows))[:1]
    },
    "the weights are clipped before the update instead of after it": {"step": clip_first},
    "the critic's gradients are not cleared before each of its steps": {"step": not_cleared},
    "the weights are not clipped": {"step": lambda model: model.c_optimizer.update()},
    "γ and β of the batch normalisation are not clipped": {
        "boxed": lambda model: [
            m for m in model.critic.modules if not isinstance(m, framework.BatchNorm)
        ]
    },
    "the generator's weights are clipped, too": {
        "boxed": lambda model: [*model.critic.modules, *model.generator.modules]
    },
    "a sigmoid is left at the critic's end": {"end": sigmoid},
    "the critic is trained to lower what it shall raise": {"BETTER": -1.0},
    "running averages are clipped, too: they are no weights": {"kept": lambda name: False},
    "the generator receives gradients from the critic's step: the fake batch is not detached": {
        "leak": lambda generator, slope: generator.backward(slope)
    },
    "the critic is in evaluation mode during the generator's step": {"hear": framework.evaluate},
}
rounds_of, step_of = rounds, step  # by other names: these may be replaced


class WGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator, self.critic = networks["generator"], networks["critic"]
        self.rounds, self.rows = recipe.train.rounds, recipe.train.batch_size
        self.limit = recipe.constants["clip"]
        settings = recipe.optimizers
        self.c_optimizer = framework.RMSprop(settings["c_optimizer"], self.critic)
        self.g_optimizer = framework.RMSprop(settings["g_optimizer"], self.generator)

    def score(self, scores, weight):
        """The mean score; `weight` times its slopes are added to the critic's gradients."""
        scores, slope = end(scores)
        d = self.critic.backward(weight * slope * np.ones_like(scores) / len(scores))
        return scores.mean(), d

    def clip(self):
        """No weight further from 0 than the limit; running statistics are no weights."""
        for module in boxed(self):
            for name, value in module.values.items():
                if not kept(name):
                    np.clip(value, -self.limit, self.limit, out=value)

    def train_step(self, batch):
        for images, noise in rounds(batch, self.rounds, self.rows):
            real, _ = self.score(self.critic(images), -BETTER)
            made, d = self.score(self.critic(self.generator(noise)), BETTER)
            leak(self.generator, d)
            step(self)

        generator_loss, d = self.score(hear(self.critic, self.generator(batch["g_noise"])), -1.0)
        self.generator.backward(d)
        self.critic.clear()
        self.g_optimizer.update()
        return {"wasserstein": real - made, "generator": -generator_loss}

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)
