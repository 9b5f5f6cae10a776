"""Question 02: convolutional autoencoder — PyTorch.

The same squeeze with layers that look at neighbourhoods: the code is a small map with 16 channels
instead of a row of numbers, and a few weights serve any picture size (Masci et al. 2011, "Stacked
convolutional auto-encoders for hierarchical feature extraction").
"""

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 16, kernel_size=3, padding=1)

    def forward(self, images):  # C×H×W
        h = F.relu(self.conv1(images))  # 32×H×W
        h = F.max_pool2d(h, 2)  # 32×H/2×W/2
        h = F.relu(self.conv2(h))  # 16×H/2×W/2
        return F.max_pool2d(h, 2)  # 16×H/4×W/4


class Decoder(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.tconv1 = nn.ConvTranspose2d(16, 32, kernel_size=2, stride=2)
        self.tconv2 = nn.ConvTranspose2d(32, channels, kernel_size=2, stride=2)

    def forward(self, code):  # 16×H/4×W/4
        h = F.relu(self.tconv1(code))  # 32×H/2×W/2
        return self.tconv2(h)  # C×H×W, no activation: [-1, 1] is to be learned


def reconstruction_loss(reconstruction, images):
    """Mean squared error: (1 / N·C·H·W) Σ (x̂ − x)²."""
    return (reconstruction - images).square().mean()


class ConvAutoencoder:
    def __init__(self, recipe):
        channels = recipe.image_shape[0]
        self.encoder = Encoder(channels)
        self.decoder = Decoder(channels)
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
    main("convae", framework, ConvAutoencoder, train, sample)
