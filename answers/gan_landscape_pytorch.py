"""Question 14: the GAN landscape — PyTorch.

Three losses, four ways to normalise the discriminator, a penalty and two architectures: one thing
changes at a time (Kurach et al. 2018, "A large-scale study on regularization and normalization in
GANs", arXiv 1807.04720). New here is spectral normalisation (Miyato et al. 2018, "Spectral
normalization for generative adversarial networks", arXiv 1802.05957).
"""

import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


def power(matrix, u):
    """One round of the power iteration (Miyato et al. 2018, algorithm 1): the next u, and v."""
    v = F.normalize(matrix.T @ u, dim=0, eps=1e-12)
    return F.normalize(matrix @ v, dim=0, eps=1e-12), v


def spectral(weight, u):
    """W / σ. As a matrix with a row for each output, W stretches no vector by more than σ."""
    matrix = weight.flatten(1)
    with torch.no_grad():  # u and v are constants in the gradient, σ is not
        u, v = power(matrix, u)
    return weight / (u @ matrix @ v)


class SpectralConv(nn.Conv2d):
    def __init__(self, inputs, outputs, **window):
        super().__init__(inputs, outputs, **window)
        self.register_buffer("u", torch.zeros(outputs))  # in every checkpoint

    def forward(self, x):
        return F.conv2d(x, spectral(self.weight, self.u), self.bias, self.stride, self.padding)


class SpectralLinear(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.register_buffer("u", torch.zeros(outputs))

    def forward(self, x):
        return F.linear(x, spectral(self.weight, self.u), self.bias)


@torch.no_grad()
def turn(network):
    """Keep the next u of every spectral layer: once in a step, before its weights change."""
    for layer in network.modules():
        if isinstance(layer, (SpectralConv, SpectralLinear)):
            layer.u.copy_(power(layer.weight.flatten(1), layer.u)[0])


class Generator(nn.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.small = (8 * width, h // 8, w // 8)
        self.fc = nn.Linear(z, math.prod(self.small), bias=False)
        self.bn0 = nn.BatchNorm1d(math.prod(self.small))
        up = {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False}  # doubles the sides
        self.tconv1 = nn.ConvTranspose2d(8 * width, 4 * width, **up)
        self.bn1 = nn.BatchNorm2d(4 * width)
        self.tconv2 = nn.ConvTranspose2d(4 * width, 2 * width, **up)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.tconv3 = nn.ConvTranspose2d(2 * width, width, **up)
        self.bn3 = nn.BatchNorm2d(width)
        self.pixels = nn.ConvTranspose2d(width, channels, kernel_size=3, padding=1)

    def forward(self, noise):  # z
        h = F.relu(self.bn0(self.fc(noise)))  # 512·H/8·W/8
        h = h.unflatten(1, self.small)  # 512×H/8×W/8
        h = F.relu(self.bn1(self.tconv1(h)))  # 256×H/4×W/4
        h = F.relu(self.bn2(self.tconv2(h)))  # 128×H/2×W/2
        h = F.relu(self.bn3(self.tconv3(h)))  # 64×H×W
        return torch.tanh(self.pixels(h))  # C×H×W in [-1, 1]


class Discriminator(nn.Module):
    def __init__(self, image_shape, width, norm):
        super().__init__()
        channels, h, w = image_shape
        conv, linear = layers_of(norm)
        same = {"kernel_size": 3, "padding": 1}
        down = {"kernel_size": 4, "stride": 2, "padding": 1}  # halves the sides
        self.conv1 = conv(channels, width, **same)
        self.conv2 = conv(width, 2 * width, **down)
        self.norm2 = norm_of(norm, 2 * width)
        self.conv3 = conv(2 * width, 2 * width, **same)
        self.norm3 = norm_of(norm, 2 * width)
        self.conv4 = conv(2 * width, 4 * width, **down)
        self.norm4 = norm_of(norm, 4 * width)
        self.conv5 = conv(4 * width, 4 * width, **same)
        self.norm5 = norm_of(norm, 4 * width)
        self.conv6 = conv(4 * width, 8 * width, **down)
        self.norm6 = norm_of(norm, 8 * width)
        self.conv7 = conv(8 * width, 8 * width, **same)
        self.norm7 = norm_of(norm, 8 * width)
        self.score = linear(8 * width * (h // 8) * (w // 8), 1)

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.1)  # 64×H×W
        h = F.leaky_relu(self.norm2(self.conv2(h)), 0.1)  # 128×H/2×W/2
        h = F.leaky_relu(self.norm3(self.conv3(h)), 0.1)  # 128×H/2×W/2
        h = F.leaky_relu(self.norm4(self.conv4(h)), 0.1)  # 256×H/4×W/4
        h = F.leaky_relu(self.norm5(self.conv5(h)), 0.1)  # 256×H/4×W/4
        h = F.leaky_relu(self.norm6(self.conv6(h)), 0.1)  # 512×H/8×W/8
        h = F.leaky_relu(self.norm7(self.conv7(h)), 0.1)  # 512×H/8×W/8
        return self.score(h.flatten(1))  # 1: a score, without a sigmoid


def layers_of(norm):
    """The discriminator's kinds of convolution and linear layer."""
    return (SpectralConv, SpectralLinear) if norm == "spectral" else (nn.Conv2d, nn.Linear)


def norm_of(norm, channels):
    """What the discriminator has before its activations."""
    if norm == "batch":
        return nn.BatchNorm2d(channels, track_running_stats=False)
    if norm == "layer":
        return nn.GroupNorm(1, channels)  # one group: each picture by itself, over C, H and W
    return nn.Identity()


class ResNetGenerator(nn.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.small = (width, h // 8, w // 8)
        self.fc = nn.Linear(z, math.prod(self.small))
        self.block1, self.block2, self.block3 = UpBlock(width), UpBlock(width), UpBlock(width)
        self.bn = nn.BatchNorm2d(width)
        self.pixels = nn.Conv2d(width, channels, kernel_size=3, padding=1)

    def forward(self, noise):  # z
        h = self.fc(noise).unflatten(1, self.small)  # 64×H/8×W/8
        h = self.block3(self.block2(self.block1(h)))  # 64×H×W
        return torch.tanh(self.pixels(F.relu(self.bn(h))))  # C×H×W in [-1, 1]


class UpBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.short = nn.Conv2d(width, width, kernel_size=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1)

    def forward(self, x):  # 64×h×w
        h = self.conv1(doubled(F.relu(self.bn1(x))))  # 64×2h×2w
        h = self.conv2(F.relu(self.bn2(h)))  # 64×2h×2w
        return h + self.short(doubled(x))


def doubled(maps):
    """Each pixel four times: twice the height, twice the width."""
    return F.interpolate(maps, scale_factor=2, mode="nearest")


class ResNetDiscriminator(nn.Module):
    def __init__(self, image_shape, width, norm):
        super().__init__()
        self.block1 = Block(image_shape[0], width, norm, first=True, down=True)
        self.block2 = Block(width, width, norm, down=True)
        self.block3 = Block(width, width, norm)
        self.block4 = Block(width, width, norm)
        _, linear = layers_of(norm)
        self.score = linear(width, 1)

    def forward(self, images):  # C×H×W
        h = self.block2(self.block1(images))  # 64×H/4×W/4
        h = F.relu(self.block4(self.block3(h)))  # 64×H/4×W/4
        return self.score(h.mean(dim=(2, 3)))  # 1: a score, without a sigmoid


class Block(nn.Module):
    def __init__(self, inputs, width, norm, first=False, down=False):
        super().__init__()
        self.first, self.down = first, down
        conv, _ = layers_of(norm)
        if down:
            self.short = conv(inputs, width, kernel_size=1)
        self.norm1 = norm_of("none" if first else norm, inputs)
        self.conv1 = conv(inputs, width, kernel_size=3, padding=1)
        self.norm2 = norm_of("none" if first else norm, width)
        self.conv2 = conv(width, width, kernel_size=3, padding=1)

    def forward(self, x):  # the first block's: pixels
        h = x if self.first else F.relu(self.norm1(x))
        h = self.conv2(F.relu(self.norm2(self.conv1(h))))
        if not self.down:
            return h + x
        return halved(h) + self.short(halved(x))


def halved(maps):
    """The mean of each 2×2 pixels: half the height, half the width."""
    return F.avg_pool2d(maps, 2)


def networks_of(recipe):
    """The generator and the discriminator of the recipe's architecture."""
    shape, constants = recipe.image_shape, recipe.constants
    z, g_width = constants["z"], constants["g_width"]
    d_width, norm = constants["d_width"], constants["norm"]
    if constants["architecture"] == "resnet":
        return ResNetGenerator(shape, z, g_width), ResNetDiscriminator(shape, d_width, norm)
    return Generator(shape, z, g_width), Discriminator(shape, d_width, norm)


def discriminator_loss(loss, real, fake):
    """What the discriminator pays for its scores of real and of fake pictures, N×1 each."""
    if loss == "non_saturating":  # cross-entropy: the mean of −log σ(real), of −log(1 − σ(fake))
        return -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()
    if loss == "least_squares":  # Mao et al. 2016, equation 9
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    return fake.mean() - real.mean()  # wasserstein: Arjovsky et al. 2017


def generator_loss(loss, fake):
    """What the generator pays for the scores of its pictures."""
    if loss == "non_saturating":
        return -F.logsigmoid(fake).mean()
    if loss == "least_squares":
        return (fake - 1).square().mean() / 2
    return -fake.mean()


class GANLandscape(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        self.generator, self.discriminator = networks_of(recipe)
        self.loss = recipe.constants["loss"]
        self.penalty_weight = recipe.constants["penalty_weight"]
        self.batch_size = recipe.train.batch_size
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), d.lr, d.betas)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), g.lr, g.betas)

    def slope(self, images):
        """How steep the discriminator is at each picture: ‖∂D/∂x‖ over all its numbers, N."""
        images.requires_grad_()
        scores = self.discriminator(images).sum()
        (gradients,) = torch.autograd.grad(scores, images, create_graph=True)
        return (gradients.square().sum(dim=(1, 2, 3)) + 1e-12).sqrt()

    def train_step(self, batch):
        # The discriminator's steps, each with its own batch.
        rounds = (batch[name].split(self.batch_size) for name in ("images", "noise", "epsilon"))
        for images, noise, epsilon in zip(*rounds, strict=True):
            with torch.no_grad():  # the generator does not learn here
                fake = self.generator(noise)
            real, made = self.discriminator(images), self.discriminator(fake)
            d_loss = discriminator_loss(self.loss, real, made)
            if self.penalty_weight > 0:
                length = self.slope(epsilon * images + (1 - epsilon) * fake)
                d_loss = d_loss + self.penalty_weight * (length - 1).square().mean()
            self.d_optimizer.zero_grad()
            d_loss.backward()
            turn(self.discriminator)
            self.d_optimizer.step()

        # The generator's step, against the discriminator's new weights.
        g_loss = generator_loss(self.loss, self.discriminator(self.generator(batch["g_noise"])))
        self.g_optimizer.zero_grad()
        g_loss.backward(inputs=list(self.generator.parameters()))
        self.g_optimizer.step()
        return {"discriminator": d_loss, "generator": g_loss}

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
    main("gan_landscape", framework, GANLandscape, train, sample)
