"""Question 13: improved techniques for GANs — PyTorch.

Six tricks against collapse, each with a switch: the discriminator compares the pictures of a batch,
names classes of which only a few labels are known, and is never too sure; the generator matches
features, and normalises by a fixed batch; both stay near the mean of their earlier weights
(Salimans et al. 2016, "Improved techniques for training GANs", arXiv 1606.03498).
"""

import copy
import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


def joined(rows, count):
    """Of N×C means, the first `count` of the reference: what each row is normalised by."""
    reference = rows[:count].mean(0)
    others = (rows[count:] + count * reference) / (count + 1)  # as if it were one row more of it
    return torch.cat([reference.expand(count, -1), others])


class VirtualNorm(nn.Module):
    """Batch normalisation by the first `count` rows: no other picture sees its neighbours."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, h, count):
        rows = h.reshape(*h.shape[:2], -1)  # N×C×places
        mean, square = joined(rows.mean(2), count), joined(rows.square().mean(2), count)
        scale = self.weight * torch.rsqrt(square - mean**2 + 1e-5)
        normal = (rows - mean[:, :, None]) * scale[:, :, None] + self.bias[:, None]
        return normal.reshape(h.shape)


class Generator(nn.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (2 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.fc = nn.Linear(z, math.prod(self.small), bias=False)
        self.vn0 = VirtualNorm(math.prod(self.small))
        up = {"kernel_size": 5, "stride": 2, "padding": 2, "output_padding": 1}  # doubles the sides
        if self.large:
            self.tconv1 = nn.ConvTranspose2d(2 * width, 4 * width, **up, bias=False)
            self.vn1 = VirtualNorm(4 * width)
        self.tconv2 = nn.ConvTranspose2d(4 * width, 2 * width, **up, bias=False)
        self.vn2 = VirtualNorm(2 * width)
        self.tconv3 = nn.ConvTranspose2d(2 * width, width, **up, bias=False)
        self.vn3 = VirtualNorm(width)
        self.pixels = nn.ConvTranspose2d(width, channels, **up)

    def forward(self, noise, reference):  # z each
        count = len(reference)
        h = self.fc(torch.cat([reference, noise]))
        h = F.relu(self.vn0(h, count))  # 256·H/8·W/8; large: 128·H/16·W/16
        h = h.unflatten(1, self.small)  # 256×H/8×W/8; large: 128×H/16×W/16
        if self.large:
            h = F.relu(self.vn1(self.tconv1(h), count))  # 256×H/8×W/8, if large
        h = F.relu(self.vn2(self.tconv2(h), count))  # 128×H/4×W/4
        h = F.relu(self.vn3(self.tconv3(h), count))  # 64×H/2×W/2
        return torch.tanh(self.pixels(h[count:]))  # C×H×W in [-1, 1], of the noise alone


class Closeness(nn.Module):
    """Minibatch discrimination: how close each picture is to all others, in `kernels` ways.

    M = f Tᵀ as N×kernels×dims; o_b(i) = Σ over j ≠ i of exp(−‖M_ib − M_jb‖₁), times `scale`.
    """

    def __init__(self, inputs, kernels, dims, scale):
        super().__init__()
        self.shape, self.scale = (kernels, dims), scale
        self.weight = nn.Parameter(torch.zeros(kernels * dims, inputs))

    def forward(self, features):
        m = F.linear(features, self.weight).unflatten(1, self.shape)
        apart = (m[:, None] - m).abs().sum(3)  # N×N×kernels
        return self.scale * (torch.exp(-apart).sum(1) - 1)  # without itself: exp(0) = 1


class Discriminator(nn.Module):
    def __init__(self, image_shape, width, classes, compared):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = nn.Conv2d(channels, width, **down)
        self.conv2 = nn.Conv2d(width, 2 * width, **down)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, **down)
        if self.large:
            self.conv4 = nn.Conv2d(4 * width, 8 * width, **down)
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        kernels, dims, scale = compared
        self.closeness = Closeness(math.prod(small), kernels, dims, scale)
        self.classes = nn.Linear(kernels + math.prod(small), classes)

    def features(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.2)  # 64×H/2×W/2
        h = F.leaky_relu(self.conv2(h), 0.2)  # 128×H/4×W/4
        h = F.leaky_relu(self.conv3(h), 0.2)  # 256×H/8×W/8
        if self.large:
            h = F.leaky_relu(self.conv4(h), 0.2)  # 512×H/16×W/16, if large
        return h.flatten(1)

    def logits(self, features):
        return self.classes(torch.cat([self.closeness(features), features], dim=1))

    def forward(self, images):
        return self.logits(self.features(images))  # classes: the logit of "made" is always 0


def total(logits):
    """s = log Σ exp of the K logits: with "made" at 0, D(x) = σ(s)."""
    return torch.logsumexp(logits, dim=1)


def called_real(s, label=1.0):
    """The mean of −a·log D − (1 − a)·log(1 − D), a = `label`: below 1, "real" is said less sure."""
    return F.binary_cross_entropy_with_logits(s, torch.full_like(s, label))


def called_fake(s):
    """The mean of −log(1 − D)."""
    return F.binary_cross_entropy_with_logits(s, torch.zeros_like(s))


def named(logits, labels):
    """Cross-entropy over the K classes, "made" left out: the mean of s − the label's logit."""
    return F.cross_entropy(logits, labels)


def matched(real, made):
    """Feature matching: ‖mean f(x) − mean f(G(z))‖², each mean over its batch."""
    return (real.mean(0) - made.mean(0)).square().sum()


def far_from(mean, network):
    """Historical averaging: ‖θ − θ̄‖² over all weights; θ̄ itself is not moved by its slope."""
    together = zip(network.parameters(), mean.parameters(), strict=True)
    return sum((weight - middle).square().sum() for weight, middle in together)


@torch.no_grad()
def follow(mean, network, step):
    """θ̄, the mean of the first weights and of those after each step: θ̄ += (θ − θ̄) / (t + 1)."""
    for middle, weight in zip(mean.parameters(), network.parameters(), strict=True):
        middle += (weight - middle) / (step + 1)


class ImprovedGAN(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        shape, c = recipe.image_shape, recipe.constants
        compared = c["kernels"], c["dims"], c["closeness"]
        self.generator = Generator(shape, c["z"], c["g_width"])
        self.discriminator = Discriminator(shape, c["d_width"], c["classes"], compared)
        self.each, self.unlabelled, self.real_label = c["each"], c["unlabelled"], c["real_label"]
        self.adversarial, self.matching, self.history = (
            c["adversarial"],
            c["matching"],
            c["history"],
        )
        if self.history:
            self.generator_mean = copy.deepcopy(self.generator).requires_grad_(False)
            self.discriminator_mean = copy.deepcopy(self.discriminator).requires_grad_(False)
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), d.lr, d.betas)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), g.lr, g.betas)

    def train_step(self, batch):
        real = batch["images"]
        fake = self.generator(batch["noise"], batch["reference"])

        # The discriminator's step: each of its batches is all known, all real, or all fake.
        real_loss = called_real(total(self.discriminator(real)), self.real_label)
        fake_loss = called_fake(total(self.discriminator(fake.detach())))
        discriminator_loss = self.unlabelled / 2 * (real_loss + fake_loss)
        named_loss = torch.zeros_like(real_loss)
        if self.each:
            named_loss = named(self.discriminator(batch["known_images"]), batch["known_labels"])
            discriminator_loss = discriminator_loss + named_loss
        if self.history:
            far = far_from(self.discriminator_mean, self.discriminator)
            discriminator_loss = discriminator_loss + self.history * far
        self.d_optimizer.zero_grad()
        discriminator_loss.backward()
        self.d_optimizer.step()
        if self.history:
            follow(self.discriminator_mean, self.discriminator, batch["step"])

        # The generator's: its pictures, as the discriminator's new weights see them.
        features = self.discriminator.features(fake)
        generator_loss = self.adversarial * called_real(total(self.discriminator.logits(features)))
        if self.matching:
            wanted = self.discriminator.features(real).detach()
            generator_loss = generator_loss + self.matching * matched(wanted, features)
        if self.history:
            far = far_from(self.generator_mean, self.generator)
            generator_loss = generator_loss + self.history * far
        self.g_optimizer.zero_grad()
        generator_loss.backward(inputs=list(self.generator.parameters()))
        self.g_optimizer.step()
        if self.history:
            follow(self.generator_mean, self.generator, batch["step"])
        losses = {"discriminator": discriminator_loss, "generator": generator_loss}
        return {**losses, "named": named_loss}

    @torch.no_grad()
    def generate(self, noise, reference):
        return self.generator(noise, reference)  # the same function as in training

    @torch.no_grad()
    def classify(self, images):
        return self.discriminator(images)  # N×classes logits


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"], run.examples["reference"]))


if __name__ == "__main__":
    main("improved_gan", framework, ImprovedGAN, train, sample)
