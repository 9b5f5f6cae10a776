"""Question 05: generative adversarial network — PyTorch.

Two networks play: one makes pictures from noise, the other separates them from real ones. Each is
the other's loss, and no pixel is ever compared (Goodfellow et al. 2014, "Generative adversarial
nets", arXiv 1406.2661).
"""

import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


class Generator(nn.Module):
    def __init__(self, image_shape, z):
        super().__init__()
        self.image_shape = image_shape
        self.fc1 = nn.Linear(z, 128)
        self.fc2 = nn.Linear(128, 256)
        self.fc3 = nn.Linear(256, 512)
        self.pixels = nn.Linear(512, math.prod(image_shape))

    def forward(self, noise):  # z
        h = F.leaky_relu(self.fc1(noise), 0.2)  # 128
        h = F.leaky_relu(self.fc2(h), 0.2)  # 256
        h = F.leaky_relu(self.fc3(h), 0.2)  # 512
        flat = torch.sigmoid(self.pixels(h))  # C·H·W in [0, 1]
        return flat.unflatten(1, self.image_shape)  # C×H×W


class Discriminator(nn.Module):
    def __init__(self, image_shape):
        super().__init__()
        self.fc1 = nn.Linear(math.prod(image_shape), 512)
        self.fc2 = nn.Linear(512, 256)
        self.real = nn.Linear(256, 1)

    def forward(self, images):  # C×H×W in [-1, 1]
        h = F.leaky_relu(self.fc1(images.flatten(1)), 0.2)  # 512
        h = F.leaky_relu(self.fc2(h), 0.2)  # 256
        return self.real(h)  # 1: a logit, above 0 where it says "real"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


class GAN(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        self.generator = Generator(recipe.image_shape, recipe.constants["z"])
        self.discriminator = Discriminator(recipe.image_shape)
        d, g = (
            recipe.optimizers["d_optimizer"],
            recipe.optimizers["g_optimizer"],
        )
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), d.lr, d.betas)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), g.lr, g.betas)

    def train_step(self, batch):
        real = batch["images"]
        fake = 2 * self.generator(batch["noise"]) - 1  # [0, 1] → [-1, 1]

        # The discriminator's step: real is real, fake is fake; the generator does not learn here.
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake.detach())
        discriminator_loss = called_real(real_logits) + called_fake(fake_logits)
        self.d_optimizer.zero_grad()
        discriminator_loss.backward()
        self.d_optimizer.step()

        # The generator's: the same pictures, to be called real by the discriminator's new weights.
        generator_loss = called_real(self.discriminator(fake))
        self.g_optimizer.zero_grad()
        generator_loss.backward(inputs=list(self.generator.parameters()))
        self.g_optimizer.step()
        return {"discriminator": discriminator_loss, "generator": generator_loss}

    @torch.no_grad()
    def generate(self, noise):
        return 2 * self.generator(noise) - 1  # [0, 1] → [-1, 1]


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"]))


if __name__ == "__main__":
    main("gan", framework, GAN, train, sample)
