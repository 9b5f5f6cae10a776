"""Question 03 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def unit(images):
    """[-1, 1] → [0, 1]."""
    return (images + 1) / 2


def spread(log_variance):
    """σ and σ²."""
    return np.exp(log_variance / 2), np.exp(log_variance)


def draw(mean, deviation, noise):
    return mean + deviation * noise


def through(slope):
    """What of z's slope goes on to μ and σ: all, since z is a sum."""
    return slope


def middle(code):
    """μ, the first half of what the encoder says."""
    return np.split(code, 2, axis=1)[0]


def kl_loss(mean, log_variance, variance):
    return -0.5 * (1 + log_variance - mean**2 - variance).sum() / len(mean)


def total(reconstruction, kl, beta):
    return reconstruction + beta * kl


# What `knock check` knows by an output or the first step, and what then stands for a name above.
MISTAKES = {
    "the code's second half is read as σ; it is log σ²": {"spread": lambda code: (code, code**2)},
    "the code's second half is read as σ²; it is log σ²": {
        "spread": lambda code: (np.sqrt(code), code)
    },
    "the code's second half is read as log σ; it is log σ²": {
        "spread": lambda code: (np.exp(code), np.exp(2 * code))
    },
    "μ is left out of z = μ + σ·ε": {"draw": lambda mean, deviation, noise: deviation * noise},
    "the KL term is subtracted": {
        "total": lambda reconstruction, kl, beta: reconstruction - beta * kl
    },
    "β is left out": {"total": lambda reconstruction, kl, beta: reconstruction + kl},
    "the KL term is averaged over z instead of summed": {
        "kl_loss": lambda mean, log_variance, variance: (
            -0.5 * (1 + log_variance - mean**2 - variance).mean()
        )
    },
    "no gradient goes back through the draw: z is sampled, not reparameterised": {
        "through": np.zeros_like
    },
    "log σ² is taken for μ: the code's halves are swapped": {
        "middle": lambda code: np.split(code, 2, axis=1)[1]
    },
    "the cross-entropy's target is left in [-1, 1]": {"unit": lambda images: images},
}


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
        target = unit(images)
        mean, log_variance = np.split(self.encoder(images), 2, axis=1)
        deviation, variance = spread(log_variance)
        logits = self.decoder(draw(mean, deviation, noise))
        reconstruction = (np.logaddexp(0, logits) - target * logits).sum() / count
        kl = kl_loss(mean, log_variance, variance)

        dz = through(self.decoder.backward((sigmoid(logits) - target) / count))
        d_mean = dz + self.beta * mean / count
        d_log_variance = dz * noise * deviation / 2 + self.beta * (variance - 1) / 2 / count
        self.encoder.backward(np.concatenate([d_mean, d_log_variance], axis=1))
        self.optimizer.update()
        return {
            "loss": total(reconstruction, kl, self.beta),
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def encode(self, images):
        return middle(self.encoder(images))

    def generate(self, noise):
        return 2 * sigmoid(self.decoder(noise)) - 1

    def reconstruct(self, images):
        return self.generate(self.encode(images))
