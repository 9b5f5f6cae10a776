"""Question 14: the GAN landscape — Keras.

Three losses, four ways to normalise the discriminator, a penalty and two architectures: one thing
changes at a time (Kurach et al. 2018, "A large-scale study on regularization and normalization in
GANs", arXiv 1807.04720). New here is spectral normalisation (Miyato et al. 2018, "Spectral
normalization for generative adversarial networks", arXiv 1802.05957).
"""

import math

from knock.frameworks import keras as framework
from knock.frameworks.keras import Adam, BatchNorm, Conv2D, Conv2DTranspose, LayerNorm, leaky_relu
from knock.run import main

import keras
import tensorflow as tf
from keras import layers, ops


def power(matrix, u):
    """One round of the power iteration (Miyato et al. 2018, algorithm 1): the next u, and v."""
    v = unit(ops.matmul(matrix, u))
    return unit(ops.matmul(v, matrix)), v


def unit(vector):
    """A vector of length 1 in the same direction."""
    return vector / ops.maximum(ops.sqrt(ops.sum(ops.square(vector))), 1e-12)


def spectral(weight, u):
    """W / σ. As a matrix with a column for each output, W stretches no vector by more than σ."""
    matrix = ops.reshape(weight, (-1, u.shape[0]))
    u, v = (ops.stop_gradient(one) for one in power(matrix, u))  # constants; σ is not
    return weight / ops.sum(v * ops.matmul(matrix, u))


class SpectralConv(Conv2D):
    def build(self, shape):
        super().build(shape)
        self.u = self.add_weight(
            shape=(self.filters,), initializer="zeros", trainable=False, name="u"
        )

    def call(self, x):
        sides = (self.pad, self.pad)
        x = ops.pad(x, ((0, 0), sides, sides, (0, 0)))
        return ops.conv(x, spectral(self.kernel, self.u), self.strides, "valid") + self.bias


class SpectralLinear(layers.Dense):
    def build(self, shape):
        super().build(shape)
        self.u = self.add_weight(
            shape=(self.units,), initializer="zeros", trainable=False, name="u"
        )

    def call(self, x):
        return ops.matmul(x, spectral(self.kernel, self.u)) + self.bias


def turn(network):
    """Keep the next u of every spectral layer: once in a step, before its weights change."""
    for layer in network.layers:
        if isinstance(layer, (SpectralConv, SpectralLinear)):
            layer.u.assign(power(ops.reshape(layer.kernel, (-1, layer.u.shape[0])), layer.u)[0])
        elif isinstance(layer, Block):
            turn(layer)


class Generator(keras.Model):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        small = (h // 8, w // 8, 8 * width)
        self.fc = layers.Dense(math.prod(small), use_bias=False)
        self.bn0 = BatchNorm()
        self.reshape = layers.Reshape(small)
        up = {"kernel_size": 4, "strides": 2, "pad": 1, "use_bias": False}  # doubles the sides
        self.tconv1 = Conv2DTranspose(4 * width, **up)
        self.bn1 = BatchNorm()
        self.tconv2 = Conv2DTranspose(2 * width, **up)
        self.bn2 = BatchNorm()
        self.tconv3 = Conv2DTranspose(width, **up)
        self.bn3 = BatchNorm()
        self.pixels = Conv2DTranspose(channels, kernel_size=3, pad=1)

    def call(self, noise, training=True):  # z
        h = ops.relu(self.bn0(self.fc(noise), training=training))  # H/8·W/8·512
        h = self.reshape(h)  # H/8×W/8×512
        h = ops.relu(self.bn1(self.tconv1(h), training=training))  # H/4×W/4×256
        h = ops.relu(self.bn2(self.tconv2(h), training=training))  # H/2×W/2×128
        h = ops.relu(self.bn3(self.tconv3(h), training=training))  # H×W×64
        return ops.tanh(self.pixels(h))  # H×W×C in [-1, 1]


class Discriminator(keras.Model):
    def __init__(self, width, norm):
        super().__init__()
        conv, linear = layers_of(norm)
        same = {"kernel_size": 3, "pad": 1}
        down = {"kernel_size": 4, "strides": 2, "pad": 1}  # halves the sides
        self.conv1 = conv(width, **same)
        self.conv2 = conv(2 * width, **down)
        self.norm2 = norm_of(norm)
        self.conv3 = conv(2 * width, **same)
        self.norm3 = norm_of(norm)
        self.conv4 = conv(4 * width, **down)
        self.norm4 = norm_of(norm)
        self.conv5 = conv(4 * width, **same)
        self.norm5 = norm_of(norm)
        self.conv6 = conv(8 * width, **down)
        self.norm6 = norm_of(norm)
        self.conv7 = conv(8 * width, **same)
        self.norm7 = norm_of(norm)
        self.flatten = layers.Flatten()
        self.score = linear(1)

    def call(self, images):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.1)  # H×W×64
        h = leaky_relu(self.norm2(self.conv2(h)), 0.1)  # H/2×W/2×128
        h = leaky_relu(self.norm3(self.conv3(h)), 0.1)  # H/2×W/2×128
        h = leaky_relu(self.norm4(self.conv4(h)), 0.1)  # H/4×W/4×256
        h = leaky_relu(self.norm5(self.conv5(h)), 0.1)  # H/4×W/4×256
        h = leaky_relu(self.norm6(self.conv6(h)), 0.1)  # H/8×W/8×512
        h = leaky_relu(self.norm7(self.conv7(h)), 0.1)  # H/8×W/8×512
        return self.score(self.flatten(h))  # 1: a score, without a sigmoid


def layers_of(norm):
    """The discriminator's kinds of convolution and linear layer."""
    return (SpectralConv, SpectralLinear) if norm == "spectral" else (Conv2D, layers.Dense)


def norm_of(norm):
    """What the discriminator has before its activations."""
    if norm == "batch":
        return BatchNorm(running=False)
    if norm == "layer":
        return LayerNorm()  # each picture by itself, over H, W and C
    return layers.Identity()


class ResNetGenerator(keras.Model):
    def __init__(self, image_shape, width):
        super().__init__()
        channels, h, w = image_shape
        small = (h // 8, w // 8, width)
        self.fc = layers.Dense(math.prod(small))
        self.reshape = layers.Reshape(small)
        self.block1, self.block2, self.block3 = UpBlock(width), UpBlock(width), UpBlock(width)
        self.bn = BatchNorm()
        self.pixels = Conv2D(channels, kernel_size=3, pad=1)

    def call(self, noise, training=True):  # z
        h = self.reshape(self.fc(noise))  # H/8×W/8×64
        for block in (self.block1, self.block2, self.block3):
            h = block(h, training=training)  # at last H×W×64
        return ops.tanh(self.pixels(ops.relu(self.bn(h, training=training))))  # H×W×C in [-1, 1]


class UpBlock(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.short = Conv2D(width, kernel_size=1)
        self.bn1 = BatchNorm()
        self.conv1 = Conv2D(width, kernel_size=3, pad=1)
        self.bn2 = BatchNorm()
        self.conv2 = Conv2D(width, kernel_size=3, pad=1)

    def call(self, x, training):  # h×w×64
        h = self.conv1(doubled(ops.relu(self.bn1(x, training=training))))  # 2h×2w×64
        h = self.conv2(ops.relu(self.bn2(h, training=training)))  # 2h×2w×64
        return h + self.short(doubled(x))


def doubled(maps):
    """Each pixel four times: twice the height, twice the width."""
    return ops.repeat(ops.repeat(maps, 2, axis=1), 2, axis=2)


class ResNetDiscriminator(keras.Model):
    def __init__(self, width, norm):
        super().__init__()
        self.block1 = Block(width, norm, first=True, down=True)
        self.block2 = Block(width, norm, down=True)
        self.block3 = Block(width, norm)
        self.block4 = Block(width, norm)
        _, linear = layers_of(norm)
        self.score = linear(1)

    def call(self, images):  # H×W×C
        h = self.block2(self.block1(images))  # H/4×W/4×64
        h = ops.relu(self.block4(self.block3(h)))  # H/4×W/4×64
        return self.score(ops.mean(h, axis=[1, 2]))  # 1: a score, without a sigmoid


class Block(keras.Model):
    def __init__(self, width, norm, first=False, down=False):
        super().__init__()
        self.first, self.down = first, down
        conv, _ = layers_of(norm)
        if down:
            self.short = conv(width, kernel_size=1)
        self.norm1 = norm_of("none" if first else norm)
        self.conv1 = conv(width, kernel_size=3, pad=1)
        self.norm2 = norm_of("none" if first else norm)
        self.conv2 = conv(width, kernel_size=3, pad=1)

    def call(self, x):  # the first block's: pixels
        h = x if self.first else ops.relu(self.norm1(x))
        h = self.conv2(ops.relu(self.norm2(self.conv1(h))))
        if not self.down:
            return h + x
        return halved(h) + self.short(halved(x))


def halved(maps):
    """The mean of each 2×2 pixels: half the height, half the width."""
    return ops.average_pool(maps, 2)


def networks_of(recipe):
    """The generator and the discriminator of the recipe's architecture."""
    shape, constants = recipe.image_shape, recipe.constants
    g_width, d_width, norm = constants["g_width"], constants["d_width"], constants["norm"]
    if constants["architecture"] == "resnet":
        return ResNetGenerator(shape, g_width), ResNetDiscriminator(d_width, norm)
    return Generator(shape, g_width), Discriminator(d_width, norm)


def discriminator_loss(loss, real, fake):
    """What the discriminator pays for its scores of real and of fake pictures, N×1 each."""
    if loss == "non_saturating":  # cross-entropy: the mean of −log σ(real), of −log(1 − σ(fake))
        return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))
    if loss == "least_squares":  # Mao et al. 2016, equation 9
        return (ops.mean(ops.square(real - 1)) + ops.mean(ops.square(fake))) / 2
    return ops.mean(fake) - ops.mean(real)  # wasserstein: Arjovsky et al. 2017


def generator_loss(loss, fake):
    """What the generator pays for the scores of its pictures."""
    if loss == "non_saturating":
        return ops.mean(ops.softplus(-fake))
    if loss == "least_squares":
        return ops.mean(ops.square(fake - 1)) / 2
    return -ops.mean(fake)


class GANLandscape(keras.Model):
    def __init__(self, recipe):
        super().__init__()
        self.generator, self.discriminator = networks_of(recipe)
        self.loss = recipe.constants["loss"]
        self.penalty_weight = recipe.constants["penalty_weight"]
        self.rounds = recipe.train.rounds
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(d.lr, *d.betas)
        self.g_optimizer = Adam(g.lr, *g.betas)

    def slope(self, images):
        """How steep the discriminator is at each picture: ‖∂D/∂x‖ over all its numbers, N."""
        with tf.GradientTape() as tape:  # within the outer one: a gradient of a gradient
            tape.watch(images)
            scores = ops.sum(self.discriminator(images))
        squares = ops.square(tape.gradient(scores, images))
        return ops.sqrt(ops.sum(squares, axis=[1, 2, 3]) + 1e-12)

    @tf.function  # called by our own loop, not by fit, which would know one loss and one optimizer
    def train_step(self, batch):
        # The discriminator's steps, each with its own batch.
        weights = self.discriminator.trainable_variables
        rounds = (ops.split(batch[name], self.rounds) for name in ("images", "noise", "epsilon"))
        for images, noise, epsilon in zip(*rounds, strict=True):
            fake = self.generator(noise)  # on no tape: the generator does not learn here
            with tf.GradientTape() as tape:
                real, made = self.discriminator(images), self.discriminator(fake)
                d_loss = discriminator_loss(self.loss, real, made)
                if self.penalty_weight > 0:
                    length = self.slope(epsilon * images + (1 - epsilon) * fake)
                    d_loss += self.penalty_weight * ops.mean(ops.square(length - 1))
            gradients = tape.gradient(d_loss, weights)
            turn(self.discriminator)
            self.d_optimizer.apply(gradients, weights)

        # The generator's step, against the discriminator's new weights.
        with tf.GradientTape() as tape:
            made = self.discriminator(self.generator(batch["g_noise"]))
            g_loss = generator_loss(self.loss, made)
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"discriminator": d_loss, "generator": g_loss}

    @tf.function
    def generate(self, noise):
        return self.generator(noise, training=False)  # batch normalisation in evaluation mode


def train(run, model):
    for batch in run.batches():
        run.log(model.train_step(batch))
        if run.sample_due:
            sample(run, model)


def sample(run, model):
    run.show(sample=model.generate(run.examples["noise"]))


if __name__ == "__main__":
    main("gan_landscape", framework, GANLandscape, train, sample)
