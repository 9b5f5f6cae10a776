"""Question 08 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

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


def l1_loss(made, wanted):
    """The mean absolute difference, and its gradient."""
    difference = made - wanted
    return np.abs(difference).mean(), np.sign(difference) / difference.size


class Pix2pix:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        self.l1_weight = recipe.constants["l1_weight"]
        settings = recipe.optimizers
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def train_step(self, batch):
        images, targets, channels = batch["images"], batch["targets"], batch["images"].shape[1]
        fake = self.generator(images, batch["mask1"], batch["mask2"], batch["mask3"])
        real_pair = np.concatenate([images, targets], axis=1)
        fake_pair = np.concatenate([images, fake], axis=1)

        # The discriminator's step, at half speed. The generator learns nothing here.
        real_loss, d = called_real(self.discriminator(real_pair))
        self.discriminator.backward(d / 2)
        fake_loss, d = called_fake(self.discriminator(fake_pair))
        self.discriminator.backward(d / 2)
        self.d_optimizer.update()

        # The generator's: to be called real beside its input, and to be near what is wanted.
        generator_loss, d = called_real(self.discriminator(fake_pair))
        l1, slope = l1_loss(fake, targets)
        d = self.discriminator.backward(d)[:, channels:] + self.l1_weight * slope
        self.generator.backward(d)
        self.discriminator.clear()
        self.g_optimizer.update()
        discriminator_loss = (real_loss + fake_loss) / 2
        return {"discriminator": discriminator_loss, "generator": generator_loss, "l1": l1}

    def generate(self, images, *masks):
        return self.generator(images, *masks)  # as in training, dropout included
