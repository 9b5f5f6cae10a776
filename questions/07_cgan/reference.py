"""Question 07 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def ask(noise, classes):
    """The generator's input: z, then the one-hot class, N×(z + classes)."""
    return np.concatenate([noise, classes], axis=1)


def tell(images, classes):
    """The discriminator's: the picture, then a plane of ones or zeros for each class."""
    planes = np.broadcast_to(classes[:, :, None, None], (*classes.shape, *images.shape[2:]))
    return np.concatenate([images, planes], axis=1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit), and its gradient."""
    return (np.logaddexp(0, logits) - logits).mean(), (sigmoid(logits) - 1) / logits.size


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit)), and its gradient."""
    return np.logaddexp(0, logits).mean(), sigmoid(logits) / logits.size


class ConditionalGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        self.classes = recipe.constants["classes"]
        settings = recipe.optimizers
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class."""
        return np.eye(self.classes)[labels]

    def train_step(self, batch):
        channels, classes = batch["images"].shape[1], self.one_hot(batch["labels"])
        real = tell(batch["images"], classes)
        fake = tell(self.generator(ask(batch["noise"], classes)), classes)

        # The discriminator's step: real is real, fake is fake. The generator learns nothing here.
        real_loss, d = called_real(self.discriminator(real))
        self.discriminator.backward(d)
        fake_loss, d = called_fake(self.discriminator(fake))
        self.discriminator.backward(d)
        self.d_optimizer.update()

        # The generator's: the same pictures, to be called real by the discriminator's new weights.
        generator_loss, d = called_real(self.discriminator(fake))
        self.generator.backward(self.discriminator.backward(d)[:, :channels])
        self.discriminator.clear()
        self.g_optimizer.update()
        return {"discriminator": real_loss + fake_loss, "generator": generator_loss}

    def generate(self, noise, labels):
        return framework.evaluate(self.generator, ask(noise, self.one_hot(labels)))
