"""Question 07: conditional GAN — PyTorch.

Give both networks the class, beside the noise and beside the picture: then one generator draws
every digit on demand (Mirza & Osindero 2014, "Conditional generative adversarial nets", arXiv
1411.1784). The networks are those of question 06.
"""

import math

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


class Generator(nn.Module):
    def __init__(self, image_shape, z, classes, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (2 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.fc = nn.Linear(z + classes, math.prod(self.small), bias=False)
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

    def forward(self, asked):  # z + classes
        h = F.relu(self.bn0(self.fc(asked)))  # 512·H/8·W/8; large: 256·H/16·W/16
        h = h.unflatten(1, self.small)  # 512×H/8×W/8; large: 256×H/16×W/16
        if self.large:
            h = F.relu(self.bn1(self.tconv1(h)))  # 512×H/8×W/8, if large
        h = F.relu(self.bn2(self.tconv2(h)))  # 256×H/4×W/4
        h = F.relu(self.bn3(self.tconv3(h)))  # 128×H/2×W/2
        return torch.tanh(self.pixels(h))  # C×H×W in [-1, 1]


class Discriminator(nn.Module):
    def __init__(self, image_shape, classes, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = nn.Conv2d(channels + classes, width, **down)
        self.conv2 = nn.Conv2d(width, 2 * width, **down, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, **down, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        if self.large:
            self.conv4 = nn.Conv2d(4 * width, 8 * width, **down, bias=False)
            self.bn4 = nn.BatchNorm2d(8 * width)
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.real = nn.Linear(math.prod(small), 1)

    def forward(self, told):  # (C + classes)×H×W
        h = F.leaky_relu(self.conv1(told), 0.2)  # 32×H/2×W/2
        h = F.leaky_relu(self.bn2(self.conv2(h)), 0.2)  # 64×H/4×W/4
        h = F.leaky_relu(self.bn3(self.conv3(h)), 0.2)  # 128×H/8×W/8
        if self.large:
            h = F.leaky_relu(self.bn4(self.conv4(h)), 0.2)  # 256×H/16×W/16, if large
        return self.real(h.flatten(1))  # 1: a logit, above 0 where it says "real"


def ask(noise, classes):
    """The generator's input: z, then the one-hot class, N×(z + classes)."""
    return torch.cat([noise, classes], dim=1)


def tell(images, classes):
    """The discriminator's: the picture, then a plane of ones or zeros for each class."""
    planes = classes[:, :, None, None].expand(-1, -1, *images.shape[2:])  # classes×H×W
    return torch.cat([images, planes], dim=1)


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


class ConditionalGAN(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.classes = constants["classes"]
        self.generator = Generator(shape, constants["z"], self.classes, constants["g_width"])
        self.discriminator = Discriminator(shape, self.classes, constants["d_width"])
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), d.lr, d.betas)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), g.lr, g.betas)

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class."""
        return F.one_hot(labels, self.classes).to(self.generator.fc.weight.dtype)

    def train_step(self, batch):
        classes = self.one_hot(batch["labels"])
        real = tell(batch["images"], classes)
        fake = tell(self.generator(ask(batch["noise"], classes)), classes)

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
    def generate(self, noise, labels):
        self.generator.eval()  # batch normalisation in evaluation mode
        images = self.generator(ask(noise, self.one_hot(labels)))
        self.generator.train()
        return images


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    noise = run.examples["noise"]
    run.show(**{name: model.generate(noise, labels) for name, labels in run.classes()})


if __name__ == "__main__":
    main("cgan", framework, ConditionalGAN, train, sample)
