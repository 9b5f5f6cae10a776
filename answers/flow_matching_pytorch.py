"""Question 18: flow matching — PyTorch.

Lead noise to pictures on straight lines: mix both evenly, and let a network say which way it is
from the one to the other (Lipman et al. 2022, "Flow matching for generative modeling", arXiv
2210.02747; Liu et al. 2022, "Flow straight and fast", arXiv 2209.03003). Ask for a class, and go a
bit further than it leads (Ho & Salimans 2022, "Classifier-free diffusion guidance", 2207.12598).
"""

import copy
import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


def sinusoids(t, size):
    """N numbers as N×size: sin(t fₖ), then cos(t fₖ), fₖ = 10000^(−k/K) for k = 0 … K − 1."""
    k = torch.arange(size // 2, dtype=torch.get_default_dtype())
    angles = t[:, None] * torch.exp(-math.log(10000) / (size // 2) * k)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class UNet(nn.Module):
    def __init__(self, channels, classes, maps, groups, time):
        super().__init__()
        self.size = time
        self.time1, self.time2 = nn.Linear(time, time), nn.Linear(time, time)
        self.asked = nn.Linear(classes, time, bias=False)
        self.first = nn.Conv2d(channels, maps, kernel_size=3, padding=1)
        half = {"kernel_size": 3, "stride": 2, "padding": 1}  # halves the sides
        self.down1 = Block(maps, maps, groups, time)
        self.half1 = nn.Conv2d(maps, maps, **half)
        self.down2 = Block(maps, 2 * maps, groups, time)
        self.half2 = nn.Conv2d(2 * maps, 2 * maps, **half)
        self.middle1 = Block(2 * maps, 4 * maps, groups, time)
        self.middle2 = Block(4 * maps, 4 * maps, groups, time)
        self.up2 = Block(6 * maps, 2 * maps, groups, time)
        self.up1 = Block(3 * maps, maps, groups, time)
        self.norm = nn.GroupNorm(groups, maps)
        self.last = nn.Conv2d(maps, channels, kernel_size=3, padding=1)

    def forward(self, x, t, row):  # C×H×W, a number, classes
        time = F.silu(self.time1(sinusoids(t, self.size)))
        time = F.silu(self.time2(time) + self.asked(row))  # 128
        skip1 = self.down1(self.first(x), time)  # 32×H×W
        skip2 = self.down2(self.half1(skip1), time)  # 64×H/2×W/2
        h = self.middle1(self.half2(skip2), time)  # 128×H/4×W/4
        h = self.middle2(h, time)  # 128×H/4×W/4
        h = self.up2(torch.cat([doubled(h), skip2], dim=1), time)  # 64×H/2×W/2
        h = self.up1(torch.cat([doubled(h), skip1], dim=1), time)  # 32×H×W
        return self.last(F.silu(self.norm(h)))  # C×H×W: the way from noise to pictures


class Block(nn.Module):
    def __init__(self, inputs, maps, groups, time):
        super().__init__()
        self.short = nn.Identity() if inputs == maps else nn.Conv2d(inputs, maps, kernel_size=1)
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, maps, kernel_size=3, padding=1)
        self.time = nn.Linear(time, maps)
        self.norm2 = nn.GroupNorm(groups, maps)
        self.conv2 = nn.Conv2d(maps, maps, kernel_size=3, padding=1)

    def forward(self, x, time):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time(time)[:, :, None, None]  # a number for each map, at every place
        return self.conv2(F.silu(self.norm2(h))) + self.short(x)


def doubled(maps):
    """Each pixel four times: twice the height, twice the width."""
    return F.interpolate(maps, scale_factor=2, mode="nearest")


def between(epsilon, images, t):
    """x_t = (1 − t) ε + t x: noise at t = 0, a picture at t = 1, and a straight line between."""
    return (1 - t) * epsilon + t * images


def wanted(epsilon, images):
    """The direction of that line, which is the same all along: dx_t/dt = x − ε."""
    return images - epsilon


def velocity_loss(guess, direction):
    """The mean of (v − v̂)²."""
    return (guess - direction).square().mean()


@torch.no_grad()
def follow(mean, network, decay, step):
    """θ̄ ← d θ̄ + (1 − d) θ, with a smaller d in the first steps: (1 + step) / (10 + step)."""
    new = 1 - torch.clamp((1 + step) / (10 + step), max=decay)
    for middle, weight in zip(mean.parameters(), network.parameters(), strict=True):
        middle += new * (weight - middle)


def guided(told, untold, guidance):
    """(1 + w) v(x, class) − w v(x): further away from what any class would do (equation 6)."""
    return (1 + guidance) * told - guidance * untold


class FlowMatching(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        channels, c = recipe.image_shape[0], recipe.constants
        self.classes = c["classes"]
        self.unet = UNet(channels, self.classes, c["maps"], c["groups"], c["time"])
        self.unet_mean = copy.deepcopy(self.unet).requires_grad_(False)
        self.drop, self.guidance, self.decay = c["drop"], c["guidance"], c["decay"]
        self.solver, self.sample_steps = c["solver"], c["sample_steps"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = torch.optim.Adam(self.unet.parameters(), settings.lr, settings.betas)

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class."""
        return F.one_hot(labels, self.classes).to(self.unet.asked.weight.dtype)

    def train_step(self, batch):
        images, epsilon, t = batch["images"], batch["epsilon"], batch["t"]
        told = batch["chance"] >= self.drop
        row = told[:, None] * self.one_hot(batch["labels"])  # zeros: any class
        x, direction = between(epsilon, images, t[:, None, None, None]), wanted(epsilon, images)
        loss = velocity_loss(self.unet(x, 1000 * t, row), direction)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        follow(self.unet_mean, self.unet, self.decay, batch["step"])
        return {"loss": loss}

    def velocity(self, x, t, row):
        """Which way the mean of the weights goes on from x at time t, guided to the class."""
        times = torch.full([len(x)], 1000 * t, dtype=x.dtype)
        told = self.unet_mean(x, times, row)
        if self.guidance == 0:
            return told
        untold = self.unet_mean(x, times, torch.zeros_like(row))
        return guided(told, untold, self.guidance)

    def stride(self, x, t, step, row):
        """x_t as x_{t + step}: along the direction here, or along that of half the way."""
        if self.solver == "euler":
            return x + step * self.velocity(x, t, row)
        middle = x + step / 2 * self.velocity(x, t, row)
        return x + step * self.velocity(middle, t + step / 2, row)

    @torch.no_grad()
    def generate(self, noise, labels):
        x, row, steps = noise, self.one_hot(labels), self.sample_steps
        for i in range(steps):
            x = self.stride(x, i / steps, 1 / steps, row)
        return x


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    noise = run.examples["noise"]
    run.show(**{name: model.generate(noise, labels) for name, labels in run.classes()})


if __name__ == "__main__":
    main("flow_matching", framework, FlowMatching, train, sample)
