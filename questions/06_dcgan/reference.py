"""Question 06 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit), and its gradient."""
    return (np.logaddexp(0, logits) - logits).mean(), (sigmoid(logits) - 1) / logits.size


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit)), and its gradient."""
    return np.logaddexp(0, logits).mean(), sigmoid(logits) / logits.size


class DCGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        settings = recipe.optimizers
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def train_step(self, batch):
        fake = self.generator(batch["noise"])

        # The discriminator's step: real is real, fake is fake. The generator learns nothing here.
        real_loss, d = called_real(self.discriminator(batch["images"]))
        self.discriminator.backward(d)
        fake_loss, d = called_fake(self.discriminator(fake))
        self.discriminator.backward(d)
        self.d_optimizer.update()

        # The generator's: the same pictures, to be called real by the discriminator's new weights.
        generator_loss, d = called_real(self.discriminator(fake))
        self.generator.backward(self.discriminator.backward(d))
        self.discriminator.clear()
        self.g_optimizer.update()
        return {"discriminator": real_loss + fake_loss, "generator": generator_loss}

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)

    def interpolate(self, noise):
        """Ten pictures on the straight line from the first noise to the second."""
        share = np.linspace(0, 1, 10)[:, None]
        return self.generate((1 - share) * noise[0] + share * noise[1])
