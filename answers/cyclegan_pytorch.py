"""Question 20: CycleGAN — PyTorch.

Two kinds of pictures, and not one pair: a translator each way, a discriminator for each kind, and
the demand that a picture comes back from the trip there and back (Zhu et al. 2017, "Unpaired
image-to-image translation using cycle-consistent adversarial networks", arXiv 1703.10593).
"""

from knock.frameworks import pytorch as framework
from knock.run import main

import torch
import torch.nn.functional as F
from torch import nn


class Generator(nn.Module):
    """Question 08's U-Net with three halvings; each map of each picture is normalised by itself."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels = image_shape[0]
        self.down1 = nn.Conv2d(channels, width, 4, 2, 1)
        self.down2 = nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False)
        self.down_norm2 = nn.InstanceNorm2d(2 * width, affine=True)
        self.down3 = nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False)
        self.down_norm3 = nn.InstanceNorm2d(4 * width, affine=True)
        self.up3 = nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False)
        self.up_norm3 = nn.InstanceNorm2d(2 * width, affine=True)
        self.up2 = nn.ConvTranspose2d(4 * width, width, 4, 2, 1, bias=False)
        self.up_norm2 = nn.InstanceNorm2d(width, affine=True)
        self.up1 = nn.ConvTranspose2d(2 * width, channels, 4, 2, 1)

    def forward(self, images):  # C×H×W
        skip1 = self.down1(images)  # 64×H/2×W/2
        skip2 = self.down_norm2(self.down2(F.leaky_relu(skip1, 0.2)))  # 128×H/4×W/4
        h = self.down_norm3(self.down3(F.leaky_relu(skip2, 0.2)))  # 256×H/8×W/8
        h = self.up_norm3(self.up3(F.relu(h)))  # 128×H/4×W/4
        h = self.up_norm2(self.up2(F.relu(torch.cat([h, skip2], dim=1))))  # 64×H/2×W/2
        return torch.tanh(self.up1(F.relu(torch.cat([h, skip1], dim=1))))  # C×H×W in [-1, 1]


class Discriminator(nn.Module):
    """A PatchGAN: each number says how real 34×34 pixels are, 1 for real."""

    def __init__(self, image_shape, width):
        super().__init__()
        self.conv1 = nn.Conv2d(image_shape[0], width, 4, 2, 1)
        self.conv2 = nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False)
        self.norm2 = nn.InstanceNorm2d(2 * width, affine=True)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, 4, 1, 1, bias=False)
        self.norm3 = nn.InstanceNorm2d(4 * width, affine=True)
        self.real = nn.Conv2d(4 * width, 1, 4, 1, 1)

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.conv1(images), 0.2)  # 64×H/2×W/2
        h = F.leaky_relu(self.norm2(self.conv2(h)), 0.2)  # 128×H/4×W/4
        h = F.leaky_relu(self.norm3(self.conv3(h)), 0.2)  # a row and a column fewer
        return self.real(h)  # 1×H/4−2×W/4−2: a number for each patch


class Pool(nn.Module):
    """Former pictures of a generator: a discriminator must not forget what it has seen."""

    def __init__(self, image_shape, size, share):
        super().__init__()
        self.share = share
        self.register_buffer("pictures", torch.zeros(size, *image_shape))

    def exchange(self, fresh, chances, places, step):
        """The pictures to judge: new ones, or former ones in their place. The new stay here."""
        judged = []
        held = (step - 1) * len(fresh)  # so many came before
        for n, new in enumerate(fresh.detach()):
            if held + n < len(self.pictures):
                self.pictures[held + n] = new  # there is room: none goes
            elif chances[n] < self.share:
                former = self.pictures[places[n]].clone()
                self.pictures[places[n]] = new
                new = former
            judged.append(new)
        return torch.stack(judged)


def called_real(values):
    """Least squares against label 1: the mean of (D − 1)²."""
    return (values - 1).square().mean()


def called_fake(values):
    """Least squares against label 0: the mean of D²."""
    return values.square().mean()


def distance(made, wanted):
    """L1: the mean of |made − wanted|."""
    return (made - wanted).abs().mean()


class CycleGAN(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator_y = Generator(shape, constants["g_width"])  # x → y
        self.generator_x = Generator(shape, constants["g_width"])  # y → x
        self.discriminator_x = Discriminator(shape, constants["d_width"])
        self.discriminator_y = Discriminator(shape, constants["d_width"])
        self.pool_x = Pool(shape, constants["pool_size"], constants["from_pool"])
        self.pool_y = Pool(shape, constants["pool_size"], constants["from_pool"])
        self.cycle_weight = constants["cycle_weight"]
        self.identity_weight = constants["identity_weight"]
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        judges = [*self.discriminator_x.parameters(), *self.discriminator_y.parameters()]
        self.generators = [*self.generator_y.parameters(), *self.generator_x.parameters()]
        self.d_optimizer = torch.optim.Adam(judges, d.lr, d.betas)
        self.g_optimizer = torch.optim.Adam(self.generators, g.lr, g.betas)

    def train_step(self, batch):
        x, y = batch["images"], batch["others"]
        fake_y, fake_x = self.generator_y(x), self.generator_x(y)

        # The discriminators' step, at half speed, on new fakes and former ones.
        old_x = self.pool_x.exchange(fake_x, batch["chance_x"], batch["place_x"], batch["step"])
        old_y = self.pool_y.exchange(fake_y, batch["chance_y"], batch["place_y"], batch["step"])
        d_x_loss = called_real(self.discriminator_x(x)) + called_fake(self.discriminator_x(old_x))
        d_y_loss = called_real(self.discriminator_y(y)) + called_fake(self.discriminator_y(old_y))
        self.d_optimizer.zero_grad()
        ((d_x_loss + d_y_loss) / 2).backward()
        self.d_optimizer.step()

        # The generators': to be called real, to come back, and to leave alone what is right.
        g_x_loss = called_real(self.discriminator_x(fake_x))
        g_y_loss = called_real(self.discriminator_y(fake_y))
        cycle = distance(self.generator_x(fake_y), x) + distance(self.generator_y(fake_x), y)
        identity = distance(self.generator_y(y), y) + distance(self.generator_x(x), x)
        self.g_optimizer.zero_grad()
        whole = g_x_loss + g_y_loss + self.cycle_weight * cycle + self.identity_weight * identity
        whole.backward(inputs=self.generators)
        self.g_optimizer.step()
        return {
            "discriminator_x": d_x_loss / 2,
            "discriminator_y": d_y_loss / 2,
            "generator_x": g_x_loss,
            "generator_y": g_y_loss,
            "cycle": cycle,
            "identity": identity,
        }

    @torch.no_grad()
    def generate(self, images):
        return self.generator_y(images)

    @torch.no_grad()
    def generate_back(self, others):
        return self.generator_x(others)


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    x, y = run.examples["images"], run.examples["others"]
    there, back = model.generate(x), model.generate_back(y)
    run.show(**{"x": x, "x to y": there, "y": y, "y to x": back})


if __name__ == "__main__":
    main("cyclegan", framework, CycleGAN, train, sample)
