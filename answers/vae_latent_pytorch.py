"""Question 04: looking into the latent space — PyTorch.

Open a trained VAE, from any framework, and walk through the plane of its codes: where does it put
each digit, and what does it draw in between (Kingma & Welling 2013, figure 4)?
"""

import math

from knock.frameworks import pytorch as framework
from knock.look import main

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


class LatentSpace:
    def __init__(self, recipe):
        hidden, self.z = recipe.constants["hidden"], recipe.constants["z"]
        self.encoder = Encoder(recipe.image_shape, hidden, self.z)
        self.decoder = Decoder(recipe.image_shape, hidden, self.z)

    @torch.no_grad()
    def show(self, images):
        """The centre μ of each picture's cloud: N×z."""
        return self.encoder(images).chunk(2, dim=1)[0]

    def change(self):
        """What lies along the line from (−2, −2) to (2, 2), both ends included: 10 pictures."""
        steps = torch.linspace(-2, 2, 10)
        return self.decode(steps, steps)

    def change2(self):
        """What lies on a 30×30 grid over [−4, 4]², row by row from the top: 900 pictures."""
        steps = torch.linspace(-4, 4, 30)
        across, up = torch.meshgrid(steps, steps.flip(0), indexing="xy")
        return self.decode(across.flatten(), up.flatten())

    @torch.no_grad()
    def decode(self, first, second):
        codes = torch.zeros(len(first), max(self.z, 2))  # the numbers after the second stay 0
        codes[:, 0], codes[:, 1] = first, second
        return 2 * torch.sigmoid(self.decoder(codes[:, : self.z])) - 1  # [0, 1] → [-1, 1]


def look(run, model):
    run.scatter("show", model.show(run.images))
    run.grid("change", model.change(), columns=10)
    run.grid("change2", model.change2(), columns=30)


if __name__ == "__main__":
    main("vae_latent", framework, LatentSpace, look)
