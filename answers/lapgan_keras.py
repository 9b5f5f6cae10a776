"""Question 11: LAPGAN — Keras.

Draw coarsely, enlarge, add what is missing, and again: a GAN for each level of a Laplacian pyramid
(Denton et al. 2015, arXiv 1506.05751).
"""

from knock.frameworks import keras as framework
from knock.frameworks.keras import SGD, Conv2D, leaky_relu, resize
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


def smooth(images):
    """(1, 2, 1)/4 along rows and columns: (1, 1)/2, twice. Beyond an edge, its last pixel again."""
    h = ops.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "symmetric")
    return ops.average_pool(ops.average_pool(h, 2, 1), 2, 1)


def shrink(images, sides):
    """d(I): smoothed, then fewer pixels, linearly between the middles of the old ones."""
    return resize(smooth(images), sides)


def enlarge(images, sides):
    """u(I): more pixels, then smoothed."""
    return smooth(resize(images, sides))


class CoarsestGenerator(keras.Model):
    def __init__(self, image_shape, constants):
        super().__init__()
        channels, h, w = image_shape
        self.fc1 = layers.Dense(constants["g_hidden"])
        self.fc2 = layers.Dense(constants["g_hidden"])
        self.pixels = layers.Dense(h * w * channels)
        self.reshape = layers.Reshape([h, w, channels])

    def call(self, asked):  # z + classes
        h = ops.relu(self.fc1(asked))  # 1200
        h = ops.relu(self.fc2(h))  # 1200
        return ops.tanh(self.reshape(self.pixels(h)))  # H₁×W₁×C in [-1, 1]


class CoarsestDiscriminator(keras.Model):
    def __init__(self, _, constants):  # Keras sees what comes in
        super().__init__()
        self.flatten = layers.Flatten()
        self.fc1 = layers.Dense(constants["d_hidden"])
        self.fc2 = layers.Dense(constants["d_hidden"])
        self.real = layers.Dense(1)

    def call(self, told, mask1, mask2):  # H₁×W₁×(C + classes); masks of the dropouts: 0 or 2
        h = ops.relu(self.fc1(self.flatten(told))) * mask1  # 600
        h = ops.relu(self.fc2(h)) * mask2  # 600
        return self.real(h)  # 1: a logit, above 0 where it says "real"


class Generator(keras.Model):
    def __init__(self, image_shape, constants):
        super().__init__()
        self.conv1 = Conv2D(constants["g_width"], 5, pad=2)
        self.conv2 = Conv2D(constants["g_width"], 5, pad=2)
        self.residual = Conv2D(image_shape[0], 5, pad=2)

    def call(self, asked):  # Hₖ×Wₖ×(C + 1 + classes)
        h = ops.relu(self.conv1(asked))  # Hₖ×Wₖ×64
        h = ops.relu(self.conv2(h))  # Hₖ×Wₖ×64
        return self.residual(h)  # Hₖ×Wₖ×C


class Discriminator(keras.Model):
    def __init__(self, _, constants):
        super().__init__()
        self.conv1 = Conv2D(constants["d_width"], 5, strides=2, pad=2)
        self.conv2 = Conv2D(constants["d_width"], 5, strides=2, pad=2)
        self.flatten = layers.Flatten()
        self.real = layers.Dense(1)

    def call(self, told):  # Hₖ×Wₖ×(C + classes)
        h = leaky_relu(self.conv1(told), 0.2)  # Hₖ/2×Wₖ/2×64
        h = leaky_relu(self.conv2(h), 0.2)  # Hₖ/4×Wₖ/4×64
        return self.real(self.flatten(h))  # 1: a logit


def tell(maps, classes):
    """A plane of ones or zeros for each class, after the maps."""
    planes = classes[:, None, None, :] * ops.ones_like(maps[..., :1])
    return ops.concatenate([maps, planes], axis=3)


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return ops.mean(ops.binary_crossentropy(ops.ones_like(logits), logits, from_logits=True))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return ops.mean(ops.binary_crossentropy(ops.zeros_like(logits), logits, from_logits=True))


class Level:  # the GAN of one level; it knows no other, as it starts from real pictures
    def __init__(self, k, sides, recipe):
        self.k, self.sides, shape = k, sides, (recipe.image_shape[0], *sides)
        kinds = (CoarsestGenerator, CoarsestDiscriminator) if k == 1 else (Generator, Discriminator)
        self.generator, self.discriminator = (kind(shape, recipe.constants) for kind in kinds)
        d, g = recipe.optimizers[f"d_optimizer{k}"], recipe.optimizers[f"g_optimizer{k}"]
        self.d_optimizer = SGD(d.lr, d.momentum)
        self.g_optimizer = SGD(g.lr, g.momentum)

    def draw(self, low, noise, classes):
        """A picture from noise; above the coarsest level, low + G(low, noise)."""
        if self.k == 1:
            return self.generator(ops.concatenate([noise, classes], axis=1))
        return low + self.generator(tell(ops.concatenate([low, noise], axis=3), classes))

    def train_step(self, images, low, noise, classes, *masks):
        # A real residual is I − low, and low is added to it before anybody looks: that is I.
        real = tell(images, classes)
        with tf.GradientTape() as generator_tape:
            fake = tell(self.draw(low, noise, classes), classes)
            # The discriminator's step, on a tape of its own; the generator's does not run on.
            with generator_tape.stop_recording():
                with tf.GradientTape() as tape:
                    real_logits, fake_logits = (self.discriminator(x, *masks) for x in (real, fake))
                    discriminator_loss = called_real(real_logits) + called_fake(fake_logits)
                weights = self.discriminator.trainable_variables
                self.d_optimizer.apply(tape.gradient(discriminator_loss, weights), weights)
            # The generator's: to be called real by the discriminator's new weights.
            generator_loss = called_real(self.discriminator(fake, *masks))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(generator_tape.gradient(generator_loss, weights), weights)
        return {f"discriminator{self.k}": discriminator_loss, f"generator{self.k}": generator_loss}


class LAPGAN(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        self.levels = [Level(k, sides, recipe) for k, sides in enumerate(recipe.levels, 1)]
        for level in self.levels:  # the coarsest first
            for part in ("generator", "discriminator", "d_optimizer", "g_optimizer"):
                setattr(self, f"{part}{level.k}", getattr(level, part))
        self.constants, self.first = recipe.constants, recipe.optimizers

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class; N×0 if no class is given."""
        return ops.one_hot(labels, self.constants["classes"], dtype=keras.config.floatx())

    def pyramid(self, images):
        """Of each level, the coarsest first, its picture Iₖ and what it starts from, u(Iₖ₋₁)."""
        pictures = [images]
        for level in self.levels[-2::-1]:
            pictures.insert(0, shrink(pictures[0], level.sides))
        lows = (enlarge(pictures[level.k - 2], level.sides) for level in self.levels[1:])
        return list(zip(pictures, [None, *lows], strict=True))  # nothing is below the coarsest

    def set_rates(self, epoch):
        """A learning rate that falls, and a momentum that rises, with every epoch."""
        epoch = ops.cast(epoch, keras.config.floatx())
        for name, first in self.first.items():
            optimizer = getattr(self, name)
            optimizer.learning_rate.assign(first.lr / (1 + self.constants["lr_decay"]) ** epoch)
            grown = first.momentum + self.constants["momentum_step"] * epoch
            optimizer.momentum.assign(ops.minimum(grown, self.constants["momentum_most"]))

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        self.set_rates(batch["epoch"])
        classes, losses = self.one_hot(batch["labels"]), {}
        for level, (images, low) in zip(self.levels, self.pyramid(batch["images"]), strict=True):
            masks = (batch["mask1"], batch["mask2"]) if level.k == 1 else ()
            losses |= level.train_step(images, low, batch[f"noise{level.k}"], classes, *masks)
        return losses

    def coarsest(self, images):
        return self.pyramid(images)[0][0]

    def rebuild(self, images):  # from the coarsest picture, corrected by every residual
        (picture, _), *finer = self.pyramid(images)
        for images, low in finer:
            picture = enlarge(picture, images.shape[1:3]) + (images - low)
        return picture

    def strip(self, labels, *noises):
        """Coarse to fine: what each level starts from, its residual, and the picture they make."""
        rows, picture, classes = {}, None, self.one_hot(labels)
        for level, noise in zip(self.levels, noises, strict=True):
            low = None if picture is None else enlarge(picture, level.sides)
            picture = level.draw(low, noise, classes)
            own = {"low": low, "residual": picture - low} if level.k > 1 else {}
            rows |= {f"{name} {level.k}": row for name, row in [*own.items(), ("picture", picture)]}
        return rows

    def generate(self, labels, *noises):
        return self.strip(labels, *noises)[f"picture {len(noises)}"]


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    noises = (run.examples[f"noise{level.k}"] for level in model.levels)
    *way, (_, last) = model.strip(run.examples["labels"], *noises).items()
    run.show(**{name: row[:10] for name, row in way}, sample=last)


if __name__ == "__main__":
    main("lapgan", framework, LAPGAN, train, sample)
