"""Question 10: WGAN with gradient penalty — PyTorch.

A penalty pulls the critic's slope to 1, where question 09 clips weights (Gulrajani et al. 2017,
"Improved training of Wasserstein GANs", arXiv 1704.00028): a gradient of a gradient.
"""

import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


class Generator(nn.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (2 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.fc = nn.Linear(z, math.prod(self.small), bias=False)
        self.bn0 = nn.BatchNorm1d(math.prod(self.small))
        up = {"kernel_size": 5, "stride": 2, "padding": 2, "output_padding": 1}  # doubles the sides
        if self.large:
            self.tconv1 = nn.ConvTranspose2d(2 * width, 4 * width, **up, bias=False)
            self.bn1 = nn.BatchNorm2d(4 * width)
        self.tconv2 = nn.ConvTranspose2d(4 * width, 2 * width, **up, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.tconv3 = nn.ConvTranspose2d(2 * width, width, **up, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.pixels = nn.ConvTranspose2d(width, channels, **up)

    def forward(self, noise):  # z
        h = F.relu(self.bn0(self.fc(noise)))  # 512·H/8·W/8; large: 256·H/16·W/16
        h = h.unflatten(1, self.small)  # 512×H/8×W/8; large: 256×H/16×W/16
        if self.large:
            h = F.relu(self.bn1(self.tconv1(h)))  # 512×H/8×W/8, if large
        h = F.relu(self.bn2(self.tconv2(h)))  # 256×H/4×W/4
        h = F.relu(self.bn3(self.tconv3(h)))  # 128×H/2×W/2
        return torch.tanh(self.pixels(h))  # C×H×W in [-1, 1]


class Critic(nn.Module):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = nn.Conv2d(channels, width, **down)
        self.conv2 = nn.Conv2d(width, 2 * width, **down)
        self.ln2 = nn.GroupNorm(1, 2 * width)  # one group: each picture by itself, over C, H and W
        self.conv3 = nn.Conv2d(2 * width, 4 * width, **down)
        self.ln3 = nn.GroupNorm(1, 4 * width)
        if self.large:
            self.conv4 = nn.Conv2d(4 * width, 8 * width, **down)
            self.ln4 = nn.GroupNorm(1, 8 * width)
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.score = nn.Linear(math.prod(small), 1)

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.2)  # 32×H/2×W/2
        h = F.leaky_relu(self.ln2(self.conv2(h)), 0.2)  # 64×H/4×W/4
        h = F.leaky_relu(self.ln3(self.conv3(h)), 0.2)  # 128×H/8×W/8
        if self.large:
            h = F.leaky_relu(self.ln4(self.conv4(h)), 0.2)  # 256×H/16×W/16, if large
        return self.score(h.flatten(1))  # 1: a score, without a sigmoid


class WGANGP(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["z"], constants["g_width"])
        self.critic = Critic(shape, constants["c_width"])
        self.batch_size, self.weight = recipe.train.batch_size, constants["penalty_weight"]
        c, g = recipe.optimizers["c_optimizer"], recipe.optimizers["g_optimizer"]
        self.c_optimizer = torch.optim.Adam(self.critic.parameters(), c.lr, c.betas)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), g.lr, g.betas)

    def slope(self, images):
        """How steep the critic is at each picture: ‖∂C/∂x‖ over all its numbers, N."""
        images.requires_grad_()
        scores = self.critic(images).sum()  # a picture's score depends on that picture alone
        (gradients,) = torch.autograd.grad(scores, images, create_graph=True)
        return (gradients.square().sum(dim=(1, 2, 3)) + 1e-12).sqrt()

    def train_step(self, batch):
        # The critic's steps, each with its own batch: real pictures score up, fake ones down.
        rounds = (batch[name].split(self.batch_size) for name in ("images", "noise", "epsilon"))
        for images, noise, epsilon in zip(*rounds, strict=True):
            with torch.no_grad():  # the generator does not learn here
                fake = self.generator(noise)
            wasserstein = self.critic(images).mean() - self.critic(fake).mean()
            length = self.slope(epsilon * images + (1 - epsilon) * fake)
            penalty = (length - 1).square().mean()
            self.c_optimizer.zero_grad()
            (self.weight * penalty - wasserstein).backward()
            self.c_optimizer.step()

        # The generator's step: its pictures should score higher.
        generator_loss = -self.critic(self.generator(batch["g_noise"])).mean()
        self.g_optimizer.zero_grad()
        generator_loss.backward(inputs=list(self.generator.parameters()))
        self.g_optimizer.step()
        return {
            "wasserstein": wasserstein,
            "penalty": penalty,
            "gradient_norm": length.mean(),
            "generator": generator_loss,
        }

    @torch.no_grad()
    def generate(self, noise):
        self.generator.eval()  # batch normalisation in evaluation mode
        images = self.generator(noise)
        self.generator.train()
        return images


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"]))


if __name__ == "__main__":
    main("wgan_gp", framework, WGANGP, train, sample)
