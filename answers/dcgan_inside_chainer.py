"""Question 15: inside a DCGAN — Chainer.

Open a trained DCGAN, from any framework. Walk through its noise, calculate with it, and turn what
it draws. Make it forget a kind of stroke. See what the discriminator looks at, and let what it has
learnt tell digits apart (Radford et al. 2015, sections 5 and 6, arXiv 1511.06434).
"""

import math

from knock.frameworks import chainer as framework
from knock.look import main
from knock.look.inside import Inside

import chainer
import chainer.functions as F
import chainer.links as L


class Generator(chainer.Chain):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # doubled four times; smaller pictures: three times
        self.small = (2 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        self.sides = [(h // n, w // n) for n in (8, 4, 2, 1)]
        with self.init_scope():
            self.fc = L.Linear(z, math.prod(self.small), nobias=True)
            self.bn0 = batch_norm(math.prod(self.small))
            if self.large:
                self.tconv1 = up(2 * width, 4 * width, self.sides[0], nobias=True)
                self.bn1 = batch_norm(4 * width)
            self.tconv2 = up(4 * width, 2 * width, self.sides[1], nobias=True)
            self.bn2 = batch_norm(2 * width)
            self.tconv3 = up(2 * width, width, self.sides[2], nobias=True)
            self.bn3 = batch_norm(width)
            self.pixels = up(width, channels, self.sides[3])

    def hidden(self, noise):  # z
        h = F.relu(self.bn0(self.fc(noise)))  # 512·H/8·W/8; large: 256·H/16·W/16
        h = F.reshape(h, (-1, *self.small))  # 512×H/8×W/8; large: 256×H/16×W/16
        if self.large:
            h = F.relu(self.bn1(self.tconv1(h)))  # 512×H/8×W/8, if large
        return F.relu(self.bn2(self.tconv2(h)))  # 256×H/4×W/4

    def drawn(self, h):  # 256×H/4×W/4
        h = F.relu(self.bn3(self.tconv3(h)))  # 128×H/2×W/2
        return F.tanh(self.pixels(h))  # C×H×W in [-1, 1]

    def forward(self, noise):
        return self.drawn(self.hidden(noise))


def batch_norm(channels):
    """Chainer's ε is 2e-5 and its decay counts the old share; other frameworks differ in both."""
    return L.BatchNormalization(channels, decay=0.9, eps=1e-5)


def up(channels, out, sides, **bias):
    """A transposed convolution that doubles the sides, given the sides of the result."""
    return L.Deconvolution2D(channels, out, ksize=5, stride=2, pad=2, outsize=sides, **bias)


class Discriminator(chainer.Chain):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        self.large = min(h, w) >= 64  # halved four times; smaller pictures: three times
        small = (8 * width, h // 16, w // 16) if self.large else (4 * width, h // 8, w // 8)
        down = {"ksize": 5, "stride": 2, "pad": 2}  # halves the sides
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels, width, **down)
            self.conv2 = L.Convolution2D(width, 2 * width, **down, nobias=True)
            self.bn2 = batch_norm(2 * width)
            self.conv3 = L.Convolution2D(2 * width, 4 * width, **down, nobias=True)
            self.bn3 = batch_norm(4 * width)
            if self.large:
                self.conv4 = L.Convolution2D(4 * width, 8 * width, **down, nobias=True)
                self.bn4 = batch_norm(8 * width)
            self.real = L.Linear(math.prod(small), 1)

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
        return self.real(F.reshape(h, (len(h), -1)))  # 1: a logit, above 0 where it says "real"


def down(back, conv):
    """The transpose of a convolution: from what it said to what it looked at."""
    sides = [2 * side for side in back.shape[2:]]
    return F.deconvolution_2d(back, conv.W, stride=2, pad=2, outsize=sides).array


class DCGANInside(chainer.Chain):
    def __init__(self, recipe):
        super().__init__()
        shape, constants = recipe.image_shape, recipe.constants
        with self.init_scope():
            self.generator = Generator(shape, constants["z"], constants["g_width"])
            self.discriminator = Discriminator(shape, constants["d_width"])

    def generate(self, noise):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            return self.generator(noise)  # with the running statistics

    def walk(self, corners):
        """From each of nine corners to the next in ten steps, without its end: 80 pictures."""
        share = self.xp.arange(10, dtype=corners.dtype)[:, None] / 10
        codes = (1 - share) * corners[:-1, None] + share * corners[1:, None]
        return self.generate(codes.reshape(-1, codes.shape[-1]))

    def arithmetic(self, first, second, third, jitter):
        """first − second + third, each the mean of its codes, and eight neighbours: 9 pictures."""
        code = first.mean(0) - second.mean(0) + third.mean(0)
        return self.generate(self.xp.concatenate([code[None], code + jitter]))

    def turn(self, left, right, noise):
        """Each noise z as z + t·(right − left), t from -1 to 1: nine pictures of each."""
        direction = right.mean(0) - left.mean(0)
        share = self.xp.arange(-4, 5, dtype=noise.dtype)[:, None] / 4
        codes = noise[:, None] + share * direction
        return self.generate(codes.reshape(-1, codes.shape[-1]))

    def hidden(self, noise):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            return self.generator.hidden(noise)  # N×256×H/4×W/4

    def important(self, hidden, inside):
        """A weight for each map: above 0 if it is large where the object is, `inside` above 0.

        A logistic regression over all places, with ½‖w‖² added to its loss. Those outside of the
        object together count as much as those inside. Newton's method finds its weights.
        """
        xp = self.xp
        x = xp.moveaxis(hidden, 1, 3).reshape(-1, hidden.shape[1])  # a row for each place
        x = xp.pad(x, [(0, 0), (0, 1)], "constant", constant_values=1)  # the last one: the bias
        y = (inside.ravel() > 0).astype(x.dtype)
        counts = xp.where(y > 0, 1, y.sum() / (1 - y).sum()).astype(x.dtype)
        penalty = xp.ones_like(x[0])
        penalty[-1] = 0
        w = xp.zeros_like(x[0])
        for _ in range(10):
            p = F.sigmoid(x @ w).array
            slope = x.T @ (counts * (p - y)) + penalty * w
            curvature = (x.T * (counts * p * (1 - p))) @ x + xp.diag(penalty)
            w = w - xp.linalg.solve(curvature, slope)
        return w[:-1]

    def forget(self, noise, weights):
        """Pictures that are drawn without the maps whose weight is above 0."""
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            kept = self.generator.hidden(noise).array * (weights <= 0)[:, None, None]
            return self.generator.drawn(kept)

    def maps(self, images):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            return [maps.array for maps in self.discriminator.maps(images)]

    def guided(self, images):
        """Six pictures, then what six filters of the last convolution see in them: 12×C×H×W.

        Filter k gets the picture, and there the place, at which it says most. From this place a 1
        goes back to the pixels. Two things stop it at a leaky ReLU, as if that were a ReLU: the map
        was not above 0 there, or what comes back is not (Springenberg et al. 2014, section 3.4).
        """
        *maps, last = self.maps(images)
        height, width = last.shape[2:]
        each = last[:, :6].swapaxes(0, 1).reshape(6, -1)
        most = each.argmax(1)  # of all places of all pictures
        n, place = most // (height * width), most % (height * width)
        back = self.xp.zeros((6, *last.shape[1:]), last.dtype)
        back[range(6), range(6), place // width, place % width] = 1
        for conv, norm in reversed(self.discriminator.normalised()):
            scale = norm.gamma.array / self.xp.sqrt(norm.avg_var + norm.eps)
            back = down(back * scale[:, None, None], conv)
            back = (maps.pop()[n] > 0) * self.xp.maximum(back, 0)
        back = down(back, self.discriminator.conv1)
        return self.xp.concatenate([images[n], back])

    def features(self, images):
        """All that the convolutions say, the largest of each quarter of a side: N×3584."""
        found = []
        for maps in self.maps(images):
            h = F.leaky_relu(maps, 0.2)
            window = [max(1, side // 4) for side in h.shape[2:]]
            h = F.max_pooling_2d(h, window, cover_all=False).array
            found.append(h.reshape(len(h), -1))
        return self.xp.concatenate(found, axis=1)


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
