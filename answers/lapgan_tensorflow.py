"""Question 11: LAPGAN — TensorFlow.

Draw coarsely, enlarge, add what is missing, and again: a GAN for each level of a Laplacian pyramid
(Denton et al. 2015, arXiv 1506.05751).
"""

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import SGD, Conv2d, Linear, float_type, leaky_relu, resize
from knock.run import main

import tensorflow as tf


def smooth(images):
    """(1, 2, 1)/4 along rows and columns: (1, 1)/2, twice. Beyond an edge, its last pixel again."""
    h = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    return tf.nn.avg_pool2d(tf.nn.avg_pool2d(h, 2, 1, "VALID"), 2, 1, "VALID")


def shrink(images, sides):
    """d(I): smoothed, then fewer pixels, linearly between the middles of the old ones."""
    return resize(smooth(images), sides)


def enlarge(images, sides):
    """u(I): more pixels, then smoothed."""
    return smooth(resize(images, sides))


class CoarsestGenerator(tf.Module):
    def __init__(self, image_shape, constants):
        super().__init__()
        (channels, h, w), hidden = image_shape, constants["g_hidden"]
        self.map_shape = [-1, h, w, channels]
        self.fc1 = Linear(constants["z"] + constants["classes"], hidden)
        self.fc2 = Linear(hidden, hidden)
        self.pixels = Linear(hidden, h * w * channels)

    def __call__(self, asked):  # z + classes
        h = tf.nn.relu(self.fc1(asked))  # 1200
        h = tf.nn.relu(self.fc2(h))  # 1200
        return tf.tanh(tf.reshape(self.pixels(h), self.map_shape))  # H₁×W₁×C in [-1, 1]


class CoarsestDiscriminator(tf.Module):
    def __init__(self, image_shape, constants):
        super().__init__()
        (channels, h, w), hidden = image_shape, constants["d_hidden"]
        self.fc1 = Linear(h * w * (channels + constants["classes"]), hidden)
        self.fc2 = Linear(hidden, hidden)
        self.real = Linear(hidden, 1)

    def __call__(self, told, mask1, mask2):  # H₁×W₁×(C + classes); masks of the dropouts: 0 or 2
        h = tf.nn.relu(self.fc1(tf.reshape(told, [told.shape[0], -1]))) * mask1  # 600
        h = tf.nn.relu(self.fc2(h)) * mask2  # 600
        return self.real(h)  # 1: a logit, above 0 where it says "real"


class Generator(tf.Module):
    def __init__(self, image_shape, constants):
        super().__init__()
        channels, width = image_shape[0], constants["g_width"]
        self.conv1 = Conv2d(channels + 1 + constants["classes"], width, 5, padding=2)
        self.conv2 = Conv2d(width, width, 5, padding=2)
        self.residual = Conv2d(width, channels, 5, padding=2)

    def __call__(self, asked):  # Hₖ×Wₖ×(C + 1 + classes)
        h = tf.nn.relu(self.conv1(asked))  # Hₖ×Wₖ×64
        h = tf.nn.relu(self.conv2(h))  # Hₖ×Wₖ×64
        return self.residual(h)  # Hₖ×Wₖ×C


class Discriminator(tf.Module):
    def __init__(self, image_shape, constants):
        super().__init__()
        (channels, h, w), width = image_shape, constants["d_width"]
        told = channels + constants["classes"]
        self.conv1 = Conv2d(told, width, 5, stride=2, padding=2)
        self.conv2 = Conv2d(width, width, 5, stride=2, padding=2)
        self.real = Linear(width * -(-h // 4) * -(-w // 4), 1)  # a half is rounded up

    def __call__(self, told):  # Hₖ×Wₖ×(C + classes)
        h = leaky_relu(self.conv1(told), 0.2)  # Hₖ/2×Wₖ/2×64
        h = leaky_relu(self.conv2(h), 0.2)  # Hₖ/4×Wₖ/4×64
        return self.real(tf.reshape(h, [h.shape[0], -1]))  # 1: a logit


def tell(maps, classes):
    """A plane of ones or zeros for each class, after the maps."""
    planes = classes[:, None, None, :] * tf.ones_like(maps[..., :1])
    return tf.concat([maps, planes], axis=3)


def called_real(logits):
    """Cross-entropy against label 1: the mean of −log σ(logit)."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.ones_like(logits), logits))


def called_fake(logits):
    """Cross-entropy against label 0: the mean of −log(1 − σ(logit))."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.zeros_like(logits), logits))


class Level:  # the GAN of one level; it knows no other, as it starts from real pictures
    def __init__(self, k, sides, recipe):
        self.k, self.sides, shape = k, sides, (recipe.image_shape[0], *sides)
        kinds = (CoarsestGenerator, CoarsestDiscriminator) if k == 1 else (Generator, Discriminator)
        self.generator, self.discriminator = (kind(shape, recipe.constants) for kind in kinds)
        d, g = recipe.optimizers[f"d_optimizer{k}"], recipe.optimizers[f"g_optimizer{k}"]
        self.d_optimizer = SGD(self.discriminator.trainable_variables, d.lr, d.momentum)
        self.g_optimizer = SGD(self.generator.trainable_variables, g.lr, g.momentum)

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
                    real_logits, fake_logits = (self.discriminator(x, *masks) for x in (real, fake))
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
        self.levels = [Level(k, sides, recipe) for k, sides in enumerate(recipe.levels, 1)]
        for level in self.levels:  # the coarsest first
            for part in ("generator", "discriminator", "d_optimizer", "g_optimizer"):
                setattr(self, f"{part}{level.k}", getattr(level, part))
        self.constants, self.first = recipe.constants, recipe.optimizers

    def one_hot(self, labels):
        """N class numbers as N×classes zeros with a one at the class; N×0 if no class is given."""
        return tf.one_hot(labels, self.constants["classes"], dtype=float_type())

    def pyramid(self, images):
        """Of each level, the coarsest first, its picture Iₖ and what it starts from, u(Iₖ₋₁)."""
        pictures = [images]
        for level in self.levels[-2::-1]:
            pictures.insert(0, shrink(pictures[0], level.sides))
        lows = (enlarge(pictures[level.k - 2], level.sides) for level in self.levels[1:])
        return list(zip(pictures, [None, *lows], strict=True))  # nothing is below the coarsest

    def set_rates(self, epoch):
        """A learning rate that falls, and a momentum that rises, with every epoch."""
        epoch = tf.cast(epoch, float_type())
        for name, first in self.first.items():
            optimizer = getattr(self, name)
            optimizer.lr.assign(first.lr / (1 + self.constants["lr_decay"]) ** epoch)
            grown = first.momentum + self.constants["momentum_step"] * epoch
            optimizer.momentum.assign(tf.minimum(grown, self.constants["momentum_most"]))

    @tf.function
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
