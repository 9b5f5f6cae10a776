"""Question 06 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np

REAL, FAKE = 1.0, 0.0


def aim():
    """What the generator wants its pictures to be called."""
    return REAL


def make(generator, noise):
    return generator(noise)


def seen(fake):
    """The made pictures as the discriminator gets them."""
    return fake


def learn(optimizer):
    """The discriminator's update, before the generator's loss is taken."""
    optimizer.update()


def leak(generator, slope):
    """What the discriminator's step teaches the generator: nothing."""


def hear(discriminator, fake):
    """What the discriminator says of the made pictures when the generator learns."""
    return discriminator(fake)


def entropy(logits, label):
    """Mean of −label · log σ(logit) − (1 − label) · log(1 − σ(logit)), and its gradient."""
    loss = (np.logaddexp(0, logits) - label * logits).mean()
    return loss, (1 / (1 + np.exp(-logits)) - label) / logits.size


# What `knock check` knows by the first step, and what then stands in the place of a name above.
MISTAKES = {
    "real and fake are swapped": {"REAL": 0.0, "FAKE": 1.0, "aim": lambda: 1.0},
    "all labels are 0": {"REAL": 0.0},
    "all labels are 1": {"FAKE": 1.0},
    "the generator is trained to be called fake": {"aim": lambda: FAKE},
    "the discriminator is not updated before the generator's loss is taken": {
        "learn": lambda optimizer: None
    },
    "the generator receives gradients from the discriminator's step: the fake batch is not "
    "detached": {"leak": lambda generator, slope: generator.backward(slope)},
    "the discriminator is in evaluation mode during the generator's step": {
        "hear": framework.evaluate
    },
    "the fake batch is made in evaluation mode": {"make": framework.evaluate},
    "the made pictures are brought to [0, 1]; the real ones are in [-1, 1]": {
        "seen": lambda fake: (fake + 1) / 2
    },
}


class DCGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        settings = recipe.optimizers
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def train_step(self, batch):
        fake = seen(make(self.generator, batch["noise"]))
        real_loss, d = entropy(self.discriminator(batch["images"]), REAL)
        self.discriminator.backward(d)
        fake_loss, d = entropy(self.discriminator(fake), FAKE)
        leak(self.generator, self.discriminator.backward(d))
        learn(self.d_optimizer)

        generator_loss, d = entropy(hear(self.discriminator, fake), aim())
        self.generator.backward(self.discriminator.backward(d))
        self.discriminator.clear()
        self.g_optimizer.update()
        return {"discriminator": real_loss + fake_loss, "generator": generator_loss}

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)

    def interpolate(self, noise):
        share = np.linspace(0, 1, 10)[:, None]
        return self.generate((1 - share) * noise[0] + share * noise[1])
