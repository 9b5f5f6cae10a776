"""Question 11: LAPGAN — Chainer.

Draw coarsely, enlarge, add what is missing, and again. Each level of a Laplacian pyramid has a GAN
of its own: the coarsest draws a small picture, the others the detail of an enlarged one (Denton et
al. 2015, "Deep generative image models using a Laplacian pyramid of adversarial networks", arXiv
1506.05751).
"""

from knock.frameworks import chainer as framework
from knock.run import main

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


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
    xp = chainer.backend.get_array_module(images)
    rows, columns = (
        xp.asarray(matrix(n, m), images.dtype) for n, m in zip(images.shape[2:], sides, strict=True)
    )
    return rows @ images @ columns.T


def shrink(images, sides):
    """d(I): smoothed, then fewer pixels."""
    return along_sides(lambda n, m: stretch(n, m) @ blur(n), images, sides)


def enlarge(images, sides):
    """u(I): more pixels, then smoothed."""
    return along_sides(lambda n, m: blur(m) @ stretch(n, m), images, sides)


class CoarsestGenerator(chainer.Chain):
    def __init__(self, inputs, image_shape, hidden):
        super().__init__()
        self.map_shape = (-1, *image_shape)
        with self.init_scope():
            self.fc1 = L.Linear(inputs, hidden)
            self.fc2 = L.Linear(hidden, hidden)
            self.pixels = L.Linear(hidden, image_shape[0] * image_shape[1] * image_shape[2])

    def forward(self, asked):  # z + classes
        h = F.relu(self.fc1(asked))  # 1200
        h = F.relu(self.fc2(h))  # 1200
        h = F.reshape(self.pixels(h), self.map_shape)
        return F.tanh(h)  # C×H₁×W₁ in [-1, 1]


class CoarsestDiscriminator(chainer.Chain):
    def __init__(self, input_shape, hidden):
        super().__init__()
        channels, h, w = input_shape
        with self.init_scope():
            self.fc1 = L.Linear(channels * h * w, hidden)
            self.fc2 = L.Linear(hidden, hidden)
            self.real = L.Linear(hidden, 1)

    def forward(self, told, mask1, mask2):  # (C + classes)×H₁×W₁; masks of the dropouts: 0 or 2
        h = F.relu(self.fc1(F.reshape(told, (len(told), -1)))) * mask1  # 600
        h = F.relu(self.fc2(h)) * mask2  # 600
        return self.real(h)  # 1: a logit, above 0 where it says "real"


class Generator(chainer.Chain):
    def __init__(self, inputs, channels, width):
        super().__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(inputs, width, ksize=5, pad=2)
            self.conv2 = L.Convolution2D(width, width, ksize=5, pad=2)
            self.residual = L.Convolution2D(width, channels, ksize=5, pad=2)

    def forward(self, asked):  # (C + 1 + classes)×Hₖ×Wₖ
        h = F.relu(self.conv1(asked))  # 64×Hₖ×Wₖ
        h = F.relu(self.conv2(h))  # 64×Hₖ×Wₖ
        return self.residual(h)  # C×Hₖ×Wₖ


class Discriminator(chainer.Chain):
    def __init__(self, input_shape, width):
        super().__init__()
        channels, h, w = input_shape
        with self.init_scope():
            self.conv1 = L.Convolution2D(channels, width, ksize=5, stride=2, pad=2)
            self.conv2 = L.Convolution2D(width, width, ksize=5, stride=2, pad=2)
            self.real = L.Linear(width * -(-h // 4) * -(-w // 4), 1)  # a half is rounded up

    def forward(self, told):  # (C + classes)×Hₖ×Wₖ
        h = F.leaky_relu(self.conv1(told), 0.2)  # 64×Hₖ/2×Wₖ/2
        h = F.leaky_relu(self.conv2(h), 0.2)  # 64×Hₖ/4×Wₖ/4
        return self.real(F.reshape(h, (len(h), -1)))  # 1: a logit


def tell(maps, classes):
    """A plane of ones or zeros for each class, behind the maps."""
    shape = (*classes.shape, *maps.shape[2:])
    planes = F.broadcast_to(classes[:, :, None, None], shape)
    return F.concat([maps, planes], axis=1)


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return F.mean(F.softplus(-logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return F.mean(F.softplus(logits))


class Level:
    """One level's GAN. It knows of no other: it has real pictures to start from."""

    def __init__(self, k, recipe):
        self.k, self.sides, constants = k, recipe.levels[k - 1], recipe.constants
        shape = (recipe.image_shape[0], *self.sides)
        told = (shape[0] + constants["classes"], *self.sides)
        if k == 1:
            inputs = constants["z"] + constants["classes"]
            self.generator = CoarsestGenerator(inputs, shape, constants["g_hidden"])
            self.discriminator = CoarsestDiscriminator(told, constants["d_hidden"])
        else:
            self.generator = Generator(1 + told[0], shape[0], constants["g_width"])
            self.discriminator = Discriminator(told, constants["d_width"])
        d, g = recipe.optimizers[f"d_optimizer{k}"], recipe.optimizers[f"g_optimizer{k}"]
        self.d_optimizer = framework.MomentumSGD(d.lr, d.momentum)
        self.d_optimizer.setup(self.discriminator)
        self.g_optimizer = framework.MomentumSGD(g.lr, g.momentum)
        self.g_optimizer.setup(self.generator)

    def draw(self, low, noise, classes):
        """A picture from noise; above the coarsest level, low + G(low, noise)."""
        if self.k == 1:
            return self.generator(F.concat([noise, classes], axis=1))
        return low + self.generator(tell(F.concat([low, noise], axis=1), classes))

    def train_step(self, images, low, noise, classes, *masks):
        # A real residual is I − low, and low is added to it before anybody looks: that is I.
        real, fake = tell(images, classes), tell(self.draw(low, noise, classes), classes)

        # The discriminator's step; .array leaves the generator out.
        real_logits = self.discriminator(real, *masks)
        fake_logits = self.discriminator(fake.array, *masks)
        discriminator_loss = called_real(real_logits) + called_fake(fake_logits)
        self.discriminator.cleargrads()
        discriminator_loss.backward()
        self.d_optimizer.update()

        # The generator's: to be called real by the discriminator's new weights.
        generator_loss = called_real(self.discriminator(fake, *masks))
        chainer.grad([generator_loss], list(self.generator.params()), set_grad=True)
        self.g_optimizer.update()
        losses = {"discriminator": discriminator_loss, "generator": generator_loss}
        return {f"{name}{self.k}": loss.array for name, loss in losses.items()}


class LAPGAN:
    def __init__(self, recipe):
        self.levels = [Level(k, recipe) for k in range(1, len(recipe.levels) + 1)]  # coarsest first
        for level in self.levels:
            for part in ("generator", "discriminator", "d_optimizer", "g_optimizer"):
                setattr(self, f"{part}{level.k}", getattr(level, part))
        self.constants, self.first = recipe.constants, recipe.optimizers
        only = self.constants["level"]
        self.trained = [self.levels[only - 1]] if only else self.levels

    def one_hot(self, labels, like):
        """N class numbers as N×classes zeros with a one at the class; N×0 where none are told."""
        return (
            labels[:, None]
            == chainer.backend.get_array_module(labels).arange(self.constants["classes"])
        ).astype(like.dtype)

    def pyramid(self, images):
        """Of each level its picture Iₖ, shrunk from the next one's, and its start u(Iₖ₋₁)."""
        pictures, lows = [images], [None]  # nothing is below the coarsest
        for level in self.levels[-2::-1]:
            pictures.insert(0, shrink(pictures[0], level.sides))
        for level in self.levels[1:]:
            lows.append(enlarge(pictures[level.k - 2], level.sides))
        return list(zip(pictures, lows, strict=True))

    def set_rates(self, epoch):
        """A learning rate that falls, and a momentum that rises, with every epoch."""
        grown, constants = self.constants["momentum_step"] * epoch, self.constants
        for name, first in self.first.items():
            optimizer = getattr(self, name)
            optimizer.lr = first.lr / (1 + constants["lr_decay"]) ** epoch
            optimizer.momentum = min(first.momentum + grown, constants["momentum_most"])

    def train_step(self, batch):
        self.set_rates(int(batch["epoch"]))
        classes, losses = self.one_hot(batch["labels"], like=batch["images"]), {}
        pyramid = self.pyramid(batch["images"])
        for level in self.trained:
            masks = (batch["mask1"], batch["mask2"]) if level.k == 1 else ()
            images, low = pyramid[level.k - 1]
            losses |= level.train_step(images, low, batch[f"noise{level.k}"], classes, *masks)
        return losses

    def coarsest(self, images):
        return self.pyramid(images)[0][0]

    def rebuild(self, images):
        """The images again: the coarsest picture, enlarged and corrected by every residual."""
        (picture, _), *finer = self.pyramid(images)
        for images, low in finer:
            picture = enlarge(picture, images.shape[2:]) + (images - low)
        return picture

    def strip(self, labels, *noises, real=()):
        """Coarse to fine: what each level starts from, its residual, and the picture they make.

        Of a level that is not trained here `real` has the picture, where that is given.
        """
        rows, picture = {}, None
        for level, noise in zip(self.levels, noises, strict=True):
            if real and level not in self.trained:
                picture, _ = real[level.k - 1]
                continue
            low = None if level.k == 1 else enlarge(picture, level.sides)
            with chainer.no_backprop_mode():
                picture = level.draw(low, noise, self.one_hot(labels, like=noise)).array
            if level.k > 1:
                rows |= {f"low {level.k}": low, f"residual {level.k}": picture - low}
            rows[f"picture {level.k}"] = picture
        return rows

    def generate(self, labels, *noises):
        return self.strip(labels, *noises)[f"picture {len(noises)}"]


def train(run, model):
    for batch in run.batches():
        losses = model.train_step(batch)
        run.log(losses)
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    given, real = run.examples, model.pyramid(run.examples["images"])
    noises = [given[f"noise{level.k}"] for level in model.levels]
    rows = model.strip(given["labels"], *noises, real=real)
    *way, last = rows
    run.show(**{name: rows[name][:10] for name in way}, sample=rows[last])


if __name__ == "__main__":
    main("lapgan", framework, LAPGAN, train, sample)
