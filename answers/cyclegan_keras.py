"""Question 20: CycleGAN — Keras.

Two kinds of pictures, and not one pair: a translator each way, a discriminator for each kind, and
the demand that a picture comes back from the trip there and back (Zhu et al. 2017, "Unpaired
image-to-image translation using cycle-consistent adversarial networks", arXiv 1703.10593).
"""

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam, Conv2D, Conv2DTranspose, InstanceNorm, leaky_relu
from knock.run import main

import keras
import tensorflow as tf
from keras import ops

BY_TWO = {"kernel_size": 4, "strides": 2, "pad": 1}


class Generator(keras.Model):
    """Question 08's U-Net with three halvings; each map of each picture is normalised by itself."""

    def __init__(self, image_shape, width):
        super().__init__()
        channels = image_shape[0]
        self.down1 = Conv2D(width, **BY_TWO)
        self.down2 = Conv2D(2 * width, **BY_TWO, use_bias=False)
        self.down_norm2 = InstanceNorm()
        self.down3 = Conv2D(4 * width, **BY_TWO, use_bias=False)
        self.down_norm3 = InstanceNorm()
        self.up3 = Conv2DTranspose(2 * width, **BY_TWO, use_bias=False)
        self.up_norm3 = InstanceNorm()
        self.up2 = Conv2DTranspose(width, **BY_TWO, use_bias=False)
        self.up_norm2 = InstanceNorm()
        self.up1 = Conv2DTranspose(channels, **BY_TWO)

    def call(self, images):  # H×W×C
        skip1 = self.down1(images)  # H/2×W/2×64
        skip2 = self.down_norm2(self.down2(leaky_relu(skip1, 0.2)))  # H/4×W/4×128
        h = self.down_norm3(self.down3(leaky_relu(skip2, 0.2)))  # H/8×W/8×256
        h = self.up_norm3(self.up3(ops.relu(h)))  # H/4×W/4×128
        h = self.up_norm2(self.up2(ops.relu(ops.concatenate([h, skip2], axis=3))))  # H/2×W/2×64
        return ops.tanh(self.up1(ops.relu(ops.concatenate([h, skip1], axis=3))))  # H×W×C in [-1, 1]


class Discriminator(keras.Model):
    """A PatchGAN: each number says how real 34×34 pixels are, 1 for real."""

    def __init__(self, image_shape, width):
        super().__init__()
        self.conv1 = Conv2D(width, **BY_TWO)
        self.conv2 = Conv2D(2 * width, **BY_TWO, use_bias=False)
        self.norm2 = InstanceNorm()
        self.conv3 = Conv2D(4 * width, kernel_size=4, pad=1, use_bias=False)
        self.norm3 = InstanceNorm()
        self.real = Conv2D(1, kernel_size=4, pad=1)

    def call(self, images):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.2)  # H/2×W/2×64
        h = leaky_relu(self.norm2(self.conv2(h)), 0.2)  # H/4×W/4×128
        h = leaky_relu(self.norm3(self.conv3(h)), 0.2)  # a row and a column fewer
        return self.real(h)  # H/4−2×W/4−2×1: a number for each patch


class Pool(keras.layers.Layer):
    """Former pictures of a generator: a discriminator must not forget what it has seen."""

    def __init__(self, image_shape, size, share):
        super().__init__()
        (channels, h, w), self.size, self.share = image_shape, size, share
        shape = (size, h, w, channels)
        self.pictures = self.add_weight(shape, "zeros", trainable=False, name="pictures")

    def exchange(self, fresh, chances, places, step):
        """The pictures to judge: new ones, or former ones in their place. The new stay here."""
        judged, pictures = [], self.pictures.value
        held = (step - 1) * len(fresh)  # so many came before
        for n in range(len(fresh)):
            new, has_room = fresh[n], held + n < self.size
            place = ops.where(has_room, held + n, places[n])
            former = pictures[place]
            is_exchanged = ~has_room & (chances[n] < self.share)  # where there is room, none goes
            kept = ops.where(has_room | is_exchanged, new, former)
            pictures = ops.scatter_update(pictures, [[place]], kept[None])
            judged.append(ops.where(is_exchanged, former, new))
        self.pictures.assign(pictures)
        return ops.stack(judged)


def called_real(values):
    """Least squares against label 1: the mean of (D − 1)²."""
    return ops.mean(ops.square(values - 1))


def called_fake(values):
    """Least squares against label 0: the mean of D²."""
    return ops.mean(ops.square(values))


def distance(made, wanted):
    """L1: the mean of |made − wanted|."""
    return ops.mean(ops.abs(made - wanted))


class CycleGAN(keras.Model):
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
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.g_optimizer = Adam(g.lr, *g.betas)

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        x, y = batch["images"], batch["others"]
        with tf.GradientTape() as generators_tape:
            fake_y, fake_x = self.generator_y(x), self.generator_x(y)

            # The discriminators' step, at half speed, on new fakes and former ones.
            with generators_tape.stop_recording():
                chances, places, step = batch["chance_x"], batch["place_x"], batch["step"]
                old_x = self.pool_x.exchange(fake_x, chances, places, step)
                chances, places = batch["chance_y"], batch["place_y"]
                old_y = self.pool_y.exchange(fake_y, chances, places, step)
                with tf.GradientTape() as tape:
                    real_x, real_y = self.discriminator_x(x), self.discriminator_y(y)
                    d_x_loss = called_real(real_x) + called_fake(self.discriminator_x(old_x))
                    d_y_loss = called_real(real_y) + called_fake(self.discriminator_y(old_y))
                    half = (d_x_loss + d_y_loss) / 2
                judges = (self.discriminator_x, self.discriminator_y)
                weights = [w for one in judges for w in one.trainable_variables]
                self.d_optimizer.apply(tape.gradient(half, weights), weights)

            # The generators': to be called real, to come back, and to leave alone what is right.
            g_x_loss = called_real(self.discriminator_x(fake_x))
            g_y_loss = called_real(self.discriminator_y(fake_y))
            cycle = distance(self.generator_x(fake_y), x) + distance(self.generator_y(fake_x), y)
            identity = distance(self.generator_y(y), y) + distance(self.generator_x(x), x)
            whole = g_x_loss + g_y_loss
            whole += self.cycle_weight * cycle + self.identity_weight * identity
        generators = (self.generator_y, self.generator_x)
        weights = [w for one in generators for w in one.trainable_variables]
        self.g_optimizer.apply(generators_tape.gradient(whole, weights), weights)
        return {
            "discriminator_x": d_x_loss / 2,
            "discriminator_y": d_y_loss / 2,
            "generator_x": g_x_loss,
            "generator_y": g_y_loss,
            "cycle": cycle,
            "identity": identity,
        }

    @tf.function
    def generate(self, images):
        return self.generator_y(images)

    @tf.function
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
