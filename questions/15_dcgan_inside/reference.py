"""Question 15 in plain NumPy. `knock check` compares with it."""

from knock.frameworks import numpy as framework
from knock.recipe import kinds

import numpy as np


class Layers:
    """Some of a network's layers, one after the other; `given` has what each of them was given."""

    def __init__(self, modules):
        self.modules = modules

    def __call__(self, x):
        self.given = []
        for module in self.modules:
            self.given.append(x)
            x = module(x)
        return x


def pooled(maps):
    """The largest of each window; a window is a quarter of the height and of the width."""
    count, channels, height, width = maps.shape
    high, wide = max(1, height // 4), max(1, width // 4)
    rows, columns = height // high, width // wide
    maps = maps[:, :, : rows * high, : columns * wide]
    return maps.reshape(count, channels, rows, high, columns, wide).max((3, 5))


class DCGANInside:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator, self.discriminator = networks["generator"], networks["discriminator"]
        self.body = Layers(self.discriminator.modules[:-2])  # all but flatten and real
        cut = [module.name for module in self.generator.modules].index("bn2") + 2  # after its ReLU
        self.first = Layers(self.generator.modules[:cut])
        self.last = Layers(self.generator.modules[cut:])

    def generate(self, noise):
        return self.drawn(self.hidden(noise))

    def walk(self, corners):
        """From each corner to the next in ten steps, that corner itself left out: 80 pictures."""
        share = np.arange(10)[:, None] / 10
        codes = (1 - share) * corners[:-1, None] + share * corners[1:, None]
        return self.generate(codes.reshape(-1, codes.shape[-1]))

    def arithmetic(self, first, second, third, jitter):
        """The picture of first − second + third, means of codes, and of what is near: 9."""
        code = first.mean(0) - second.mean(0) + third.mean(0)
        return self.generate(np.concatenate([code[None], code + jitter]))

    def turn(self, left, right, noise):
        """Each noise from full left to full right, in nine steps: 9·N pictures."""
        direction = right.mean(0) - left.mean(0)
        share = np.linspace(-1, 1, 9)[:, None]
        codes = noise[:, None] + share * direction
        return self.generate(codes.reshape(-1, codes.shape[-1]))

    def hidden(self, noise):
        """The maps after tconv2's batch normalisation and ReLU: N×2·g_width×H/4×W/4."""
        return framework.evaluate(self.first, noise)

    def important(self, hidden, inside):
        """A weight for each map, by which a logistic regression tells where the object is.

        One that is above 0 speaks for the object. Places outside of it count less, so that all of
        them count as much as all of those inside. ½‖w‖² is added to the loss, the bias is free.
        """
        x = np.moveaxis(hidden, 1, 3).reshape(-1, hidden.shape[1])
        x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
        y = inside.ravel() > 0
        counts = np.where(y, 1, y.sum() / (~y).sum())
        penalty = np.append(np.ones(hidden.shape[1]), 0)
        w = np.zeros(x.shape[1])
        for _ in range(10):  # Newton's steps
            p = 1 / (1 + np.exp(-x @ w))
            slope = x.T @ (counts * (p - y)) + penalty * w
            curvature = (x.T * (counts * p * (1 - p))) @ x + np.diag(penalty)
            w = w - np.linalg.solve(curvature, slope)
        return w[:-1]

    def forget(self, noise, weights):
        """Pictures without the maps whose weight is above 0: these are 0 everywhere."""
        kept = self.hidden(noise) * (weights <= 0)[:, None, None]
        return self.drawn(kept)

    def drawn(self, hidden):
        """The pictures that hidden maps become."""
        return framework.evaluate(self.last, hidden)

    def maps(self, images):
        """What each convolution says, after its batch normalisation, before its leaky ReLU."""
        framework.evaluate(self.body, images)
        pairs = zip(self.body.modules, self.body.given, strict=True)
        return [given for module, given in pairs if isinstance(module.layer, kinds.LeakyReLU)]

    def guided(self, images):
        """Six pictures, then what the last convolution's first six filters see in them: 12.

        Each filter gets the picture in which it says most, and what it says at that place goes
        back to the pixels (Springenberg et al. 2014, section 3.4): only what is above 0 passes a
        leaky ReLU, and only where something above 0 came through on the way there.
        """
        *maps, last = self.maps(images)
        count, _, height, width = last.shape
        each = last[:, :6].swapaxes(0, 1).reshape(6, -1)
        n, y, x = np.unravel_index(each.argmax(1), (count, height, width))
        back = np.zeros((6, *last.shape[1:]))
        back[range(6), range(6), y, x] = 1
        for module in reversed(self.body.modules[:-1]):
            match module.layer:
                case kinds.LeakyReLU():
                    back = (maps.pop()[n] > 0) * np.maximum(back, 0)
                case kinds.BatchNorm():
                    deviation = np.sqrt(module.values["running_var"] + module.eps)
                    back = (module.values["weight"] / deviation)[:, None, None] * back
                case kinds.Conv():
                    module.x = module.x[n]
                    back = module.backward(back)
        return np.concatenate([images[n], back])

    def features(self, images):
        """All convolutions' maps after the leaky ReLU, their largest numbers on a 4×4 grid."""
        active = [np.where(maps > 0, maps, 0.2 * maps) for maps in self.maps(images)]
        return np.concatenate([pooled(maps).reshape(len(maps), -1) for maps in active], axis=1)
