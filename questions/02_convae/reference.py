"""Question 02 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def reconstruction_loss(reconstruction, images):
    """Mean squared error, and its gradient."""
    difference = reconstruction - images
    return np.square(difference).mean(), 2 * difference / difference.size


class ConvAutoencoder:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.encoder = networks["encoder"]
        self.decoder = networks["decoder"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = framework.Adam(settings, self.encoder, self.decoder)

    def train_step(self, batch):
        images = batch["images"]
        loss, d = reconstruction_loss(self.reconstruct(images), images)
        self.encoder.backward(self.decoder.backward(d))
        self.optimizer.update()
        return {"loss": loss}

    def reconstruct(self, images):
        return self.decoder(self.encoder(images))
