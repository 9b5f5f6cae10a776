"""Question 11: LAPGAN — TensorFlow.

Draw coarsely, enlarge, add what is missing, and again. Each level of a Laplacian pyramid has a GAN
of its own: the coarsest draws a small picture, the others the detail of an enlarged one (Denton et
al. 2015, "Deep generative image models using a Laplacian pyramid of adversarial networks", arXiv
1506.05751).
"""

from knock.frameworks import tensorflow as framework
from knock.run import main

import numpy as np
import tensorflow as tf


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
    rows, columns = (
        tf.constant(matrix(n, m), images.dtype)
        for n, m in zip(images.shape[1:3], sides, strict=True)
    )
    return tf.einsum("yh,nhwc,xw->nyxc", rows, images, columns)


def shrink(images, sides):
    """d(I): smoothed, then fewer pixels."""
    return along_sides(lambda n, m: stretch(n, m) @ blur(n), images, sides)


def enlarge(images, sides):
    """u(I): more pixels, then smoothed."""
    return along_sides(lambda n, m: blur(m) @ stretch(n, m), images, sides)


class CoarsestGenerator(tf.Module):
    def __init__(self, inputs, image_shape, hidden):
        super().__init__()
        channels, h, w = image_shape
        self.map_shape = [-1, h, w, channels]
        self.fc1 = framework.Linear(inputs, hidden)
        self.fc2 = framework.Linear(hidden, hidden)
        self.pixels = framework.Linear(hidden, h * w * channels)

    def __call__(self, asked):  # z + classes
        h = tf.nn.relu(self.fc1(asked))  # 1200
        h = tf.nn.relu(self.fc2(h))  # 1200
        h = tf.reshape(self.pixels(h), self.map_shape)
        return tf.tanh(h)  # H₁×W₁×C in [-1, 1]


class CoarsestDiscriminator(tf.Module):
    def __init__(self, input_shape, hidden):
        super().__init__()
        channels, h, w = input_shape
        self.flat = [-1, h * w * channels]
        self.fc1 = framework.Linear(h * w * channels, hidden)
        self.fc2 = framework.Linear(hidden, hidden)
        self.real = framework.Linear(hidden, 1)

    def __call__(self, told, mask1, mask2):  # H₁×W₁×(C + classes); masks of the dropouts: 0 or 2
        h = tf.nn.relu(self.fc1(tf.reshape(told, self.flat))) * mask1  # 600
        h = tf.nn.relu(self.fc2(h)) * mask2  # 600
        return self.real(h)  # 1: a logit, above 0 where it says "real"


class Generator(tf.Module):
    def __init__(self, inputs, channels, width):
        super().__init__()
        self.conv1 = framework.Conv2d(inputs, width, 5, padding=2)
        self.conv2 = framework.Conv2d(width, width, 5, padding=2)
        self.residual = framework.Conv2d(width, channels, 5, padding=2)

    def __call__(self, asked):  # Hₖ×Wₖ×(C + 1 + classes)
        h = tf.nn.relu(self.conv1(asked))  # Hₖ×Wₖ×64
        h = tf.nn.relu(self.conv2(h))  # Hₖ×Wₖ×64
        return self.residual(h)  # Hₖ×Wₖ×C


class Discriminator(tf.Module):
    def __init__(self, input_shape, width):
        super().__init__()
        channels, h, w = input_shape
        self.flat = [-1, width * -(-h // 4) * -(-w // 4)]  # a half is rounded up
        self.conv1 = framework.Conv2d(channels, width, 5, stride=2, padding=2)
        self.conv2 = framework.Conv2d(width, width, 5, stride=2, padding=2)
        self.real = framework.Linear(self.flat[1], 1)

    def __call__(self, told):  # Hₖ×Wₖ×(C + classes)
        h = framework.leaky_relu(self.conv1(told), 0.2)  # Hₖ/2×Wₖ/2×64
        h = framework.leaky_relu(self.conv2(h), 0.2)  # Hₖ/4×Wₖ/4×64
        return self.real(tf.reshape(h, self.flat))  # 1: a logit


def tell(maps, classes):
    """A plane of ones or zeros for each class, behind the maps."""
    planes = classes[:, None, None, :] * tf.ones_like(maps[..., :1])
    return tf.concat([maps, planes], axis=3)


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    ones = tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(ones, logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    zeros = tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(zeros, logits))


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
        self.d_optimizer = framework.SGD(self.discriminator.trainable_variables, d.lr, d.momentum)
        self.g_optimizer = framework.SGD(self.generator.trainable_variables, g.lr, g.momentum)

    def draw(self, low, noise, classes):
        """A picture from noise; above the coarsest level, low + G(low, noise)."""
        if self.k == 1:
            return self.generator(tf.concat([noise, classes], axis=1))
        return low + self.generator(tell(tf.concat([low, noise], axis=3), classes))

    def train_step(self, images, low, noise, classes, *masks):
        # A real residual is I − low, and low is added to it before anybody looks: that is I.
        real = tell(images, classes)
        with tf.GradientTape() as generator_tape:
            fake = tell(self.draw(low, noise, classes), classes)

            # The discriminator's step, on a tape of its own; the generator's does not run on.
            with generator_tape.stop_recording():
                with tf.GradientTape() as tape:
                    real_logits = self.discriminator(real, *masks)
                    fake_logits = self.discriminator(fake, *masks)
                    discriminator_loss = called_real(real_logits) + called_fake(fake_logits)
                weights = self.discriminator.trainable_variables
                self.d_optimizer.apply(tape.gradient(discriminator_loss, weights))

            # The generator's: to be called real by the discriminator's new weights.
            generator_loss = called_real(self.discriminator(fake, *masks))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(generator_tape.gradient(generator_loss, weights))
        return {f"discriminator{self.k}": discriminator_loss, f"generator{self.k}": generator_loss}


class LAPGAN:
    def __init__(self, recipe):
        self.levels = [Level(k, recipe) for k in range(1, len(recipe.levels) + 1)]  # coarsest first
        for level in self.levels:
            for part in ("generator", "discriminator", "d_optimizer", "g_optimizer"):
                setattr(self, f"{part}{level.k}", getattr(level, part))
        self.constants, self.first = recipe.constants, recipe.optimizers
        only = self.constants["level"]
        self.trained = [self.levels[only - 1]] if only else self.levels

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class; N×0 where none are told."""
        return tf.one_hot(labels, self.constants["classes"], dtype=framework.float_type())

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
        epoch, constants = tf.cast(epoch, framework.float_type()), self.constants
        grown = constants["momentum_step"] * epoch
        for name, first in self.first.items():
            optimizer = getattr(self, name)
            optimizer.lr.assign(first.lr / (1 + constants["lr_decay"]) ** epoch)
            momentum = tf.minimum(first.momentum + grown, constants["momentum_most"])
            optimizer.momentum.assign(momentum)

    @tf.function
    def train_step(self, batch):
        self.set_rates(batch["epoch"])
        classes, losses = self.one_hot(batch["labels"]), {}
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
            picture = enlarge(picture, images.shape[1:3]) + (images - low)
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
            picture = level.draw(low, noise, self.one_hot(labels))
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
