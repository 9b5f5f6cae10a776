"""Question 03 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reparameterize(mean, deviation, noise):
    """A draw from N(μ, σ²): z = μ + σ·ε."""
    return mean + deviation * noise


def reconstruction_loss(logits, images):
    """Bernoulli cross-entropy, summed over pixels, and its gradient."""
    target = (images + 1) / 2  # [-1, 1] → [0, 1]
    loss = (np.logaddexp(0, logits) - target * logits).sum() / len(images)
    return loss, (sigmoid(logits) - target) / len(images)


def kl_loss(mean, log_variance, variance):
    """KL(N(μ, σ²) ‖ N(0, 1)) = −½ Σ (1 + log σ² − μ² − σ²), summed over z."""
    return -0.5 * (1 + log_variance - mean**2 - variance).sum() / len(mean)


class VariationalAutoencoder:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.encoder = networks["encoder"]
        self.decoder = networks["decoder"]
        self.beta = recipe.constants["beta"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = framework.Adam(settings, self.encoder, self.decoder)

    def train_step(self, batch):
        images, noise, count = batch["images"], batch["noise"], len(batch["images"])
        mean, log_variance = np.split(self.encoder(images), 2, axis=1)
        deviation, variance = np.exp(log_variance / 2), np.exp(log_variance)
        logits = self.decoder(reparameterize(mean, deviation, noise))
        reconstruction, d = reconstruction_loss(logits, images)
        kl = kl_loss(mean, log_variance, variance)

        dz = self.decoder.backward(d)
        d_mean = dz + self.beta * mean / count
        d_log_variance = dz * noise * deviation / 2 + self.beta * (variance - 1) / 2 / count
        self.encoder.backward(np.concatenate([d_mean, d_log_variance], axis=1))
        self.optimizer.update()
        return {
            "loss": reconstruction + self.beta * kl,  # β = 1: the negative ELBO
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def encode(self, images):
        return np.split(self.encoder(images), 2, axis=1)[0]  # μ, the middle of the cloud

    def generate(self, noise):
        return 2 * sigmoid(self.decoder(noise)) - 1  # [0, 1] → [-1, 1]

    def reconstruct(self, images):
        return self.generate(self.encode(images))
