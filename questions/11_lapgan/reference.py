"""Question 11 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np
from msgspec.structs import replace

REAL, FAKE = 1.0, 0.0


def aim():
    """What the generators want their pictures to be called."""
    return REAL


def blur(n):
    """(1, 2, 1)/4 of each pixel's neighbours and itself; beyond the edge the last one again."""
    rows = np.pad(np.eye(n), ((1, 1), (0, 0)), "edge")
    return (rows[:-2] + 2 * rows[1:-1] + rows[2:]) / 4


def stretch(n, m):
    """n pixels as m, linearly between their middles."""
    places = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(n)))


def shrinking(n, m):
    return stretch(n, m) @ blur(n)


def enlarging(n, m):
    return blur(m) @ stretch(n, m)


def along_sides(matrix, images, sides):
    rows, columns = (matrix(n, m) for n, m in zip(images.shape[2:], sides, strict=True))
    return rows @ images @ columns.T


def added(low, residual):
    """A level's picture."""
    return low + residual


def seen(picture, low):
    """What a discriminator sees of it: the residual with the low picture added again."""
    return picture


def learn(optimizer):
    """A discriminator's update, before its generator's loss is taken."""
    optimizer.update()


def leak(generator, slope):
    """What the discriminator's step teaches the generator: nothing."""


def entropy(logits, label):
    """Mean of −label · log σ(logit) − (1 − label) · log(1 − σ(logit)), and its gradient."""
    loss = (np.logaddexp(0, logits) - label * logits).mean()
    return loss, (1 / (1 + np.exp(-logits)) - label) / logits.size


def dropped(mask):
    """A dropout's mask as the discriminator gets it."""
    return mask


# What `knock check` knows by an output or the first loss, and what then stands for a name above.
MISTAKES = {
    "real and fake are swapped": {"REAL": 0.0, "FAKE": 1.0, "aim": lambda: 1.0},
    "all labels are 0": {"REAL": 0.0},
    "all labels are 1": {"FAKE": 1.0},
    "the generators are trained to be called fake": {"aim": lambda: FAKE},
    "the discriminators are not updated before the generators' losses are taken": {
        "learn": lambda optimizer: None
    },
    "nothing is smoothed before pictures get smaller, or after they got larger": {"blur": np.eye},
    "pictures are not smoothed before they get smaller": {"shrinking": stretch},
    "pictures are not smoothed after they got larger": {"enlarging": stretch},
    "the residual is not added to the enlarged picture": {"added": lambda low, residual: residual},
    "the enlarged picture is not added to the residual before the discriminator looks": {
        "seen": lambda picture, low: picture if low is None else picture - low
    },
    "the generators receive gradients from the discriminators' steps: the fake batch is not "
    "detached": {"leak": lambda generator, slope: generator.backward(slope)},
    "dropout is switched off": {"dropped": np.ones_like},
    "dropout keeps its numbers as they are instead of twice as large": {"dropped": lambda m: m / 2},
}


class LAPGAN:
    def __init__(self, recipe):
        self.sides, self.constants = recipe.levels, recipe.constants
        self.settings = recipe.optimizers
        for name, network in framework.networks(recipe).items():
            setattr(self, name, network)
        for name, first in self.settings.items():
            (network,) = first.networks
            setattr(self, name, framework.SGD(first, getattr(self, network)))

    def pyramid(self, images):
        pictures = [images]
        for sides in self.sides[-2::-1]:
            pictures.insert(0, along_sides(shrinking, pictures[0], sides))
        return pictures

    def low(self, k, coarser):
        """What level k starts from; nothing for the coarsest, 1."""
        return None if k == 1 else along_sides(enlarging, coarser, self.sides[k - 1])

    def draw(self, k, low, noise):
        generator = getattr(self, f"generator{k}")
        if k == 1:
            return generator(noise)
        return added(low, generator(np.concatenate([low, noise], axis=1)))

    def set_rates(self, epoch):
        for name, first in self.settings.items():
            grown = first.momentum + self.constants["momentum_step"] * epoch
            getattr(self, name).settings = replace(
                first,
                lr=first.lr / (1 + self.constants["lr_decay"]) ** epoch,
                momentum=min(grown, self.constants["momentum_most"]),
            )

    def train_step(self, batch):
        self.set_rates(int(batch["epoch"]))
        pyramid, losses = self.pyramid(batch["images"]), {}
        for k in range(1, len(self.sides) + 1):
            masks = [dropped(batch["mask1"]), dropped(batch["mask2"])] if k == 1 else []
            low = self.low(k, pyramid[k - 2])
            made = self.draw(k, low, batch[f"noise{k}"])
            real, fake = seen(pyramid[k - 1], low), seen(made, low)
            discriminator = getattr(self, f"discriminator{k}")
            real_loss, d = entropy(discriminator(real, *masks), REAL)
            discriminator.backward(d)
            fake_loss, d = entropy(discriminator(fake, *masks), FAKE)
            leak(getattr(self, f"generator{k}"), discriminator.backward(d))
            learn(getattr(self, f"d_optimizer{k}"))

            generator_loss, d = entropy(discriminator(fake, *masks), aim())
            getattr(self, f"generator{k}").backward(discriminator.backward(d))
            discriminator.clear()
            getattr(self, f"g_optimizer{k}").update()
            losses |= {f"discriminator{k}": real_loss + fake_loss, f"generator{k}": generator_loss}
        return losses

    def coarsest(self, images):
        return self.pyramid(images)[0]

    def rebuild(self, images):
        picture, *finer = self.pyramid(images)
        coarser = picture
        for k, images in enumerate(finer, 2):
            residual = images - self.low(k, coarser)
            picture, coarser = self.low(k, picture) + residual, images
        return picture

    def generate(self, labels, *noises):
        picture = None
        for k, noise in enumerate(noises, 1):
            picture = self.draw(k, self.low(k, picture), noise)
        return picture
