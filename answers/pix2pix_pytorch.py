"""Question 08: pix2pix — PyTorch.

One picture in, another out: a U-Net draws it, a discriminator looks at both, patch by patch, and L1
keeps it close to the target (Isola et al. 2016, "Image-to-image translation with
conditional adversarial networks", arXiv 1611.07004).
"""

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


def batch_norm(channels):
    """With the batch's own mean and variance, in training and in evaluation: nothing is kept."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


class Generator(nn.ModuleDict):
    """A U-Net; a map's number counts its halvings. The first has 64 channels, none above 512."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.depth = min(h, w).bit_length() - 1  # halvings until a side is 1
        maps = [channels] + [min(8, 2**k) * width for k in range(self.depth)]
        for k in range(1, self.depth + 1):
            self[f"down{k}"] = nn.Conv2d(maps[k - 1], maps[k], 4, 2, 1, bias=k == 1)
            if 1 < k < self.depth:
                self[f"down_bn{k}"] = batch_norm(maps[k])
        for k in range(self.depth, 0, -1):
            above = maps[k] if k == self.depth else 2 * maps[k]  # with the map from the way down
            self[f"up{k}"] = nn.ConvTranspose2d(above, maps[k - 1], 4, 2, 1, bias=k == 1)
            if k > 1:
                self[f"up_bn{k}"] = batch_norm(maps[k - 1])

    def forward(self, images, *masks):  # C×H×W; masks: of the three innermost ways up
        h, kept = images, [images]
        for k in range(1, self.depth + 1):
            h = self[f"down{k}"](h if k == 1 else F.leaky_relu(h, 0.2))
            if 1 < k < self.depth:
                h = self[f"down_bn{k}"](h)
            kept.append(h)  # H/2ᵏ×W/2ᵏ
        for k in range(self.depth, 0, -1):
            if k < self.depth:
                h = torch.cat([h, kept[k]], dim=1)
            h = self[f"up{k}"](F.relu(h))
            if k > 1:
                h = self[f"up_bn{k}"](h)
            if self.depth - k < len(masks):
                h = h * masks[self.depth - k]  # dropout: 0 or 2
        return torch.tanh(h)  # C×H×W in [-1, 1]


class Discriminator(nn.Module):
    """A PatchGAN: each logit sees 34×34 pixels of the pair, or 70×70 if a side has 128 or more."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.conv1 = nn.Conv2d(2 * channels, width, 4, 2, 1)
        self.conv2 = nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False)
        self.bn2 = batch_norm(2 * width)
        self.large = min(h, w) >= 128
        if self.large:
            self.conv3 = nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False)
            self.bn3 = batch_norm(4 * width)
        below, last = (4 * width, 8 * width) if self.large else (2 * width, 4 * width)
        self.conv4 = nn.Conv2d(below, last, 4, 1, 1, bias=False)
        self.bn4 = batch_norm(last)
        self.real = nn.Conv2d(last, 1, 4, 1, 1)

    def forward(self, pairs):  # 2C×H×W
        h = F.leaky_relu(self.conv1(pairs), 0.2)  # 64×H/2×W/2
        h = F.leaky_relu(self.bn2(self.conv2(h)), 0.2)  # 128×H/4×W/4
        if self.large:
            h = F.leaky_relu(self.bn3(self.conv3(h)), 0.2)  # 256×H/8×W/8
        h = F.leaky_relu(self.bn4(self.conv4(h)), 0.2)  # a row and a column fewer
        return self.real(h)  # 1×H/4−2×W/4−2: a logit for each patch


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


class Pix2pix(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])
        self.l1_weight = constants["l1_weight"]
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), d.lr, d.betas)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), g.lr, g.betas)

    def train_step(self, batch):
        images, targets = batch["images"], batch["targets"]
        fake = self.generator(images, batch["mask1"], batch["mask2"], batch["mask3"])
        real_pair = torch.cat([images, targets], dim=1)
        fake_pair = torch.cat([images, fake], dim=1)

        # The discriminator's step, at half speed; the generator does not learn here.
        real_logits = self.discriminator(real_pair)
        fake_logits = self.discriminator(fake_pair.detach())
        discriminator_loss = (called_real(real_logits) + called_fake(fake_logits)) / 2
        self.d_optimizer.zero_grad()
        discriminator_loss.backward()
        self.d_optimizer.step()

        # The generator's: to be called real beside its input, and to be close to the target.
        generator_loss = called_real(self.discriminator(fake_pair))
        l1 = F.l1_loss(fake, targets)
        self.g_optimizer.zero_grad()
        whole = generator_loss + self.l1_weight * l1
        whole.backward(inputs=list(self.generator.parameters()))
        self.g_optimizer.step()
        return {"discriminator": discriminator_loss, "generator": generator_loss, "l1": l1}

    @torch.no_grad()
    def generate(self, images, *masks):
        return self.generator(images, *masks)  # as in training, dropout included


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    given = run.examples
    made = model.generate(given["images"], given["mask1"], given["mask2"], given["mask3"])
    run.show(input=given["images"], target=given["targets"], sample=made)


if __name__ == "__main__":
    main("pix2pix", framework, Pix2pix, train, sample)
