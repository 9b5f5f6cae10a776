"""Question 11 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np
from msgspec.structs import replace


def blur(n):
    """An n×n matrix: each of n pixels becomes (1, 2, 1)/4 of its neighbours and itself."""
    rows = np.pad(np.eye(n), ((1, 1), (0, 0)), "edge")
    return (rows[:-2] + 2 * rows[1:-1] + rows[2:]) / 4


def stretch(n, m):
    """An m×n matrix: n pixels become m, linearly between their middles."""
    places = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(n)))


def along_sides(matrix, images, sides):
    """R·I·Cᵀ: a matrix for the rows of every channel, and one for its columns."""
    rows, columns = (matrix(n, m) for n, m in zip(images.shape[2:], sides, strict=True))
    return rows @ images @ columns.T


def shrink(images, sides):
    """d(I): smoothed, then fewer pixels."""
    return along_sides(lambda n, m: stretch(n, m) @ blur(n), images, sides)


def enlarge(images, sides):
    """u(I): more pixels, then smoothed."""
    return along_sides(lambda n, m: blur(m) @ stretch(n, m), images, sides)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit), and its gradient."""
    return (np.logaddexp(0, logits) - logits).mean(), (sigmoid(logits) - 1) / logits.size


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit)), and its gradient."""
    return np.logaddexp(0, logits).mean(), sigmoid(logits) / logits.size


class LAPGAN:
    def __init__(self, recipe):
        self.sides, self.constants = recipe.levels, recipe.constants
        self.first = recipe.optimizers
        for name, network in framework.networks(recipe).items():
            setattr(self, name, network)
        for name, first in self.first.items():
            (network,) = first.networks
            setattr(self, name, framework.SGD(first, getattr(self, network)))

    def pyramid(self, images):
        """Of each level its picture, shrunk from the next one's; the coarsest first."""
        pictures = [images]
        for sides in self.sides[-2::-1]:
            pictures.insert(0, shrink(pictures[0], sides))
        return pictures

    def low(self, k, coarser):
        """What level k starts from: the coarser picture, enlarged; nothing for the coarsest, 1."""
        return None if k == 1 else enlarge(coarser, self.sides[k - 1])

    def draw(self, k, low, noise):
        """A picture from noise; above the coarsest level, low + G(low, noise)."""
        generator = getattr(self, f"generator{k}")
        if k == 1:
            return generator(noise)
        return low + generator(np.concatenate([low, noise], axis=1))

    def set_rates(self, epoch):
        """A learning rate that falls, and a momentum that rises, with every epoch."""
        for name, first in self.first.items():
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
            generator, g_optimizer, discriminator, d_optimizer = (
                getattr(self, f"{name}{k}")
                for name in ("generator", "g_optimizer", "discriminator", "d_optimizer")
            )
            masks = (batch["mask1"], batch["mask2"]) if k == 1 else ()
            low = self.low(k, pyramid[k - 2])
            # A real residual is I − low, and low is added to it before anybody looks: that is I.
            real, fake = pyramid[k - 1], self.draw(k, low, batch[f"noise{k}"])

            # The discriminator's step. The generator learns nothing here.
            real_loss, d = called_real(discriminator(real, *masks))
            discriminator.backward(d)
            fake_loss, d = called_fake(discriminator(fake, *masks))
            discriminator.backward(d)
            d_optimizer.update()

            # The generator's: to be called real by the discriminator's new weights.
            generator_loss, d = called_real(discriminator(fake, *masks))
            generator.backward(discriminator.backward(d))
            discriminator.clear()
            g_optimizer.update()
            losses |= {f"discriminator{k}": real_loss + fake_loss, f"generator{k}": generator_loss}
        return losses

    def coarsest(self, images):
        return self.pyramid(images)[0]

    def rebuild(self, images):
        """The images again: the coarsest picture, enlarged and corrected by every residual."""
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
