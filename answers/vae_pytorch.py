"""Question 03: variational autoencoder — PyTorch.

Squeeze a picture not into a point but into a small cloud, and keep all clouds near the origin: then
any point drawn there decodes to a picture that was never seen (Kingma & Welling 2013,
"Auto-encoding variational Bayes", arXiv 1312.6114).
"""

import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, image_shape, hidden, z):
        super().__init__()
        self.fc = nn.Linear(math.prod(image_shape), hidden)
        self.code = nn.Linear(hidden, 2 * z)

    def forward(self, images):  # C×H×W
        h = F.relu(self.fc(images.flatten(1)))  # 256
        return self.code(h)  # 2·z: μ, then log σ²


class Decoder(nn.Module):
    def __init__(self, image_shape, hidden, z):
        super().__init__()
        self.image_shape = image_shape
        self.fc = nn.Linear(z, hidden)
        self.pixels = nn.Linear(hidden, math.prod(image_shape))

    def forward(self, z):  # z
        h = F.relu(self.fc(z))  # 256
        return self.pixels(h).unflatten(1, self.image_shape)  # C×H×W: logits


def reparameterize(mean, log_variance, noise):
    """A draw from N(μ, σ²) that gradients pass through: z = μ + σ·ε, σ = exp(½ log σ²)."""
    return mean + torch.exp(log_variance / 2) * noise


def reconstruction_loss(logits, images):
    """Bernoulli cross-entropy −Σ x log p + (1 − x) log(1 − p), summed over pixels, in nats."""
    target = (images + 1) / 2  # [-1, 1] → [0, 1]
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(images)


def kl_loss(mean, log_variance):
    """KL(N(μ, σ²) ‖ N(0, 1)) = −½ Σ (1 + log σ² − μ² − σ²), summed over z."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum() / len(mean)


class VariationalAutoencoder:
    def __init__(self, recipe):
        hidden, z = recipe.constants["hidden"], recipe.constants["z"]
        self.beta = recipe.constants["beta"]
        self.encoder = Encoder(recipe.image_shape, hidden, z)
        self.decoder = Decoder(recipe.image_shape, hidden, z)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = torch.optim.Adam(parameters, settings.lr, settings.betas)

    def loss_terms(self, batch):
        mean, log_variance = self.encoder(batch["images"]).chunk(2, dim=1)
        logits = self.decoder(reparameterize(mean, log_variance, batch["noise"]))
        reconstruction = reconstruction_loss(logits, batch["images"])
        kl = kl_loss(mean, log_variance)
        return {
            "loss": reconstruction + self.beta * kl,  # β = 1: the negative ELBO
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def train_step(self, batch):
        losses = self.loss_terms(batch)
        self.optimizer.zero_grad()
        losses["loss"].backward()
        self.optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    @torch.no_grad()
    def encode(self, images):
        return self.encoder(images).chunk(2, dim=1)[0]  # μ, the centre of the cloud

    @torch.no_grad()
    def generate(self, noise):
        return 2 * torch.sigmoid(self.decoder(noise)) - 1  # [0, 1] → [-1, 1]

    def reconstruct(self, images):
        return self.generate(self.encode(images))


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images, noise = run.examples["images"], run.examples["noise"]
    run.show(
        input=images,
        reconstruction=model.reconstruct(images),
        sample=model.generate(noise),
    )


if __name__ == "__main__":
    main("vae", framework, VariationalAutoencoder, train, sample)
