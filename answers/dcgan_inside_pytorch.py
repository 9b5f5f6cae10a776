"""Question 15: inside a DCGAN — PyTorch.

Open a trained DCGAN, from any framework. Walk through its noise, calculate with it, and turn what
it draws. Make it forget a kind of stroke. See what the discriminator looks at, and let what it has
learnt tell digits apart (Radford et al. 2015, sections 5 and 6, arXiv 1511.06434).
"""

import math

from knock.frameworks import pytorch as framework
from knock.look import main
from knock.look.inside import Inside

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

    def hidden(self, noise):  # z
        h = F.relu(self.bn0(self.fc(noise)))  # 512·H/8·W/8; large: 256·H/16·W/16
        h = h.unflatten(1, self.small)  # 512×H/8×W/8; large: 256×H/16×W/16
        if self.large:
            h = F.relu(self.bn1(self.tconv1(h)))  # 512×H/8×W/8, if large
        return F.relu(self.bn2(self.tconv2(h)))  # 256×H/4×W/4

    def drawn(self, h):  # 256×H/4×W/4
        h = F.relu(self.bn3(self.tconv3(h)))  # 128×H/2×W/2
        return torch.tanh(self.pixels(h))  # C×H×W in [-1, 1]

    def forward(self, noise):
        return self.drawn(self.hidden(noise))


class Discriminator(nn.Module):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        down = {"kernel_size": 5, "stride": 2, "padding": 2}  # halves the sides
        self.conv1 = nn.Conv2d(channels, width, **down)
        self.conv2 = nn.Conv2d(width, 2 * width, **down, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, **down, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        if self.large:
            self.conv4 = nn.Conv2d(4 * width, 8 * width, **down, bias=False)
            self.bn4 = nn.BatchNorm2d(8 * width)
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.real = nn.Linear(math.prod(small), 1)

    def normalised(self):
        """The convolutions that have a batch normalisation, with it."""
        last = [(self.conv4, self.bn4)] if self.large else []
        return [(self.conv2, self.bn2), (self.conv3, self.bn3), *last]

    def maps(self, images):
        """What each convolution says, before its leaky ReLU: 32×H/2×W/2, 64×H/4×W/4 …"""
        found = [self.conv1(images)]
        for conv, norm in self.normalised():
            found.append(norm(conv(F.leaky_relu(found[-1], 0.2))))
        return found

    def forward(self, images):  # C×H×W
        h = F.leaky_relu(self.maps(images)[-1], 0.2)  # 128×H/8×W/8; large: 256×H/16×W/16
        return self.real(h.flatten(1))  # 1: a logit, above 0 where it says "real"


def down(back, conv):
    """The transpose of a convolution: from what it said to what it looked at."""
    return F.conv_transpose2d(back, conv.weight, stride=2, padding=2, output_padding=1)


class DCGANInside(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        self.generator = Generator(shape, constants["z"], constants["g_width"])
        self.discriminator = Discriminator(shape, constants["d_width"])
        self.eval()  # nothing is trained: batch normalisation always uses its running statistics

    @torch.no_grad()
    def generate(self, noise):
        return self.generator(noise)

    def walk(self, corners):
        """From each of nine corners to the next in ten steps, without its end: 80 pictures."""
        share = torch.arange(10, device=corners.device)[:, None] / 10
        codes = (1 - share) * corners[:-1, None] + share * corners[1:, None]
        return self.generate(codes.flatten(0, 1))

    def arithmetic(self, first, second, third, jitter):
        """first − second + third, each the mean of its codes, and eight neighbours: 9 pictures."""
        code = first.mean(0) - second.mean(0) + third.mean(0)
        return self.generate(torch.cat([code[None], code + jitter]))

    def turn(self, left, right, noise):
        """Each noise z as z + t·(right − left), t from -1 to 1: nine pictures of each."""
        direction = right.mean(0) - left.mean(0)
        share = torch.arange(-4, 5, device=noise.device)[:, None] / 4
        codes = noise[:, None] + share * direction
        return self.generate(codes.flatten(0, 1))

    @torch.no_grad()
    def hidden(self, noise):
        return self.generator.hidden(noise)  # N×256×H/4×W/4

    def important(self, hidden, inside):
        """A weight for each map: above 0 if it is large where the object is, `inside` above 0.

        A logistic regression over all places, with ½‖w‖² added to its loss. Those outside of the
        object together count as much as those inside. Newton's method finds its weights.
        """
        x = hidden.movedim(1, 3).flatten(0, 2)  # a row for each place
        x = F.pad(x, (0, 1), value=1)  # the last weight is the bias
        y = (inside.flatten() > 0).to(x.dtype)
        counts = torch.where(y > 0, 1, y.sum() / (1 - y).sum())
        penalty = torch.ones_like(x[0])
        penalty[-1] = 0
        w = torch.zeros_like(x[0])
        for _ in range(10):
            p = torch.sigmoid(x @ w)
            slope = x.T @ (counts * (p - y)) + penalty * w
            curvature = (x.T * (counts * p * (1 - p))) @ x + penalty.diag()
            w = w - torch.linalg.solve(curvature, slope)
        return w[:-1]

    @torch.no_grad()
    def forget(self, noise, weights):
        """Pictures that are drawn without the maps whose weight is above 0."""
        kept = self.generator.hidden(noise) * (weights <= 0)[:, None, None]
        return self.generator.drawn(kept)

    @torch.no_grad()
    def guided(self, images):
        """Six pictures, then what six filters of the last convolution see in them: 12×C×H×W.

        Filter k gets the picture, and there the place, at which it says most. From this place a 1
        goes back to the pixels. Two things stop it at a leaky ReLU, as if that were a ReLU: the map
        was not above 0 there, or what comes back is not (Springenberg et al. 2014, section 3.4).
        """
        *maps, last = self.discriminator.maps(images)
        height, width = last.shape[2:]
        most = last[:, :6].transpose(0, 1).flatten(1).argmax(1)  # of all places of all pictures
        n, place = most // (height * width), most % (height * width)
        back = last.new_zeros(6, *last.shape[1:])
        back[range(6), range(6), place // width, place % width] = 1
        for conv, norm in reversed(self.discriminator.normalised()):
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            back = down(back * scale[:, None, None], conv)
            back = (maps.pop()[n] > 0) * F.relu(back)
        return torch.cat([images[n], down(back, self.discriminator.conv1)])

    @torch.no_grad()
    def features(self, images):
        """All that the convolutions say, the largest of each quarter of a side: N×3584."""
        found = []
        for maps in self.discriminator.maps(images):
            h = F.leaky_relu(maps, 0.2)
            window = [max(1, side // 4) for side in h.shape[2:]]
            found.append(F.max_pool2d(h, window).flatten(1))
        return torch.cat(found, dim=1)


def look(run, model):
    run.walk(model)
    run.arithmetic(model)
    run.turn(model)
    run.forget(model)
    run.guided(model)
    run.features(model)
    run.directions()


if __name__ == "__main__":
    main("dcgan_inside", framework, DCGANInside, look, Inside)
