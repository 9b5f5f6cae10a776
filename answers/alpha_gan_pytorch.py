"""Question 12: alpha-GAN — PyTorch.

An autoencoder with two discriminators, one for pictures, one for codes: a logit says what no
formula can (Rosca et al. 2017, "Variational approaches for auto-encoding generative adversarial
networks", arXiv 1706.04987).
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


class Downwards(nn.Module):  # the encoder and the discriminator, up to their output
    def __init__(self, image_shape, width, out, running):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = nn.Conv2d(channels, width, **down)
        self.conv2 = nn.Conv2d(width, 2 * width, **down, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width, track_running_stats=running)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, **down, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width, track_running_stats=running)
        if self.large:
            self.conv4 = nn.Conv2d(4 * width, 8 * width, **down, bias=False)
            self.bn4 = nn.BatchNorm2d(8 * width, track_running_stats=running)
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.fc = nn.Linear(math.prod(small), out)

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.2)  # 32×H/2×W/2
        h = F.leaky_relu(self.bn2(self.conv2(h)), 0.2)  # 64×H/4×W/4
        h = F.leaky_relu(self.bn3(self.conv3(h)), 0.2)  # 128×H/8×W/8
        if self.large:
            h = F.leaky_relu(self.bn4(self.conv4(h)), 0.2)  # 256×H/16×W/16, if large
        return self.fc(h.flatten(1))  # z: a code; or 1: a logit, above 0 where it says "real"


class CodeDiscriminator(nn.Module):
    def __init__(self, z, width):
        super().__init__()
        self.fc1 = nn.Linear(z, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 1)

    def forward(self, codes):  # z
        h = F.leaky_relu(self.fc1(codes), 0.2)  # 750
        h = F.leaky_relu(self.fc2(h), 0.2)  # 750
        return self.fc3(h)  # 1: a logit, above 0 where it says "drawn, not encoded"


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


def ratio(logits):
    """The mean of −log σ(logit) + log(1 − σ(logit)), which is −logit: no logarithm is left."""
    return -logits.mean()


class AlphaGAN(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        shape, sizes = recipe.image_shape, recipe.constants
        self.l1_weight = sizes["l1_weight"]
        self.encoder = Downwards(shape, sizes["e_width"], sizes["z"], running=True)
        self.generator = Generator(shape, sizes["z"], sizes["g_width"])
        self.discriminator = Downwards(shape, sizes["d_width"], 1, running=False)
        self.code_discriminator = CodeDiscriminator(sizes["z"], sizes["c_width"])
        e, g, d, c = (recipe.optimizers[f"{letter}_optimizer"] for letter in "egdc")
        self.e_optimizer = torch.optim.Adam(self.encoder.parameters(), e.lr, e.betas)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), g.lr, g.betas)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), d.lr, d.betas)
        self.c_optimizer = torch.optim.Adam(self.code_discriminator.parameters(), c.lr, c.betas)

    def train_step(self, batch):
        images, noise = batch["images"], batch["noise"]
        codes = self.encoder(images)  # ẑ
        copies, fakes = self.generator(codes), self.generator(noise)  # x̂, and only then x̃
        real, copied, faked = (self.discriminator(x) for x in (images, copies, fakes))
        drawn, encoded = self.code_discriminator(noise), self.code_discriminator(codes)

        l1 = (images - copies).abs().sum() / len(images)  # ‖x − x̂‖₁, the batch's mean
        encoder_loss = ratio(encoded)  # −C(ẑ)
        generator_loss = ratio(copied) + ratio(faked)  # −D(x̂) − D(x̃)
        discriminator_loss = called_real(real) + called_fake(copied) + called_fake(faked)
        code_loss = called_real(drawn) + called_fake(encoded)

        # Each network learns from its own loss only, and no weight changes before all have learnt.
        near = self.l1_weight * l1
        networks = self.encoder, self.generator, self.discriminator, self.code_discriminator
        losses = near + encoder_loss, near + generator_loss, discriminator_loss, code_loss
        for network, loss in zip(networks, losses, strict=True):
            network.zero_grad()
            loss.backward(inputs=list(network.parameters()), retain_graph=True)
        for optimizer in (self.e_optimizer, self.g_optimizer, self.d_optimizer, self.c_optimizer):
            optimizer.step()
        told = {"encoder": encoder_loss, "generator": generator_loss, "l1": l1}
        return told | {"discriminator": discriminator_loss, "code_discriminator": code_loss}

    @torch.no_grad()
    def generate(self, noise):
        self.generator.eval()  # batch normalisation in evaluation mode
        images = self.generator(noise)
        self.generator.train()
        return images

    @torch.no_grad()
    def reconstruct(self, images):
        self.encoder.eval()
        codes = self.encoder(images)
        self.encoder.train()
        return self.generate(codes)


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    images, noise = run.examples["images"], run.examples["noise"]
    run.show(input=images, reconstruction=model.reconstruct(images), sample=model.generate(noise))


if __name__ == "__main__":
    main("alpha_gan", framework, AlphaGAN, train, sample)
