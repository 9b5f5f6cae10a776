"""Question 01 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def far(difference):
    """The mean squared difference, and its gradient."""
    return (difference**2).mean(), 2 * difference / difference.size


# What `knock check` knows by the first step, and what then stands in the place of a name above.
MISTAKES = {
    "the differences are taken absolute instead of squared": {
        "far": lambda d: (np.abs(d).mean(), np.sign(d) / d.size)
    },
    "the root is taken of the mean squared difference": {
        "far": lambda d: (root := np.sqrt((d**2).mean()), d / d.size / root)
    },
}


class Autoencoder:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.encoder = networks["encoder"]
        self.decoder = networks["decoder"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = framework.Adam(settings, self.encoder, self.decoder)

    def train_step(self, batch):
        images = batch["images"]
        loss, slope = far(self.reconstruct(images) - images)
        self.encoder.backward(self.decoder.backward(slope))
        self.optimizer.update()
        return {"loss": loss}

    def reconstruct(self, images):
        return self.decoder(self.encoder(images))
