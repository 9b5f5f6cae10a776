"""Question 14: the GAN landscape — TensorFlow.

Three losses, four ways to normalise the discriminator, a penalty and two architectures: one thing
changes at a time (Kurach et al. 2018, "A large-scale study on regularization and normalization in
GANs", arXiv 1807.04720). New here is spectral normalisation (Miyato et al. 2018, "Spectral
normalization for generative adversarial networks", arXiv 1802.05957).
"""

import math

from knock.frameworks import tensorflow as framework
from knock.frameworks.tensorflow import Adam, BatchNorm, Conv2d, LayerNorm, Linear
from knock.frameworks.tensorflow.layers import ConvTranspose2d, float_type, leaky_relu
from knock.run import main

import tensorflow as tf


def power(matrix, u):
    """One round of the power iteration (Miyato et al. 2018, algorithm 1): the next u, and v."""
    v = unit(tf.linalg.matvec(matrix, u))
    return unit(tf.linalg.matvec(matrix, v, transpose_a=True)), v


def unit(vector):
    """A vector of length 1 in the same direction."""
    return vector / tf.maximum(tf.norm(vector), 1e-12)


def spectral(weight, u):
    """W / σ. As a matrix with a column for each output, W stretches no vector by more than σ."""
    matrix = tf.reshape(weight, [-1, u.shape[0]])
    u, v = (tf.stop_gradient(one) for one in power(matrix, u))  # constants; σ is not
    return weight / tf.tensordot(v, tf.linalg.matvec(matrix, u), 1)


class SpectralConv(Conv2d):
    def __init__(self, inputs, outputs, **window):
        super().__init__(inputs, outputs, **window)
        self.u = tf.Variable(tf.zeros(outputs, float_type()), trainable=False)

    def __call__(self, x):
        sides = [self.padding, self.padding]
        x = tf.pad(x, [[0, 0], sides, sides, [0, 0]])
        return tf.nn.conv2d(x, spectral(self.weight, self.u), self.stride, "VALID") + self.bias


class SpectralLinear(Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.u = tf.Variable(tf.zeros(outputs, float_type()), trainable=False)

    def __call__(self, x):
        return tf.matmul(x, spectral(self.weight, self.u)) + self.bias


def turn(network):
    """Keep the next u of every spectral layer: once in a step, before its weights change."""
    for layer in network.submodules:
        if isinstance(layer, (SpectralConv, SpectralLinear)):
            layer.u.assign(power(tf.reshape(layer.weight, [-1, layer.u.shape[0]]), layer.u)[0])


class Generator(tf.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.small = (h // 8, w // 8, 8 * width)
        self.fc = Linear(z, math.prod(self.small), bias=False)
        self.bn0 = BatchNorm(math.prod(self.small))
        up = {"kernel": 4, "stride": 2, "padding": 1, "bias": False}  # doubles the sides
        self.tconv1 = ConvTranspose2d(8 * width, 4 * width, **up)
        self.bn1 = BatchNorm(4 * width)
        self.tconv2 = ConvTranspose2d(4 * width, 2 * width, **up)
        self.bn2 = BatchNorm(2 * width)
        self.tconv3 = ConvTranspose2d(2 * width, width, **up)
        self.bn3 = BatchNorm(width)
        self.pixels = ConvTranspose2d(width, channels, kernel=3, padding=1)

    def __call__(self, noise, training=True):  # z
        h = tf.nn.relu(self.bn0(self.fc(noise), training))  # H/8·W/8·512
        h = tf.reshape(h, [-1, *self.small])  # H/8×W/8×512
        h = tf.nn.relu(self.bn1(self.tconv1(h), training))  # H/4×W/4×256
        h = tf.nn.relu(self.bn2(self.tconv2(h), training))  # H/2×W/2×128
        h = tf.nn.relu(self.bn3(self.tconv3(h), training))  # H×W×64
        return tf.tanh(self.pixels(h))  # H×W×C in [-1, 1]


class Discriminator(tf.Module):
    def __init__(self, image_shape, width, norm):
        super().__init__()
        channels, h, w = image_shape
        conv, linear = layers_of(norm)
        same = {"kernel": 3, "padding": 1}
        down = {"kernel": 4, "stride": 2, "padding": 1}  # halves the sides
        self.conv1 = conv(channels, width, **same)
        self.conv2 = conv(width, 2 * width, **down)
        self.norm2 = norm_of(norm, 2 * width)
        self.conv3 = conv(2 * width, 2 * width, **same)
        self.norm3 = norm_of(norm, 2 * width)
        self.conv4 = conv(2 * width, 4 * width, **down)
        self.norm4 = norm_of(norm, 4 * width)
        self.conv5 = conv(4 * width, 4 * width, **same)
        self.norm5 = norm_of(norm, 4 * width)
        self.conv6 = conv(4 * width, 8 * width, **down)
        self.norm6 = norm_of(norm, 8 * width)
        self.conv7 = conv(8 * width, 8 * width, **same)
        self.norm7 = norm_of(norm, 8 * width)
        self.flat = [-1, 8 * width * (h // 8) * (w // 8)]
        self.score = linear(self.flat[1], 1)

    def __call__(self, images):  # H×W×C
        h = leaky_relu(self.conv1(images), 0.1)  # H×W×64
        h = leaky_relu(self.norm2(self.conv2(h)), 0.1)  # H/2×W/2×128
        h = leaky_relu(self.norm3(self.conv3(h)), 0.1)  # H/2×W/2×128
        h = leaky_relu(self.norm4(self.conv4(h)), 0.1)  # H/4×W/4×256
        h = leaky_relu(self.norm5(self.conv5(h)), 0.1)  # H/4×W/4×256
        h = leaky_relu(self.norm6(self.conv6(h)), 0.1)  # H/8×W/8×512
        h = leaky_relu(self.norm7(self.conv7(h)), 0.1)  # H/8×W/8×512
        return self.score(tf.reshape(h, self.flat))  # 1: a score, without a sigmoid


def layers_of(norm):
    """The discriminator's kinds of convolution and linear layer."""
    return (SpectralConv, SpectralLinear) if norm == "spectral" else (Conv2d, Linear)


def norm_of(norm, channels):
    """What the discriminator has before its activations."""
    if norm == "batch":
        return BatchNorm(channels, running=False)
    if norm == "layer":
        return LayerNorm(channels)  # each picture by itself, over H, W and C
    return tf.identity


class ResNetGenerator(tf.Module):
    def __init__(self, image_shape, z, width):
        super().__init__()
        channels, h, w = image_shape
        self.small = (h // 8, w // 8, width)
        self.fc = Linear(z, math.prod(self.small))
        self.block1, self.block2, self.block3 = UpBlock(width), UpBlock(width), UpBlock(width)
        self.bn = BatchNorm(width)
        self.pixels = Conv2d(width, channels, kernel=3, padding=1)

    def __call__(self, noise, training=True):  # z
        h = tf.reshape(self.fc(noise), [-1, *self.small])  # H/8×W/8×64
        for block in (self.block1, self.block2, self.block3):
            h = block(h, training)  # at last H×W×64
        return tf.tanh(self.pixels(tf.nn.relu(self.bn(h, training))))  # H×W×C in [-1, 1]


class UpBlock(tf.Module):
    def __init__(self, width):
        super().__init__()
        self.short = Conv2d(width, width, kernel=1)
        self.bn1 = BatchNorm(width)
        self.conv1 = Conv2d(width, width, kernel=3, padding=1)
        self.bn2 = BatchNorm(width)
        self.conv2 = Conv2d(width, width, kernel=3, padding=1)

    def __call__(self, x, training):  # h×w×64
        h = self.conv1(doubled(tf.nn.relu(self.bn1(x, training))))  # 2h×2w×64
        h = self.conv2(tf.nn.relu(self.bn2(h, training)))  # 2h×2w×64
        return h + self.short(doubled(x))


def doubled(maps):
    """Each pixel four times: twice the height, twice the width."""
    return tf.repeat(tf.repeat(maps, 2, axis=1), 2, axis=2)


class ResNetDiscriminator(tf.Module):
    def __init__(self, image_shape, width, norm):
        super().__init__()
        self.block1 = Block(image_shape[0], width, norm, first=True, down=True)
        self.block2 = Block(width, width, norm, down=True)
        self.block3 = Block(width, width, norm)
        self.block4 = Block(width, width, norm)
        _, linear = layers_of(norm)
        self.score = linear(width, 1)

    def __call__(self, images):  # H×W×C
        h = self.block2(self.block1(images))  # H/4×W/4×64
        h = tf.nn.relu(self.block4(self.block3(h)))  # H/4×W/4×64
        return self.score(tf.reduce_mean(h, axis=[1, 2]))  # 1: a score, without a sigmoid


class Block(tf.Module):
    def __init__(self, inputs, width, norm, first=False, down=False):
        super().__init__()
        self.first, self.down = first, down
        conv, _ = layers_of(norm)
        if down:
            self.short = conv(inputs, width, kernel=1)
        self.norm1 = norm_of("none" if first else norm, inputs)
        self.conv1 = conv(inputs, width, kernel=3, padding=1)
        self.norm2 = norm_of("none" if first else norm, width)
        self.conv2 = conv(width, width, kernel=3, padding=1)

    def __call__(self, x):  # the first block's: pixels
        h = x if self.first else tf.nn.relu(self.norm1(x))
        h = self.conv2(tf.nn.relu(self.norm2(self.conv1(h))))
        if not self.down:
            return h + x
        return halved(h) + self.short(halved(x))


def halved(maps):
    """The mean of each 2×2 pixels: half the height, half the width."""
    return tf.nn.avg_pool2d(maps, 2, 2, "VALID")


def networks_of(recipe):
    """The generator and the discriminator of the recipe's architecture."""
    shape, constants = recipe.image_shape, recipe.constants
    z, g_width = constants["z"], constants["g_width"]
    d_width, norm = constants["d_width"], constants["norm"]
    if constants["architecture"] == "resnet":
        return ResNetGenerator(shape, z, g_width), ResNetDiscriminator(shape, d_width, norm)
    return Generator(shape, z, g_width), Discriminator(shape, d_width, norm)


def discriminator_loss(loss, real, fake):
    """What the discriminator pays for its scores of real and of fake pictures, N×1 each."""
    if loss == "non_saturating":  # cross-entropy: the mean of −log σ(real), of −log(1 − σ(fake))
        return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))
    if loss == "least_squares":  # Mao et al. 2016, equation 9
        return (tf.reduce_mean(tf.square(real - 1)) + tf.reduce_mean(tf.square(fake))) / 2
    return tf.reduce_mean(fake) - tf.reduce_mean(real)  # wasserstein: Arjovsky et al. 2017


def generator_loss(loss, fake):
    """What the generator pays for the scores of its pictures."""
    if loss == "non_saturating":
        return tf.reduce_mean(tf.nn.softplus(-fake))
    if loss == "least_squares":
        return tf.reduce_mean(tf.square(fake - 1)) / 2
    return -tf.reduce_mean(fake)


class GANLandscape:
    def __init__(self, recipe):
        self.generator, self.discriminator = networks_of(recipe)
        self.loss = recipe.constants["loss"]
        self.penalty_weight = recipe.constants["penalty_weight"]
        self.rounds = recipe.train.rounds
        d, g = recipe.optimizers["d_optimizer"], recipe.optimizers["g_optimizer"]
        self.d_optimizer = Adam(self.discriminator.trainable_variables, d.lr, d.betas)
        self.g_optimizer = Adam(self.generator.trainable_variables, g.lr, g.betas)

    def slope(self, images):
        """How steep the discriminator is at each picture: ‖∂D/∂x‖ over all its numbers, N."""
        with tf.GradientTape() as tape:  # within the outer one: a gradient of a gradient
            tape.watch(images)
            scores = tf.reduce_sum(self.discriminator(images))
        squares = tf.square(tape.gradient(scores, images))
        return tf.sqrt(tf.reduce_sum(squares, axis=[1, 2, 3]) + 1e-12)

    @tf.function
    def train_step(self, batch):
        # The discriminator's steps, each with its own batch.
        weights = self.discriminator.trainable_variables
        rounds = (tf.split(batch[name], self.rounds) for name in ("images", "noise", "epsilon"))
        for images, noise, epsilon in zip(*rounds, strict=True):
            fake = self.generator(noise)  # on no tape: the generator does not learn here
            with tf.GradientTape() as tape:
                real, made = self.discriminator(images), self.discriminator(fake)
                d_loss = discriminator_loss(self.loss, real, made)
                if self.penalty_weight > 0:
                    length = self.slope(epsilon * images + (1 - epsilon) * fake)
                    d_loss += self.penalty_weight * tf.reduce_mean(tf.square(length - 1))
            gradients = tape.gradient(d_loss, weights)
            turn(self.discriminator)
            self.d_optimizer.apply(gradients)

        # The generator's step, against the discriminator's new weights.
        with tf.GradientTape() as tape:
            made = self.discriminator(self.generator(batch["g_noise"]))
            g_loss = generator_loss(self.loss, made)
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(g_loss, weights))
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
