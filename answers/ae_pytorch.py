"""Question 01: autoencoder — PyTorch.

Squeeze a picture through 64 numbers, and rebuild it from them. The narrow layer keeps what the
pictures have in common (Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with
neural networks").
"""

import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, image_shape, code):
        super().__init__()
        self.fc = nn.Linear(math.prod(image_shape), code)

    def forward(self, images):  # C×H×W
        flat = images.flatten(1)  # C·H·W
        return self.fc(flat)  # 64


class Decoder(nn.Module):
    def __init__(self, image_shape, code):
        super().__init__()
        self.image_shape = image_shape
        self.fc = nn.Linear(code, math.prod(image_shape))

    def forward(self, code):  # 64
        flat = self.fc(code)  # C·H·W
        return flat.unflatten(1, self.image_shape)  # C×H×W, no activation: [-1, 1] is to be learned


def reconstruction_loss(reconstruction, images):
    """Mean squared error: (1 / N·C·H·W) Σ (x̂ − x)²."""
    return (reconstruction - images).square().mean()


class Autoencoder:
    def __init__(self, recipe):
        code = recipe.constants["code"]
        self.encoder = Encoder(recipe.image_shape, code)
        self.decoder = Decoder(recipe.image_shape, code)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = torch.optim.Adam(parameters, settings.lr, settings.betas)

    def train_step(self, batch):
        images = batch["images"]
        reconstruction = self.decoder(self.encoder(images))
        loss = reconstruction_loss(reconstruction, images)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}

    @torch.no_grad()
    def reconstruct(self, images):
        return self.decoder(self.encoder(images))


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images = run.examples["images"]
    run.show(input=images, reconstruction=model.reconstruct(images))


if __name__ == "__main__":
    main("ae", framework, Autoencoder, train, sample)
